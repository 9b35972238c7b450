package scenario

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/sim"
)

// compiled reads a scenario and draws its chance.
func compiled(t *testing.T, text string, seed uint64) *Plan {
	t.Helper()
	s, err := Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Compile(seed, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func encoded(t *testing.T, p *Plan) []byte {
	t.Helper()
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheSameSeedGivesTheSamePlan(t *testing.T) {
	a, b := encoded(t, compiled(t, good, 7)), encoded(t, compiled(t, good, 7))
	if !bytes.Equal(a, b) {
		t.Error("two plans of one seed differ")
	}
	if c := encoded(t, compiled(t, good, 8)); bytes.Equal(a, c) {
		t.Error("the plans of two seeds are the same")
	}
}

func TestAPlanReadAgainIsTheSamePlan(t *testing.T) {
	for seed := range uint64(20) {
		a := encoded(t, compiled(t, good, seed))
		p, err := DecodePlan("p", a)
		if err != nil {
			t.Fatal(err)
		}
		if b := encoded(t, p); !bytes.Equal(a, b) {
			t.Fatalf("seed %d:\n%s\n%s", seed, a, b)
		}
	}
}

// TestAnotherFleetIsPartOfThePlan writes every word of a change down and reads it again,
// also what is told by being empty.
func TestAnotherFleetIsPartOfThePlan(t *testing.T) {
	a := encoded(t, compiled(t, `
fleet: {pools: {web: {slots: 3, spares: 1}, db: {slots: 2, spares: 1}}}
steps:
  - at: 40s
    do: order-apply
    change:
      profile: wan
      brake: {guarded: {min: 1, share: 5%}, cascade: {min: 2, share: 0.4}}
      pools:
        web: {exclusive: false, armed: false, prepare: true, restart: false, fence: [self, power], drill_every: 24h, early_after: 30s, reserve: 0, floor: 1, borrow_from: none}
        db: {add_slots: [db-7], remove_slots: db-1, borrow_from: [web]}
  - {at: 50s, do: order-apply, whom: [slot:db-7, spares], change: {members: {retired: true, pool: db}}}
`, 1))
	p, err := DecodePlan("p", a)
	if err != nil {
		t.Fatal(err)
	}
	if b := encoded(t, p); !bytes.Equal(a, b) {
		t.Errorf("%s\n%s", a, b)
	}
	c := p.Steps[0].Change
	if from := c.Pools["web"].BorrowFrom; from == nil || len(*from) != 0 || *c.Pools["web"].Reserve != 0 || *c.Pools["db"].BorrowFrom == nil {
		t.Errorf("%+v", c.Pools)
	}
	if text := p.Steps[1].Change.String(); text != "in pool db; retired" {
		t.Error(text)
	}
	broken := bytes.Replace(a, []byte(`"drill_every"`), []byte(`"drill_evry"`), 1)
	if _, err := DecodePlan("p", broken); err == nil || !strings.Contains(err.Error(), "unknown key drill_evry") {
		t.Error(err)
	}
	if _, err := DecodePlan("p", bytes.Replace(a, []byte(`"db": {`), []byte(`"bd": {`), 1)); err == nil || !strings.Contains(err.Error(), "bd is not in the fleet") {
		t.Error(err)
	}
}

func TestWhatIsKnownBeforehandIsConcreteInThePlan(t *testing.T) {
	p := compiled(t, good, 1)
	late := p.Steps[0] // occupants are not known before the fleet is up
	if len(late.Members) > 0 || late.Whom[0].String() != "random:1 of occupants" {
		t.Errorf("%+v", late)
	}
	known := p.Steps[2]
	if len(known.Members) != 10 || !slices.Contains(known.Others, "m-007") || len(known.Others) != 10 {
		t.Errorf("%+v", known)
	}
	if mend := p.Steps[4]; !slices.Equal(mend.Mends, []int{0}) {
		t.Errorf("%+v", mend)
	}
}

func TestTakingAStepOutReshufflesNothing(t *testing.T) {
	const text = `
steps:
  - {at: 30s, do: crash, whom: "random:2", for: 5s}
  - {at: 40s, do: pause, whom: "random:2", for: 5s}
swarm: {faults: 3}
`
	p := compiled(t, text, 5)
	other := compiled(t, strings.Replace(text, `"random:2", for: 5s}
  - {at: 40s`, `all, for: 5s}
  - {at: 40s`, 1), 5)
	if !slices.Equal(p.Steps[1].Members, other.Steps[1].Members) || len(p.Steps) != 5 {
		t.Errorf("%+v\n%+v", p.Steps, other.Steps)
	}
	for i := 1; i < 5; i++ {
		if p.Steps[i].At != other.Steps[i].At || !slices.Equal(p.Steps[i].Members, other.Steps[i].Members) {
			t.Errorf("step %d: %+v, %+v", i, p.Steps[i], other.Steps[i])
		}
	}
}

func TestCouncilSelectorsDrawMinorityAndMajority(t *testing.T) {
	for seed := range uint64(10) {
		p := compiled(t, `
steps:
  - {at: 30s, do: crash, whom: council:minority}
  - {at: 30s, do: crash, whom: council:majority}
  - {at: 30s, do: crash, whom: half}
  - {at: 30s, do: crash, whom: "random:50%", except: council}
  - {at: 30s, do: crash, whom: followers}
`, seed)
		for i, want := range []int{2, 3, 3, 1, 2} {
			if n := len(p.Steps[i].Members); n != want {
				t.Errorf("seed %d, step %d: %v, want %d", seed, i, p.Steps[i].Members, want)
			}
		}
	}
}

func TestTheBuiltInSwarmIsTheSimulatorsOwn(t *testing.T) {
	for seed := range uint64(20) {
		p, err := BuiltinSwarm().Compile(seed, Options{})
		if err != nil {
			t.Fatal(err)
		}
		c, faults := sim.Swarm(seed, 30, 5*time.Minute)
		if len(p.Steps) != len(faults) || p.World.Loss != c.Net.Loss || (c.Mind != nil) != (p.World.SnapshotEvery > 0) {
			t.Fatalf("seed %d: %+v", seed, p)
		}
		for i, f := range faults {
			x := &p.Steps[i]
			if got := x.fault(time.Duration(x.At), x.Members, x.Others); got.String() != f.String() || got.Serve != f.Serve {
				t.Errorf("seed %d: %v, want %v", seed, got, f)
			}
		}
		if _, err := DecodePlan("p", encoded(t, p)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACampaignMayChangeSizeAndLength(t *testing.T) {
	p, err := BuiltinSwarm().Compile(1, Options{Members: 12, Minutes: 2})
	if err != nil || len(p.World.Fleet.Members) != 12 || p.Storm != Duration(2*time.Minute) {
		t.Errorf("%+v, %v", p, err)
	}
	s, err := Parse("x.yaml", []byte("fleet: {members: 20, spares: 4}\nsteps: [{at: 1m, do: crash, whom: member:19}]"))
	if err != nil {
		t.Fatal(err)
	}
	p, err = s.Compile(1, Options{Members: 40})
	if err != nil || len(p.World.Fleet.Members) != 40 || len(p.World.Fleet.Pools[0].Slots) != 32 {
		t.Errorf("%v", err)
	}
	for want, opt := range map[string]Options{
		"compile x: steps[0]: member:19 is not in a fleet of 10":    {Members: 10},
		"compile x: steps[0] ends at 1m, after the end at 30s":      {Minutes: 0.5},
		"compile x: 1 members, want 2 to 10000":                     {Members: 1},
		"compile x: 4 members are too few for 5 councillors, 3 fai": {Members: 4},
	} {
		if _, err := s.Compile(1, opt); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	s, err = Parse("demo.yaml", []byte("fleet: demo"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Compile(1, Options{Members: 9}); err == nil || err.Error() != "compile demo: its fleet has the 7 members that stand there, and not 9" {
		t.Error(err)
	}
}

func TestAPlanThatCannotBePlayedIsRefused(t *testing.T) {
	whole := string(encoded(t, compiled(t, "steps: [{at: 30s, do: crash, whom: member:web-1}]", 1)))
	for _, c := range []struct{ old, new, want string }{
		{`"version": 1`, `"version": 2`, "p: the plan has version 2, this program plays version 1: compile the scenario again with it, or play the plan with the program that wrote it"},
		{`"version": 1,`, ``, "p: no plan: version is missing, want 1"},
		{`"seed": 1`, `"seed": 1, "wether": 3`, `p: 4:13: unknown key wether`},
		{`"at": "30s"`, `"at": -5`, `p: 117:12: steps.at is a number, want a time such as "30s"`},
		{`"seed": 1`, `"seed": "x"`, "p: 4:13: seed is a string, want a whole number that is not negative"},
		{`"seed": 1`, `"seed": }`, "p: no plan: 4:11: invalid character '}'"},
		{`"do": "crash"`, `"do": "crush"`, `p: steps[0]: fault "crush": unknown kind`},
		{`"do": "crash"`, `"do": "lossy"`, "p: steps[0]: fault lossy: share is missing"},
		{"\"members\": [\n    \"web-1\"", "\"members\": [\n    \"web-9\"", "p: steps[0].members: web-9 is not in the fleet"},
		{`"do": "crash"`, `"on": "case.activting", "do": "crash"`, `p: nothing is called "case.activting", did you mean case.activating?`},
		{`"storm": "3m"`, `"storm": "-3m"`, "p: storm is -3m and settle 12m, want times from 0s to 720h"},
		{`"storm": "3m"`, `"storm": "20s"`, "p: steps[0].at is 30s, after the end of all faults: storm is 20s"},
		{`"storm": "3m"`, `"storm": "1000000h"`, "p: storm is 1000000h and settle 12m, want times from 0s to 720h"},
		{`"do": "crash"`, `"do": "flood", "share": 2, "host": "x"`, "p: steps[0]: fault flood: has no whom\nsteps[0]: no load comes for host \"x\", which could be flooded"},
	} {
		text := strings.Replace(whole, c.old, c.new, 1)
		if text == whole {
			t.Fatalf("%s is not in the plan:\n%s", c.old, whole)
		}
		if _, err := DecodePlan("p", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s:\n got %v\nwant %s", c.new, err, c.want)
		}
	}
	if _, err := DecodePlan("p", []byte(whole+"{}")); err == nil || !strings.HasPrefix(err.Error(), "p: no plan: ") {
		t.Error(err)
	}
	if _, err := DecodePlan("p", nil); err == nil {
		t.Error("nothing was taken for a plan")
	}
}
