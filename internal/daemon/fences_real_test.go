//go:build real

package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/internal/config"
	"moonwatch/member"
	"moonwatch/status"
)

// fenceAgent is a fence agent of our own, a real child process of the agent that runs
// it. What it does when it is told to switch off stands in a file; so does the power.
const fenceAgent = `#!/bin/sh
here=%s
while IFS= read -r line; do
	case $line in action=*) action=${line#action=} ;; esac
done
echo "$action" >>"$here/heard"
mode=$(cat "$here/mode")
case $action in
metadata) echo '<?xml version="1.0" ?><resource-agent name="fence_test"><actions><action name="off"/><action name="status"/><action name="monitor"/><action name="metadata"/></actions></resource-agent>' ;;
monitor) ;;
status)
	case $mode in garbage) echo "Status: OFF"; exit 0 ;; esac
	case $(cat "$here/power") in on) echo "Status: ON"; exit 0 ;; *) echo "Status: OFF"; exit 2 ;; esac ;;
off)
	case $mode in
	lies) echo "Success: Powered OFF" ;;
	hangs) sleep 600 ;;
	garbage) head -c 4096 /dev/urandom ;;
	works) echo off >"$here/power"; echo "Success: Powered OFF" ;;
	esac ;;
esac
`

// TestASlotIsGivenAwayWhenItsFenceDeviceProvesIt and not before, from fleet.yaml and a
// fences.yaml to the child process: while the fence agent says ok and the power is on,
// hangs, or prints garbage, the slot stays where it is and the case says why; when the
// power is off at last, a spare takes it.
func TestASlotIsGivenAwayWhenItsFenceDeviceProvesIt(t *testing.T) {
	victim, fencer := member.ID("e"), member.ID("a")
	rack := t.TempDir()
	put := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(rack, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(rack, 0o755); err != nil {
		t.Fatal(err)
	}
	put("power", "on\n", 0o600)
	put("mode", "lies\n", 0o600)
	put("fence_test", fmt.Sprintf(fenceAgent, rack), 0o755)
	put("fences.yaml", "version: 1\nmembers:\n  e:\n    power:\n      - {agent: fence_test, plug: \"7\"}\n", 0o600)
	f := newFleet(t, []member.ID{"a", "b", "c", "d", "e"}, func(f *fleet) {
		f.tune = func(n member.ID, a *config.Agent) {
			if n == fencer {
				a.FencesFile, a.FenceAgentsDir = filepath.Join(rack, "fences.yaml"), rack
			}
		}
	})
	f.until("d", "council", 30*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	fl := testFleet(f, 1)
	fl.Pools[0].Fence = []string{"power"}
	fl.Members[0], fl.Members[4] = fl.Members[4], fl.Members[0] // the first one takes the slot
	f.apply(fl)
	occupant := func(p status.Page) member.ID {
		if len(p.Slots) == 0 {
			return ""
		}
		return p.Slots[0].Occupant
	}
	f.until("d", "the victim serves", 60*time.Second, func(p status.Page) bool { return occupant(p) == victim && p.Slots[0].State == status.SlotServing })
	f.stop(victim)
	f.unserve(victim)

	offs := func() int {
		b, _ := os.ReadFile(filepath.Join(rack, "heard"))
		return strings.Count(string(b), "off\n")
	}
	untold := func(n int) func(status.Page) bool { return func(status.Page) bool { return offs() > n } }
	for _, mode := range []string{"lies", "hangs", "garbage"} {
		before := offs()
		put("mode", mode+"\n", 0o600)
		f.until("d", "a fence agent that "+mode+" is told to switch off", 150*time.Second, untold(before))
		time.Sleep(3 * time.Second) // long enough for a slot to be given away by mistake
		p := f.agents["d"].Page()
		if occupant(p) != victim {
			t.Fatalf("%s: the slot is with %s, and nobody has seen the power off", mode, occupant(p))
		}
		for _, c := range p.Cases {
			if c.Proof != "" || c.State != failover.Fencing && c.State != failover.Escalated {
				t.Errorf("%s: case in %s with proof %q (%s)", mode, c.State, c.Proof, c.Why)
			}
		}
	}
	put("mode", "works\n", 0o600)
	f.until("d", "a spare serves", 200*time.Second, func(p status.Page) bool { return occupant(p) != victim && occupant(p) != "" })
	p := f.until("d", "the case is closed", 60*time.Second, func(p status.Page) bool { return len(p.Cases) > 0 && !p.Cases[0].Open })
	if c := p.Cases[0]; c.Proof != "power" || !strings.Contains(fmt.Sprint(c.Passages), "fence_test said so twice") {
		t.Errorf("closed with proof %q: %+v", c.Proof, c.Passages)
	}
	if b, _ := os.ReadFile(filepath.Join(rack, "power")); string(b) != "off\n" {
		t.Errorf("the power is %q", b)
	}
}
