//go:build real && linux

package systemd

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moonwatch/failover/driver"
	"moonwatch/failover/driver/conform"
	"moonwatch/member"
)

func TestMain(m *testing.M) {
	if socket := os.Getenv(relayed); socket != "" {
		fmt.Fprintln(os.Stderr, relay(socket))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func TestSystemdConforms(t *testing.T) {
	m := newManager(t)
	m.unit(sleeper)
	next := 0
	req := func(step string, who member.ID, epoch member.SlotEpoch) driver.Request {
		return driver.Request{Case: "C-12", Step: step, Attempt: 1, Member: who, Pool: "web", SlotEpoch: epoch}
	}
	conform.Run(t, conform.Subject{
		Fresh: func(t *testing.T) *conform.Target {
			slot := member.SlotID(fmt.Sprintf("web-%d", next))
			next++
			wire := conform.NewWire(t, "unix", m.socket())
			unit := fmt.Sprintf("web@%s.service", slot)
			return &conform.Target{
				Slot: slot,
				Open: func() driver.Driver { return m.drives(wire.Address()) },
				State: func() string {
					n, _, err := m.drives("").readMark(unit)
					must(t, err)
					return m.Show(unit, "ActiveState") + " " + n.Mark
				},
				Wire: wire,
			}
		},
		Steps: []conform.Step{
			{Request: req(StepActivate, "web-1", 42), Words: []string{"42/web-1"}},
			{Before: []driver.Request{req(StepActivate, "web-1", 42)}, Request: req(StepStop, "web-1", 42), Words: []string{"drained"}},
		},
		Nonsense: []string{"OK\r\n", "REJECTED EXTERNAL\r\n", "OK 1234deadbeef\r\nERROR\r\n", "OK 1234deadbeef\r\n" + strings.Repeat("l\x02\x01\x01", 40)},
	})
}

func TestTheServiceKnowsItsSlotEpoch(t *testing.T) {
	m := newManager(t)
	m.unit("[Service]\nExecStart=/bin/sh -c 'echo $MOONWATCH_SLOT at $MOONWATCH_SLOT_EPOCH > /run/said; exec sleep infinity'\n")
	d := m.drives("")
	for _, epoch := range []member.SlotEpoch{42, 57} { // at a newer one it is started anew
		does(t, d, request(StepActivate, "web-1", epoch))
		want := fmt.Sprintf("web-0 at %d\n", epoch)
		m.Wait(want, func() bool { said, _ := os.ReadFile(m.Root + "/run/said"); return string(said) == want })
	}
}

func TestARestartHappensOncePerAttempt(t *testing.T) {
	m := newManager(t)
	m.unit(sleeper)
	d, unit := m.drives(""), "web@web-0.service"
	does(t, d, request(StepActivate, "web-1", 42))
	first := m.Show(unit, "InvocationID")
	req := request(StepRestart, "web-1", 42)
	wants(t, d.Observe(t.Context(), req), driver.Retryable)
	does(t, d, req)
	second := m.Show(unit, "InvocationID")
	does(t, m.drives(""), req) // another life of the agent repeats it
	if again := m.Show(unit, "InvocationID"); first == second || again != second {
		t.Errorf("invocations %s, %s, %s: want the second other than the first, and the third as the second", first, second, again)
	}
	wants(t, d.Observe(t.Context(), req), driver.Done)
	req.Attempt++
	wants(t, d.Observe(t.Context(), req), driver.Retryable)
	does(t, d, req)
	if m.Show(unit, "InvocationID") == second {
		t.Error("a further attempt has no effect")
	}
}

// A restart was begun and nobody knows how it ended: the unit tells.
func TestARestartThatWasCutOffIsFoundOut(t *testing.T) {
	m := newManager(t)
	m.unit(sleeper)
	d := m.drives("")
	does(t, d, request(StepActivate, "web-1", 42))
	for _, req := range []driver.Request{
		request(StepRestart, "web-1", 42),
		request(StepActivate, "web-1", 57), // what runs has an environment of slot epoch 42
	} {
		a, err := d.aim(req)
		must(t, err)
		now, err := d.look(t.Context(), a.unit)
		must(t, err)
		must(t, d.mark(a.unit, a.note(now))) // and then the agent died
		wants(t, d.Observe(t.Context(), req), driver.Unknown, "begun")
		does(t, d, req)
		if id := strings.ReplaceAll(m.Show(a.unit, "InvocationID"), "-", ""); id == now.invocation || now.invocation == "" {
			t.Errorf("%s: invocation was %s and is %s: it was not restarted", req.Step, now.invocation, id)
		}
	}
}

func TestWhatRunsAlreadyIsTakenOverAsItIs(t *testing.T) {
	m := newManager(t)
	m.unit(sleeper)
	unit := "web@web-0.service"
	m.Run("systemctl", "start", unit)
	before := m.Show(unit, "InvocationID")
	does(t, m.drives(""), request(StepActivate, "web-1", 42))
	if m.Show(unit, "InvocationID") != before {
		t.Error("a service that ran was restarted")
	}
	wants(t, m.drives("").Apply(t.Context(), request(StepActivate, "web-2", 41)), driver.Refused)
}

func TestAUnitThatFailsIsAFailedStep(t *testing.T) {
	m := newManager(t)
	for text, says := range map[string]string{
		"[Service]\nType=notify\nExecStart=/bin/false\n":                             "'journalctl -u web@web-0.service' says why",
		"[Service]\nType=notify\nExecStart=/nowhere/web\n":                           "result exit-code",
		"[Service]\nType=notify\nTimeoutStartSec=1\nExecStart=/bin/sleep infinity\n": "result timeout",
		"[Service]\nType=notify\n":                                                   "is bad-setting: install it",
	} {
		m.unit(text)
		wants(t, m.drives("").Apply(t.Context(), request(StepActivate, "web-1", 42)), driver.Permanent, says)
		must(t, os.RemoveAll(m.Units()+"/web@web-0.service.d"))
		m.Run("systemctl", "stop", "web@web-0.service")
		m.Run("systemctl", "reset-failed")
	}
	must(t, os.Remove(m.Units()+"/web@.service"))
	m.Run("systemctl", "daemon-reload")
	m.Run("systemctl", "reset-failed")
	wants(t, m.drives("").Apply(t.Context(), request(StepActivate, "web-1", 57)), driver.Permanent, "is not-found: install it")
	does(t, m.drives(""), request(StepStop, "web-1", 57)) // what is not there does not run
}

// The word that a stop was done proves nothing while a process is left.
func TestAStopLeavesNoProcess(t *testing.T) {
	m := newManager(t)
	m.unit("[Service]\nKillMode=process\nExecStart=/bin/sh -c '(trap \"\" TERM; sleep 1000) & exec sleep 1000'\n")
	d := m.drives("")
	does(t, d, request(StepActivate, "web-1", 42))
	m.Wait("a second process", func() bool { n, _ := d.processes(m.Show("web@web-0.service", "ControlGroup")); return n > 1 })
	stop := request(StepStop, "web-1", 42)
	wants(t, d.Apply(t.Context(), stop), driver.Unknown, "of its processes are left")
	m.Run("systemctl", "kill", "-s", "KILL", "web@web-0.service")
	m.Wait("nothing left", func() bool { return d.Observe(t.Context(), stop).Outcome == driver.Done })
}

func TestAStartThatTakesLongGoesOn(t *testing.T) {
	m := newManager(t)
	m.unit("[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'until test -e /run/ready; do sleep 0.1; done; systemd-notify --ready; exec sleep infinity'\n")
	d := m.drives("")
	req := request(StepActivate, "web-1", 42)
	req.Deadline = time.Now().Add(10 * time.Second)
	wants(t, d.Apply(t.Context(), req), driver.InProgress)
	must(t, os.WriteFile(m.Root+"/run/ready", nil, 0o644))
	req.Deadline = time.Now().Add(20 * time.Second)
	does(t, d, req)
}

func TestASystemdThatIsReexecutedInTheMiddleIsAskedAgain(t *testing.T) {
	m := newManager(t)
	m.unit("[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'sleep 1; systemd-notify --ready; exec sleep infinity'\n")
	again := make(chan struct{})
	go func() {
		defer close(again)
		time.Sleep(300 * time.Millisecond)
		m.Run("systemctl", "daemon-reexec")
	}()
	req := request(StepActivate, "web-1", 42)
	for ; ; req.Attempt++ {
		switch result := m.drives("").Apply(t.Context(), req); result.Outcome {
		case driver.Done:
			<-again
			return
		case driver.Unknown, driver.InProgress, driver.Retryable: // it was cut off, and no lie was told
		default:
			t.Fatalf("%v (%s)", result.Outcome, result.Detail)
		}
	}
}

// The first word on a connection lands in systemd's buffer together with the end
// of the handshake, which it can whenever systemd is busy.
func TestAFirstWordThatLandsWithTheHandshakeIsAnswered(t *testing.T) {
	m := newManager(t)
	m.unit(sleeper)
	d, merged := m.merging()
	does(t, d, request(StepActivate, "web-1", 42))
	does(t, d, request(StepStop, "web-1", 42))
	if merged.Load() == 0 {
		t.Error("no first word landed with a handshake: nothing was shown")
	}
}

// A question gets lost for whatever reason: there is time to ask again.
func TestAQuestionWithoutAnAnswerIsAskedAgain(t *testing.T) {
	m := newManager(t)
	m.unit(sleeper)
	wire := conform.NewWire(t, "unix", m.socket())
	d := m.drives(wire.Address())
	d.config.AnswerWithin = time.Second
	const many = 300
	whole := many
	for lost := 0; lost < whole; lost += 3 { // of the two connections of a question now the one, now the other
		wire.Treat(func(n int) conform.Treatment {
			if n == lost {
				return conform.Hang
			}
			return conform.Pass
		})
		for _, step := range []string{StepActivate, StepStop} {
			does(t, d, request(step, "web-1", member.SlotEpoch(42+lost)))
		}
		if wire.Spoiled() == 0 {
			whole = lost // two steps make no more connections than that
		}
	}
	if whole < 10 || whole == many {
		t.Errorf("two steps make %d connections: some were not tried, or none was lost", whole)
	}
}

func TestAStepThatNobodyWaitsForEnds(t *testing.T) {
	m := newManager(t)
	m.unit(sleeper)
	d := m.drives("")
	unlock, err := d.lock(t.Context(), "web@web-0.service")
	must(t, err)
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	wants(t, d.Apply(ctx, request(StepActivate, "web-1", 42)), driver.Retryable, "another step of web@web-0.service holds it")
}
