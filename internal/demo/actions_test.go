package demo

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"moonwatch/internal/config"
	"moonwatch/internal/program"
	"moonwatch/member"
)

// act runs one installed action as an agent would.
func act(t *testing.T, k *kit, name string, epoch member.SlotEpoch, dry bool) program.End {
	t.Helper()
	folder := program.Folder{Path: filepath.Join(k.folder.memberDir("vm-1"), "actions"), Owners: program.RootOrSelf()}
	path, err := folder.Find(name)
	must(t, err)
	return program.Run(context.Background(), path, program.Call{
		Case: "C-1", Step: "x", Attempt: 1, Member: "vm-1", Pool: "web", Slot: "web-0", SlotEpoch: epoch,
		Deadline: time.Now().Add(20 * time.Second), DryRun: dry,
	}, nil)
}

func wantExit(t *testing.T, what string, end program.End, code int) {
	t.Helper()
	if end.Ending != program.Exited || end.Code != code {
		t.Fatalf("%s: %s, want exit %d\n%s%s", what, end.Summary(), code, end.Output, end.Complaint)
	}
}

func TestActionsMoveARealService(t *testing.T) {
	k := furnished(t)
	c := newChild(k.folder, k.layout.places[0], nil)

	wantExit(t, "rehearsal", act(t, k, "web-start", 5, true), program.ExitDone)
	if _, err := c.service(); err == nil {
		t.Fatal("a rehearsal started the service")
	}
	wantExit(t, "start", act(t, k, "web-start", 5, false), program.ExitDone)
	first, err := c.service()
	must(t, err)
	res, err := http.Get("http://" + c.Addr.String() + ":8080/healthz")
	must(t, err)
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if res.StatusCode != http.StatusOK {
		t.Errorf("health: %s", res.Status)
	}

	wantExit(t, "start again", act(t, k, "web-start", 5, false), program.ExitDone)
	if same, err := c.service(); err != nil || same != first {
		t.Errorf("the same start made process %v (%v), want %v", same, err, first)
	}
	wantExit(t, "older start", act(t, k, "web-start", 4, false), program.ExitRefused)
	wantExit(t, "older stop", act(t, k, "web-stop", 4, false), program.ExitRefused)

	wantExit(t, "restart", act(t, k, "web-restart", 5, false), program.ExitDone)
	second, err := c.service()
	must(t, err)
	if second == first || first.Fate() == program.Runs {
		t.Error("a restart left the former process")
	}
	wantExit(t, "newer start", act(t, k, "web-start", 9, false), program.ExitDone)
	if second.Fate() == program.Runs {
		t.Error("two slot epochs run at once")
	}
	wantExit(t, "stop", act(t, k, "web-stop", 9, false), program.ExitDone)
	if _, err := c.service(); err == nil {
		t.Error("runs after the stop")
	}
	wantExit(t, "stop again", act(t, k, "web-stop", 9, false), program.ExitDone)
}

func TestAFrozenServiceIsStopped(t *testing.T) {
	k := furnished(t)
	c := newChild(k.folder, k.layout.places[0], nil)
	wantExit(t, "start", act(t, k, "web-start", 5, false), program.ExitDone)
	frozen, err := c.service()
	must(t, err)
	must(t, c.signalService(syscall.SIGSTOP))
	wantExit(t, "stop", act(t, k, "web-stop", 5, false), program.ExitDone)
	if frozen.Fate() == program.Runs {
		t.Error("a stopped process survived the stop")
	}
}

func TestAStartThatFailsSaysWhy(t *testing.T) {
	k := furnished(t)
	busy := k.layout.places[0].Addr.String() + ":8080"
	server := &http.Server{Addr: busy}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.ListenAndServe() }()
	defer func() { server.Close(); <-done }()
	await(t, "the port in use", func() bool {
		res, err := http.Get("http://" + busy)
		if err == nil {
			res.Body.Close()
		}
		return err == nil
	})
	http.DefaultClient.CloseIdleConnections()
	end := act(t, k, "web-start", 5, false)
	wantExit(t, "start", end, 1)
	if !strings.Contains(string(end.Output), "address already in use") {
		t.Errorf("said %q, want the cause", end.Output)
	}
}

func TestTheFilesAreThoseOfProduction(t *testing.T) {
	k := furnished(t)
	for _, p := range k.layout.everybody() {
		a, err := config.LoadAgent(k.config(p.Name), nil, nil)
		must(t, err)
		if a.Name != p.Name || a.Bind.Addr() != p.Addr || a.Profile != "demo" || len(a.Join) < 6 {
			t.Errorf("%s: name %s, bind %s, profile %s, join %v", p.Name, a.Name, a.Bind, a.Profile, a.Join)
		}
		if isLauncher := p.Name == launcherName; isLauncher != (a.Gateway != "") || isLauncher != (len(a.ExpectCouncillors) == 0) {
			t.Errorf("%s: gateway %q, councillors %v", p.Name, a.Gateway, a.ExpectCouncillors)
		}
	}
	fleet, err := k.fleet("vm-4")
	must(t, err)
	if len(fleet.Members) != 7 || len(fleet.Pools) != 1 || len(fleet.Pools[0].Slots) != slots || !fleet.Pools[0].Armed || fleet.Profile != "demo" {
		t.Errorf("fleet: %+v", fleet)
	}
	_, err = k.signed(fleet, time.Now())
	must(t, err)
	for _, secret := range []string{"ca.key", "gossip.key", "operator.key"} {
		info, err := os.Stat(filepath.Join(k.folder.path, secret))
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o", secret, info.Mode().Perm())
		}
	}
}
