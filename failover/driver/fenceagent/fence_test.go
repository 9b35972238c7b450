package fenceagent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/internal/program"
)

// rack is a folder with a fence agent of our own: a real child process that keeps
// its machine's power in a file and writes down what it is told.
type rack struct {
	t   *testing.T
	dir string
}

// agent is the shell of a fence agent. Each test says what it does on off and
// status, and has $power, a file, and on, off to print what a good one prints.
const agent = `#!/bin/sh
here=%s
power=$here/power
while IFS= read -r line; do
	echo "$line" >>"$here/heard"
	case $line in action=*) action=${line#action=} ;; esac
done
on() { echo "Status: ON"; exit 0; }
off() { echo "Status: OFF"; exit 2; }
told() { [ "$(cat "$power")" = "$1" ]; }
status() { if told on; then on; else off; fi; }
switch_off() { echo off >"$power"; echo "Success: Powered OFF"; }
case $action in
%s
metadata) echo '<?xml version="1.0" ?><resource-agent name="fence_test"><actions><action name="off"/><action name="status"/><action name="monitor"/><action name="metadata"/></actions></resource-agent>' ;;
monitor) ;;
status) status ;;
off) switch_off ;;
*) echo "Failed: Unrecognised action '$action'" >&2; exit 1 ;;
esac
`

func newRack(t *testing.T, behaviour string) *rack {
	t.Helper()
	r := &rack{t, t.TempDir()}
	if err := os.Chmod(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.put("power", "on\n", 0o600)
	r.put("fence_test", fmt.Sprintf(agent, r.dir, behaviour), 0o755)
	return r
}

func (r *rack) put(name, text string, mode os.FileMode) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		r.t.Fatal(err)
	}
	return path
}

func (r *rack) read(name string) string {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

func (r *rack) folder() program.Folder {
	return program.Folder{Path: r.dir, Owners: program.RootOrSelf()}
}

var brisk = Config{Apart: 20 * time.Millisecond, Again: 20 * time.Millisecond, Insist: 300 * time.Millisecond, Each: 2 * time.Second}

func (r *rack) fence(devices ...Device) *Fence {
	if len(devices) == 0 {
		devices = []Device{{Agent: "fence_test", Options: map[string]string{"plug": "7"}}}
	}
	return New("power", r.folder(), devices, brisk)
}

func request(within time.Duration) driver.Request {
	return driver.Request{Case: "C-9", Step: "fence", Attempt: 1, Member: "db-1", Slot: "db-0", SlotEpoch: 7, Deadline: time.Now().Add(within)}
}

func TestAMemberIsFencedWhenItsPowerIsOffTwice(t *testing.T) {
	r := newRack(t, "")
	f := r.fence()
	if res := f.Observe(t.Context(), request(10*time.Second)); res.Outcome != driver.Retryable || !strings.Contains(res.Detail, "power of db-1: on") {
		t.Errorf("before: %+v", res)
	}
	res := f.Apply(t.Context(), request(10*time.Second))
	if res.Outcome != driver.Done || !strings.Contains(res.Detail, "power of db-1 is off: fence_test said so twice, 20ms apart (told off: exit 0)") {
		t.Errorf("got %+v", res)
	}
	if res := f.Observe(t.Context(), request(10*time.Second)); res.Outcome != driver.Done {
		t.Errorf("after: %+v", res)
	}
	heard := r.read("heard")
	if strings.Count(heard, "action=off\n") != 1 || !strings.Contains(heard, "plug=7\n") {
		t.Errorf("the agent heard\n%s", heard)
	}
	if res := f.Apply(t.Context(), request(10*time.Second)); res.Outcome != driver.Done || !strings.Contains(res.Detail, "it was off already") {
		t.Errorf("again: %+v", res)
	}
	if strings.Count(r.read("heard"), "action=off\n") != 1 {
		t.Error("what is off was switched off once more")
	}
}

func TestWhatIsNoProof(t *testing.T) {
	for _, tt := range []struct{ claim, behaviour, why string }{
		{"success while the power is on", `off) echo "Success: Powered OFF" ;;`, "on"},
		{"an agent that hangs", `off) sleep 60 ;;`, "on"},
		{"a status that hangs", `status) sleep 60 ;;`, "status: killed at its deadline"},
		{"garbage", `status) head -c 200 /dev/zero; echo wat; exit 2 ;;`, `status: exit 2, and no line "Status: ON" or "Status: OFF"`},
		{"the exit code of a script that is not there", `status) echo "can't open file" >&2; exit 2 ;;`, "exit 2: can't open file, and no line"},
		{"words and exit code that differ", `status) echo "Status: OFF"; exit 0 ;;`, "says OFF, and ends with exit 0"},
		{"two answers in one", `status) echo "Status: ON"; echo "Status: OFF"; exit 2 ;;`, "says ON and OFF"},
		{"an unknown word", `status) echo "Status: FLAPPING"; exit 2 ;;`, "says FLAPPING, and ends with exit 2"},
		{"off once, then on", `status) if [ -e "$here/once" ]; then rm "$here/once"; on; else touch "$here/once"; off; fi ;;`, "o"},
		{"a status that cannot be had", `status) echo "Connection timed out" >&2; exit 1 ;;`, "exit 1: Connection timed out"},
		{"an agent that is killed", `status) kill -9 $$ ;;`, "ended by somebody else"},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			t.Parallel()
			r := newRack(t, tt.behaviour)
			f := r.fence()
			f.cfg.Each = 600 * time.Millisecond
			began := time.Now()
			res := f.Apply(t.Context(), request(1200*time.Millisecond))
			if res.Outcome != driver.Unknown || !strings.Contains(res.Detail, "no proof: ") {
				t.Errorf("got %v: %s, want no proof", res.Outcome, res.Detail)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if p, why := f.twice(t.Context(), f.devices[0], time.Now().Add(20*time.Second)); p == off || !strings.Contains(why, tt.why) {
				t.Errorf("asked: %v, %s; want %s", p, why, tt.why)
			}
			if res := f.Observe(t.Context(), request(time.Second)); res.Outcome == driver.Done {
				t.Errorf("observe takes it for a proof: %s", res.Detail)
			}
		})
	}
}

func TestAnAgentThatNeedsToBeToldTwiceIsTold(t *testing.T) {
	r := newRack(t, `off) if [ -e "$here/before" ]; then switch_off; else touch "$here/before"; echo "Success: Powered OFF"; fi ;;`)
	if res := r.fence().Apply(t.Context(), request(20*time.Second)); res.Outcome != driver.Done {
		t.Errorf("got %+v", res)
	}
}

func TestAFailedCommandIsNoMatterIfThePowerIsOff(t *testing.T) {
	r := newRack(t, `off) echo off >"$power"; echo "Failed: Timed out waiting to power OFF" >&2; exit 1 ;;`)
	res := r.fence().Apply(t.Context(), request(20*time.Second))
	if res.Outcome != driver.Done || !strings.Contains(res.Detail, "told off: exit 1: Failed: Timed out") {
		t.Errorf("got %+v", res)
	}
}

func TestEveryDeviceOfALevelHasToBeOff(t *testing.T) {
	left, right := newRack(t, ""), newRack(t, `off) echo "Success: Powered OFF" ;;`)
	// Both supplies live in one folder of programs.
	left.put("fence_other", right.read("fence_test"), 0o755)
	f := left.fence(Device{Agent: "fence_test"}, Device{Agent: "fence_other"})
	res := f.Apply(t.Context(), request(5*time.Second))
	if res.Outcome != driver.Unknown || !strings.Contains(res.Detail, "fence_other: no proof: on") {
		t.Errorf("got %+v", res)
	}
}

func TestSecretsAreReadFromFilesAndShownToNobody(t *testing.T) {
	r := newRack(t, `status) echo "login with hunter2 refused" >&2; exit 1 ;;`)
	secret := r.put("secret", "hunter2\n", 0o600)
	d := Device{Agent: "fence_test", Options: map[string]string{"username": "fence"}, Files: map[string]string{"password": secret}}
	res := r.fence(d).Observe(t.Context(), request(20*time.Second))
	if strings.Contains(res.Detail, "hunter2") || !strings.Contains(res.Detail, "login with *** refused") {
		t.Errorf("got %s", res.Detail)
	}
	if heard := r.read("heard"); !strings.Contains(heard, "password=hunter2\n") {
		t.Errorf("the agent heard\n%s", heard)
	}
	for claim, path := range map[string]string{
		"want at most 0640":             r.put("open", "x", 0o644),
		"want one line":                 r.put("lines", "a\nb\n", 0o600),
		"want a secret of at most 4096": r.put("long", strings.Repeat("x", 5000), 0o600),
		"no such file":                  filepath.Join(r.dir, "none"),
	} {
		d.Files = map[string]string{"password": path}
		if _, err := r.fence(d).Plan(request(time.Second)); err == nil || !strings.Contains(err.Error(), claim) || !strings.Contains(err.Error(), "password_file") {
			t.Errorf("got %v, want %q", err, claim)
		}
	}
}

func TestADryRunSwitchesNothing(t *testing.T) {
	r := newRack(t, "")
	req := request(10 * time.Second)
	req.DryRun = true
	res := r.fence().Apply(t.Context(), req)
	if res.Outcome != driver.Done || !strings.Contains(res.Detail, "would switch power of db-1 off with fence_test") {
		t.Errorf("got %+v", res)
	}
	if r.read("power") != "on\n" {
		t.Error("it was switched off")
	}
}

func TestWhatCannotFenceSaysSoBeforeItIsNeeded(t *testing.T) {
	if err := (Device{Agent: "fence_test"}).Check(t.Context(), newRack(t, "").folder()); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct{ claim, behaviour, why string }{
		{"no off", `metadata) echo '<resource-agent><actions><action name="status"/></actions></resource-agent>' ;;`, `names no action "off"`},
		{"no metadata", `metadata) echo '{}' ;;`, "metadata: EOF"},
		{"a device out of reach", `monitor) echo "no route" >&2; exit 1 ;;`, "monitor: exit 1: no route"},
		{"no status", `status) exit 1 ;;`, "status: exit 1"},
	} {
		if err := (Device{Agent: "fence_test"}).Check(t.Context(), newRack(t, tt.behaviour).folder()); err == nil || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: got %v, want %q", tt.claim, err, tt.why)
		}
	}
	r := newRack(t, "")
	if err := (Device{Agent: "fence_none"}).Check(t.Context(), r.folder()); err == nil || !strings.Contains(err.Error(), "fence_none") {
		t.Errorf("got %v", err)
	}
	if res := New("network", r.folder(), nil, brisk).Apply(t.Context(), request(time.Second)); res.Outcome != driver.Permanent || !strings.Contains(res.Detail, "no network device") {
		t.Errorf("got %+v", res)
	}
	if res := r.fence().Compensate(t.Context(), request(time.Second)); res.Outcome != driver.Refused {
		t.Errorf("got %+v", res)
	}
}
