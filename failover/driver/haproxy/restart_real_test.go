//go:build real

package haproxy

import (
	"strings"
	"testing"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/failover/driver/conform"
)

// held is a HAProxy whose slot web-0 is held by web-1 and drained.
func held(t *testing.T) (*proxy, addresses) {
	t.Helper()
	p := newProxy(t)
	at := addresses{"web-1": newOccupant(t).addrPort(), "spare-1": newOccupant(t).addrPort()}
	d := drives(t, p, at, p.instance("haproxy-1"))
	does(t, d, request(driver.StepCutover, "web-1", 42))
	does(t, d, request(driver.StepDrain, "web-1", 42))
	return p, at
}

func TestWhatWasSetSurvivesReloadAndRestart(t *testing.T) {
	p, at := held(t)
	d := drives(t, p, at, p.instance("haproxy-1"))
	drained := request(driver.StepDrain, "web-1", 42)
	p.Reload()
	wants(t, d.Observe(t.Context(), drained), driver.Done)
	does(t, d, request(driver.StepCutover, "spare-1", 57))
	want := p.slotState("web-0")
	p.Reload()
	wants(t, d.Observe(t.Context(), request(driver.StepCutover, "spare-1", 57)), driver.Done)
	p.Kill()
	p.Start()
	wants(t, d.Observe(t.Context(), request(driver.StepCutover, "spare-1", 57)), driver.Done)
	wants(t, d.Apply(t.Context(), drained), driver.Refused)
	if got := p.slotState("web-0"); got != want {
		t.Errorf("after a reload and a restart haproxy has\n%s\nwant\n%s", got, want)
	}
}

// A step is cut off at each of its connections, and there HAProxy is reloaded,
// or killed and started anew. What it forgot was only half a step.
func TestAHAProxyThatStartsAnewInTheMiddleOfAStepIsFoundOut(t *testing.T) {
	for name, begin := range map[string]func(*proxy){
		"reload":  (*proxy).Reload,
		"restart": func(p *proxy) { p.Kill(); p.Start() },
	} {
		t.Run(name, func(t *testing.T) {
			p, at := held(t)
			wire := conform.NewWire(t, "unix", p.Socket())
			in := p.instance("haproxy-1")
			in.Socket = wire.Address()
			req := request(driver.StepCutover, "spare-1", 57)
			for n := 1; ; n++ {
				wire.Treat(func(i int) conform.Treatment {
					if i >= n {
						return conform.LoseAnswer
					}
					return conform.Pass
				})
				result := drives(t, p, at, in).Apply(t.Context(), req)
				whole := wire.Spoiled() == 0
				wire.Treat(nil)
				if whole {
					wants(t, result, driver.Done)
					return
				}
				begin(p)
				left := p.slotState("web-0")
				seen := drives(t, p, at, in).Observe(t.Context(), req)
				t.Logf("cut at %d: left %s: %v", n, left, seen.Outcome)
				switch begun := !strings.Contains(left, "web-1/drained"); {
				case begun && seen.Outcome == driver.Retryable:
					t.Errorf("cut at %d: nothing begun is observed, and there is %s", n, left)
				case !begun:
					wants(t, seen, driver.Retryable)
				}
				does(t, drives(t, p, at, in), req)
				// The slot goes back to where it was, two slot epochs later.
				does(t, drives(t, p, at, in), request(driver.StepCutover, "web-1", req.SlotEpoch+1))
				does(t, drives(t, p, at, in), request(driver.StepDrain, "web-1", req.SlotEpoch+1))
				req.SlotEpoch += 2
			}
		})
	}
}

func TestAnOccupantThatTheCheckFindsDownIsInProgress(t *testing.T) {
	p, at := held(t)
	gone := newOccupant(t)
	at["spare-1"] = gone.addrPort()
	gone.crash()
	d := drives(t, p, at, p.instance("haproxy-1"))
	req := request(driver.StepCutover, "spare-1", 57)
	d.Apply(t.Context(), req) // up at first, until a check fails
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		result := d.Observe(t.Context(), req)
		if result.Outcome == driver.InProgress {
			wants(t, result, driver.InProgress, "down by its check")
			return
		}
		if time.Now().After(end) {
			t.Fatalf("got %v (%s)", result.Outcome, result.Detail)
		}
	}
}

func TestWhatPeopleChangedByHandIsNoticedAndMended(t *testing.T) {
	p, at := held(t)
	d := drives(t, p, at, p.instance("haproxy-1"))
	req := request(driver.StepDrain, "web-1", 42)
	p.Ask("set server web/web-0 state ready")
	wants(t, d.Observe(t.Context(), req), driver.Unknown, "half-way")
	does(t, d, req)
	wants(t, d.Observe(t.Context(), req), driver.Done)
}

func TestASetupThatDoesNotFitIsPermanentAndSaysWhatToDo(t *testing.T) {
	p, at := held(t)
	tests := []struct {
		spoil func(*Config, *driver.Request)
		says  string
	}{
		{func(c *Config, r *driver.Request) { c.Backend = "api" }, "declare the backend"},
		{func(c *Config, r *driver.Request) { c.Map = "/nowhere" }, "name the map in a rule"},
		{func(c *Config, r *driver.Request) { r.Slot = "web-99" }, "no server web-99"},
		{func(c *Config, r *driver.Request) { r.Slot = "web-0;disable" }, "cannot be a server's"},
		{func(c *Config, r *driver.Request) { r.Step, r.Member, r.SlotEpoch = driver.StepCutover, "web-77", 60 }, "nobody knows where web-77 serves"},
		{func(c *Config, r *driver.Request) { r.Step = "fence" }, "a door knows drain, undrain and cutover"},
	}
	for _, tt := range tests {
		c := Config{Instances: []Instance{p.instance("haproxy-1")}, Backend: "web", Map: p.marks(), Address: at.of}
		req := request(driver.StepDrain, "web-1", 42)
		tt.spoil(&c, &req)
		d, err := New(c)
		must(t, err)
		for _, result := range []driver.Result{d.Observe(t.Context(), req), d.Apply(t.Context(), req)} {
			wants(t, result, driver.Permanent, tt.says)
		}
	}
	literal := newProxy(t, "slot.invalid:8080 init-addr last,192.0.2.1", "192.0.2.1:8080")
	wants(t, drives(t, literal, at, literal.instance("haproxy-1")).Apply(t.Context(), request(driver.StepDrain, "web-1", 42)),
		driver.Done, "not kept beyond a restart", "init-addr last")
	weak := newProxy(t, "level admin", "level user")
	wants(t, drives(t, weak, at, weak.instance("haproxy-1")).Apply(t.Context(), request(driver.StepDrain, "web-1", 42)),
		driver.Permanent, `give the socket "level admin"`)
}

// Nobody may know any more where a lost member was, and it is drained all the same.
func TestAnOccupantWhoseAddressIsForgottenIsDrained(t *testing.T) {
	p, at := held(t)
	d := drives(t, p, at, p.instance("haproxy-1"))
	does(t, d, request(driver.StepUndrain, "web-1", 42))
	delete(at, "web-1")
	does(t, d, request(driver.StepDrain, "web-1", 42))
	wants(t, d.Observe(t.Context(), request(driver.StepDrain, "web-1", 42)), driver.Done, "web-1 at slot epoch 42, drained", "in maintenance")
	wants(t, d.Apply(t.Context(), request(driver.StepUndrain, "web-1", 42)), driver.Permanent, "nobody knows where web-1 serves")
}
