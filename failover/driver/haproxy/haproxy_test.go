package haproxy

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/member"
)

func TestAConfigListsAllItsMistakes(t *testing.T) {
	_, err := New(Config{
		Instances: []Instance{
			{Name: "a", Socket: "/run/a.sock", StateFile: "slots.state"},
			{Name: "a"},
			{},
		},
		Backend: "web; shutdown", Map: "slots map", AnswerWithin: -time.Second,
	})
	for _, want := range []string{
		`instances[0].state_file is "slots.state", want a path from the root`,
		`map is "slots map", want a path from the root: it is written beside slots.state`,
		`instances[1].name is "a", as another one's`, "instances[1].socket is empty", "instances[2].name is empty",
		`backend is "web; shutdown"`, `map is "slots map", want a path of letters`, "answer_within is -1s", "address is missing",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in %v", want, err)
		}
	}
	if _, err := New(Config{Backend: "web", Map: "m", Address: func(member.ID) (netip.AddrPort, bool) { return netip.AddrPort{}, false }}); err == nil ||
		!strings.Contains(err.Error(), "instances are missing") {
		t.Errorf("without an instance: %v", err)
	}
}

const head = "1\n# be_id be_name srv_name srv_addr srv_op_state srv_admin_state srv_port srv_fqdn\n"

func TestAServerStateThatIsNotWholeOrNotUnderstoodIsNoSlot(t *testing.T) {
	for _, text := range []string{
		"2\n# srv_name\nweb-0\n", "1\nweb-0\n", "", "1\n",
		head + "3 web web-0 10.0.0.1 2 0 80\n",
		head + "3 web web-0 10.0.0.1 two 0 80 -\n",
		head + "3 web web-0 10.0.0.1 2 0 800000 -\n",
		"1\n# srv_name srv_addr srv_port\nweb-0 10.0.0.1 80\n",
	} {
		lines, _, _ := section(text + "\n")
		if s, err := parseServer(lines, "web-0"); err == nil {
			t.Errorf("%q reads as %v", text, s)
		}
	}
	for _, cut := range []string{"", "1", "1\n# a", head} {
		if _, _, whole := section(cut); whole {
			t.Errorf("%q passes for whole", cut)
		}
	}
}

func TestOfTwoMarksTheNewerHolds(t *testing.T) {
	var s slot
	err := s.parseMark([]string{"0x1 web-0 42/web-1", "0x2 web-0 57/spare-1", "0x3 web-0 42/web-1", "0x4 web-1 99/web-2"}, "web-0")
	if want := (driver.Route{Slot: "web-0", SlotEpoch: 57, Member: "spare-1"}); err != nil || s.route != want {
		t.Errorf("got %v, %v", s.route, err)
	}
	if err := s.parseMark([]string{"0x1 web-0 spare-1"}, "web-0"); err == nil {
		t.Error("a foreign value passes for a mark")
	}
}

func TestTheMarkIsSetFirstAndNoRequestComesBetweenTwoOccupants(t *testing.T) {
	d := &Driver{config: Config{Backend: "web", Map: "/m"}}
	old, spare := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("[2001:db8::7]:8080")
	now := slot{route: driver.Route{Slot: "web-0", SlotEpoch: 42, Member: "web-1"}, marked: true, address: old, up: true}
	got := d.commands(now, driver.Route{Slot: "web-0", SlotEpoch: 57, Member: "spare-1"}, spare)
	want := []string{
		"set map /m web-0 57/spare-1", "set server web/web-0 state maint",
		"set server web/web-0 addr 2001:db8::7 port 8080", "set server web/web-0 state ready",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q", got)
	}
	d.config.KeepSessions = true
	got = d.commands(slot{address: old, up: true}, driver.Route{Slot: "web-0", SlotEpoch: 42, Member: "web-1", Drained: true}, old)
	if strings.Join(got, "\n") != "add map /m web-0 42/web-1/drained\nset server web/web-0 state drain" {
		t.Errorf("got %q", got)
	}
}

func TestOnlyKnownAnswersPassForObedience(t *testing.T) {
	for answer, want := range map[string]bool{
		"\n": true, "IP changed from '10.0.0.1' to '10.0.0.2' by 'stats socket command'\n\n": true,
		"no need to change the addr, no need to change the port by 'stats socket command'\n\n": true,
		"": false, "\n\n": false, "entry not found.\n\n": false, "Unknown command.\n": false,
	} {
		if got := obeyed(answer) == nil; got != want {
			t.Errorf("%q passes: %v", answer, got)
		}
	}
}
