package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/status"
)

// moved is an agent with an operator's key beside it, whose case 12 is the
// switchover of slot-1 as it ended.
func moved(t *testing.T, c *council, end failover.Outcome, more map[string]http.HandlerFunc) string {
	t.Helper()
	initialised(t)
	page := fixture(t, "page-open.json")
	page.Cluster = "shop"
	at := page.Now
	page.Cases = append(page.Cases, status.Case{
		ID: "C-12", Index: 12, Slot: "slot-1", Subject: "web-2", Spare: "spare-2", NewEpoch: 14, State: failover.Closed, Outcome: end,
		Passages: []status.Passage{{State: failover.Opened, At: at}, {State: failover.Cutover, At: at.Add(1500 * time.Millisecond), Detail: "spare-2 serves slot-1"}, {State: failover.Closed, At: at}},
	})
	routes := c.routes()
	for path, h := range more {
		routes[path] = h
	}
	return agentWith(t, page, routes)
}

func TestASwitchoverIsToldStepByStep(t *testing.T) {
	c := &council{outcome: accepted}
	agent := moved(t, c, failover.OutcomeSwitched, nil)
	call(t, "switchover", "web-2", "--to", "spare-2", "--reason", "new kernel", "--agent", agent).wants(t, exitOK,
		"C-12 CUTOVER: spare-2 serves slot-1", "C-12: spare-2 serves slot-1 at slot epoch 14, 1.5s after it was ordered.")
	var p failover.SwitchoverOrdered
	got := c.taken.Load()
	if err := json.Unmarshal(got.Payload, &p); err != nil || got.Kind != failover.KindSwitchover || got.Warrant == nil {
		t.Fatalf("%+v: %v", got, err)
	}
	if p.Slot != "slot-1" || p.Subject != "web-2" || p.To != "spare-2" || p.Reason != "new kernel" || p.Epoch == 0 {
		t.Errorf("%+v", p)
	}
	call(t, "switchover", "slot-1", "--detach", "--reason", "r", "--agent", agent).wants(t, exitOK, "C-12 goes on: 'moonwatch explain C-12'")
	agent = moved(t, c, failover.OutcomeAborted, nil)
	call(t, "switchover", "slot-1", "--reason", "r", "--agent", agent).wants(t, exitError, "was given up, web-2 still serves slot-1")
}

// Ctrl-C lets go of a switchover, which goes on, and says so. A signal is the end of the context.
func TestCtrlCLetsGoOfASwitchover(t *testing.T) {
	c := &council{outcome: accepted}
	initialised(t)
	page := fixture(t, "page-open.json")
	page.Cluster = "shop"
	page.Cases = append(page.Cases, status.Case{
		ID: "C-12", Index: 12, Slot: "slot-1", Subject: "web-2", State: failover.Activating, Open: true,
		Passages: []status.Passage{{State: failover.Activating, At: page.Now, Detail: "spare-2"}},
	})
	a := newApp(t)
	var out, errw heard
	a.out, a.errw = &out, &errw
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	code, agent := make(chan int, 1), agentWith(t, page, c.routes())
	go func() {
		code <- a.run(ctx, []string{"switchover", "slot-1", "--reason", "r", "--agent", agent})
	}()
	errw.until(t, "C-12 ACTIVATING: spare-2")
	ordered := c.taken.Load()
	cancel()
	if got := <-code; got != exitError {
		t.Errorf("exit %d after Ctrl-C, want %d: how it ends is not known", got, exitError)
	}
	errw.until(t, "no longer watching: C-12 goes on; 'moonwatch explain C-12'")
	if c.taken.Load() != ordered {
		t.Error("something was ordered on the way out")
	}
}

func TestADrainAndItsWayBack(t *testing.T) {
	c := &council{outcome: accepted}
	agent := moved(t, c, "", nil)
	call(t, "drain", "web-2", "--reason", "looking", "--agent", agent).wants(t, exitOK, "slot-1 is drained since fact 12", "moonwatch undrain slot-1")
	call(t, "undrain", "slot-1", "--agent", agent).wants(t, exitOK, "slot-1 has its traffic again")
	var p failover.DrainOrdered
	if err := json.Unmarshal(c.taken.Load().Payload, &p); err != nil || !p.Back || p.Subject != "web-2" {
		t.Errorf("%+v: %v", p, err)
	}
}

func TestMovesThatAreMistakes(t *testing.T) {
	agent := moved(t, &council{outcome: `{"state":"refused","fact":13,"reason":"drain of slot-1: 0 of 1 slots"}`}, "", nil)
	call(t, "drain", "slot-1", "--reason", "r", "--agent", agent).wants(t, exitRefused, "0 of 1 slots")
	call(t, "drain", "slot-1", "--agent", agent).wants(t, exitUsage, "--reason is missing")
	call(t, "drain", "slot-9", "--reason", "r", "--agent", agent).wants(t, exitUsage, "did you mean slot-")
	call(t, "switchover", "spare-2", "--reason", "r", "--agent", agent).wants(t, exitRefused, "spare-2 holds no slot")
	call(t, "switchover", "slot-1", "--to", "nobody", "--reason", "r", "--agent", agent).wants(t, exitUsage, `no member "nobody"`)
}

func TestARehearsalSignsNothing(t *testing.T) {
	c := &council{outcome: accepted}
	said := `{"steps":["spare spare-2 is claimed"]}`
	routes := map[string]http.HandlerFunc{"POST /api/v1/rehearse/{what}": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, said)
	}}
	agent := moved(t, c, "", routes)
	call(t, "switchover", "slot-1", "--dry-run", "--agent", agent).wants(t, exitOK, "1. spare spare-2 is claimed")
	said = `{"refused":"no free spare"}`
	call(t, "drain", "slot-1", "--dry-run", "--agent", agent).wants(t, exitRefused, "would refuse it: no free spare")
	if c.taken.Load() != nil {
		t.Error("a command was handed in")
	}
}
