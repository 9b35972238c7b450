//go:build real

package dns

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"moonwatch/failover/driver"
	"moonwatch/failover/driver/conform"
	"moonwatch/member"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const name0 = "name0.example.test."

func TestABINDThatIsKilledInTheMiddleOfAStepIsFoundOut(t *testing.T) {
	b := newBind(t)
	wire := conform.NewWire(t, "tcp", b.address)
	d := opened(t, b.config(wire.Address()))
	does(t, d, request(driver.StepCutover, "web-1", 42))
	for i, lost := range []conform.Treatment{conform.LoseRequest, conform.LoseAnswer} {
		req := request(driver.StepCutover, "spare-1", member.SlotEpoch(57+2*i))
		before := b.state(name0)
		wire.Treat(func(n int) conform.Treatment {
			if n == 1 { // the update, after the reading
				return lost
			}
			return conform.Pass
		})
		wants(t, d.Apply(t.Context(), req), driver.Unknown, "sent, and then")
		b.kill()
		wire.Treat(nil)
		wants(t, d.Observe(t.Context(), req), driver.Unknown)
		b.start()
		if begun := b.state(name0) != before; begun != (lost == conform.LoseAnswer) {
			t.Errorf("%v: BIND has %s and had %s", lost, b.state(name0), before)
		}
		if lost == conform.LoseAnswer {
			wants(t, d.Observe(t.Context(), req), driver.Done)
		} else {
			wants(t, d.Observe(t.Context(), req), driver.Retryable)
		}
		does(t, d, req)
		does(t, d, request(driver.StepCutover, "web-1", req.SlotEpoch+1))
	}
}

func TestAKeyThatTheServerDoesNotTakeIsForPeople(t *testing.T) {
	b := newBind(t)
	before := b.state(name0)
	for says, spoil := range map[string]func(*Config){
		"BADKEY":                 func(c *Config) { c.Key.Name = "stranger" },
		"BADSIG":                 func(c *Config) { c.Key.Secret = otherSecret },
		"let key reader. change": func(c *Config) { c.Key.Name = "reader" },
	} {
		c := b.config(b.address)
		spoil(&c)
		wants(t, opened(t, c).Apply(t.Context(), request(driver.StepCutover, "web-1", 42)), driver.Permanent, says)
	}
	if got := b.state(name0); got != before {
		t.Errorf("BIND has %s and had %s", got, before)
	}
}

func TestAWrongClockIsSaidAndCurable(t *testing.T) {
	b := newBind(t)
	d, req := opened(t, b.config(b.address)), request(driver.StepCutover, "web-1", 42)
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		d.now = func() time.Time { return time.Now().Add(off) }
		wants(t, d.Apply(t.Context(), req), driver.Retryable, "the clocks differ by more than 300 s: the server's shows 20", "BADTIME")
		wants(t, d.Observe(t.Context(), req), driver.Unknown, "the clocks differ")
	}
	d.now = func() time.Time { return time.Now().Add(2 * time.Minute) }
	does(t, d, req)
}

func TestWhoComesBetweenReadingAndWritingIsSeenByTheServer(t *testing.T) {
	b := newBind(t)
	d := opened(t, b.config(b.address))
	does(t, d, request(driver.StepCutover, "web-1", 42))
	late := request(driver.StepDrain, "web-1", 42)
	aim, err := d.aim(late)
	must(t, err)
	now, err := d.read(t.Context(), aim)
	must(t, err)
	c, answer := weigh(aim, now)
	wants(t, answer, driver.Retryable)

	does(t, opened(t, b.config(b.address)), request(driver.StepCutover, "spare-1", 57))
	newer := b.state(name0)
	if result, conflict := d.update(t.Context(), c); !conflict {
		t.Errorf("an update from what is no more: %v (%s)", result.Outcome, result.Detail)
	}
	wants(t, d.Apply(t.Context(), late), driver.Refused, "spare-1 at slot epoch 57")

	// The same with an address that people add by hand.
	late = request(driver.StepDrain, "spare-1", 57)
	aim, err = d.aim(late)
	must(t, err)
	now, err = d.read(t.Context(), aim)
	must(t, err)
	c, _ = weigh(aim, now)
	b.change("", name0+" 5 A 192.0.2.50")
	if _, conflict := d.update(t.Context(), c); !conflict {
		t.Error("an address that came between was overlooked")
	}
	b.change(name0+" 5 A 192.0.2.50", "")
	if got := b.state(name0); got != newer {
		t.Errorf("BIND has %s and had %s", got, newer)
	}
}

func TestSlotsOfOneNameAreChangedSideBySide(t *testing.T) {
	b := newBind(t)
	d := opened(t, b.config(b.address))
	results := make(chan driver.Result)
	others := map[member.SlotID]member.ID{"web-0": "web-1", "web-1": "spare-1", "web-2": "spare-6"}
	for slot, who := range others {
		req := request(driver.StepCutover, who, 42)
		req.Slot = slot
		go func() { results <- d.Apply(t.Context(), req) }()
	}
	for range others {
		wants(t, <-results, driver.Done)
	}
	if got, want := b.state(name0), `[192.0.2.1 192.0.2.7 192.0.2.99] [2001:db8::7] ["42/web-1" "192.0.2.1"]`; got != want {
		t.Errorf("BIND has %s, want %s", got, want)
	}
}

func TestTheLastAddressOfANameIsNotTakenAway(t *testing.T) {
	b := newBind(t)
	d := opened(t, b.config(b.address))
	does(t, d, request(driver.StepCutover, "web-1", 42))
	b.change(name0+" 30 A 192.0.2.99", "")
	wants(t, d.Apply(t.Context(), request(driver.StepDrain, "web-1", 42)), driver.Permanent, "no address left")
	does(t, d, request(driver.StepCutover, "spare-6", 57))
	if got, want := b.state(name0), `[] [2001:db8::7] ["57/spare-6" "2001:db8::7"]`; got != want {
		t.Errorf("BIND has %s, want %s", got, want)
	}
}

func TestWhatPeopleChangedInAZoneIsNoticedAndMended(t *testing.T) {
	b := newBind(t)
	d, req := opened(t, b.config(b.address)), request(driver.StepCutover, "web-1", 42)
	does(t, d, req)
	want := b.state(name0)
	b.change(name0+" 5 A 192.0.2.1", "")
	wants(t, d.Observe(t.Context(), req), driver.Unknown, "changed by somebody else")
	does(t, d, req)
	if got := b.state(name0); got != want {
		t.Errorf("BIND has %s, want %s", got, want)
	}
}

func TestAZoneThatDoesNotFitIsPermanent(t *testing.T) {
	b := newBind(t)
	for says, spoil := range map[string]func(*Config, *driver.Request){
		"want one TXT record": func(c *Config, r *driver.Request) { r.Slot = "taken" },
		"records of kind A only": func(c *Config, r *driver.Request) {
			c.Name = func(member.SlotID) string { return "alias.example.test" }
		},
		"it answers REFUSED": func(c *Config, r *driver.Request) {
			c.Zone, c.Name = "other.test", func(member.SlotID) string { return "www.other.test" }
		},
		"want a name in zone":       func(c *Config, r *driver.Request) { c.Name = func(member.SlotID) string { return "www.other.test" } },
		"nobody knows the address":  func(c *Config, r *driver.Request) { r.Member = "web-77" },
		"a door knows drain":        func(c *Config, r *driver.Request) { r.Step = "fence" },
		`its mark would be "web.0.`: func(c *Config, r *driver.Request) { r.Slot = "web.0" },
	} {
		c, req := b.config(b.address), request(driver.StepCutover, "web-1", 42)
		spoil(&c, &req)
		d := opened(t, c)
		for _, result := range []driver.Result{d.Observe(t.Context(), req), d.Apply(t.Context(), req)} {
			wants(t, result, driver.Permanent, says)
		}
	}
}
