package main

import (
	"encoding/json"
	"slices"
	"testing"

	"moonwatch/member"
)

// sent is the fleet that was handed in.
func (c *council) sent(t *testing.T) member.Fleet {
	t.Helper()
	command := c.taken.Load()
	if command == nil {
		t.Fatal("no command was handed in")
	}
	var f member.Fleet
	if err := json.Unmarshal(command.Payload, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRetireAndForgetChangeOneLineOfTheFleetInForce(t *testing.T) {
	live := parsed(t, demoFleet(nil))
	c := &council{outcome: accepted, live: live}
	// What fleet.yaml says in the folder does not matter: it may be older.
	agent := readyToApply(t, c, demoFleet(func(f *member.Fleet) { f.Pools[0].Armed = false }))
	call(t, "members", "retire", "spare-2", "--yes", "--agent", agent).wants(t, exitOK,
		"~ member spare-2: retired nothing -> true", "Accepted as fact 12.", "'retired: true'", "members forget spare-2")
	got := c.sent(t)
	i := slices.IndexFunc(got.Members, func(m member.Member) bool { return m.ID == "spare-2" })
	if i < 0 || !got.Members[i].Retired || len(got.Members) != len(live.Members) || !got.Pools[0].Armed {
		t.Fatalf("members %+v, armed %v", got.Members, got.Pools[0].Armed)
	}

	c = &council{outcome: accepted, live: &got}
	agent = readyToApply(t, c, demoFleet(nil))
	call(t, "members", "retire", "spare-2", "--yes", "--agent", agent).wants(t, exitOK, "Nothing to change")
	call(t, "members", "forget", "spare-2", "--dry-run", "--agent", agent).wants(t, exitOK, "- member spare-2")
	if c.taken.Load() != nil {
		t.Error("a command was handed in although nothing changes")
	}
	call(t, "members", "forget", "spare-2", "--yes", "--agent", agent).wants(t, exitOK, "- member spare-2", "Accepted as fact 12.", "out of fleet.yaml")
	if after := c.sent(t); len(after.Members) != len(live.Members)-1 || slices.ContainsFunc(after.Members, func(m member.Member) bool { return m.ID == "spare-2" }) {
		t.Errorf("members %+v", after.Members)
	}
}

func TestRetireAndForgetSayWhatComesFirst(t *testing.T) {
	c := &council{outcome: accepted, live: parsed(t, demoFleet(nil))}
	agent := readyToApply(t, c, demoFleet(nil))
	for _, x := range []struct {
		args []string
		code int
		say  string
	}{
		{[]string{"retire", "web-9"}, exitUsage, "web-9 is not in the fleet: 'moonwatch members' lists who is"},
		{[]string{"forget", "spare-2"}, exitRefused, "spare-2 is in duty: 'moonwatch members retire spare-2' comes first"},
		{[]string{"retire"}, exitUsage, "NAME"},
		{[]string{"retire", "web-1", "--dry-run"}, exitRefused, "'moonwatch switchover web-1' moves"},
		{[]string{"retire", "spare-2"}, exitUsage, "want --yes"},
	} {
		call(t, append(append([]string{"members"}, x.args...), "--agent", agent)...).wants(t, x.code, x.say)
	}
	if c.taken.Load() != nil {
		t.Error("a command was handed in")
	}
	none := readyToApply(t, &council{outcome: accepted}, demoFleet(nil))
	call(t, "members", "retire", "web-1", "--agent", none).wants(t, exitError, "the agent tells no fleet")
}
