//go:build real && linux

package daemon

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/internal/client"
	"moonwatch/internal/config"
	"moonwatch/member"
	"moonwatch/status"
)

// apart is a fleet whose agents are processes, each in its own place. They are asked
// over their sockets.
type apart struct {
	*fleet

	place func(n member.ID, argv []string) []string // runs a program where a member is
	procs map[string]*exec.Cmd
}

func newApart(f *fleet, place func(n member.ID, argv []string) []string) *apart {
	return &apart{fleet: f, place: place, procs: map[string]*exec.Cmd{}}
}

// spawn starts a program where a member is; it ends with the test.
func (x *apart) spawn(what string, n member.ID, argv ...string) {
	x.t.Helper()
	argv = x.place(n, argv)
	c := exec.Command(argv[0], argv[1:]...)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		x.t.Fatal(err)
	}
	key := what + " of " + string(n)
	x.procs[key] = c
	x.t.Cleanup(func() {
		if x.procs[key] == c {
			x.kill(what, n, syscall.SIGTERM)
		}
	})
}

// kill ends what was spawned, and waits for it.
func (x *apart) kill(what string, n member.ID, sig syscall.Signal) {
	x.t.Helper()
	key := what + " of " + string(n)
	c := x.procs[key]
	delete(x.procs, key)
	_ = c.Process.Signal(sig)
	late := time.AfterFunc(20*time.Second, func() { _ = c.Process.Kill() })
	defer late.Stop()
	_ = c.Wait()
}

// ours is this program as something else, by its path: self is who asks.
func ours(what string, args ...string) []string {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return append([]string{exe, "as", what}, args...)
}

// writeConfig writes a member's agent.yaml and says where it is.
func (x *apart) writeConfig(n member.ID) string {
	x.t.Helper()
	path := filepath.Join(x.dir, string(n), "agent.yaml")
	if err := os.WriteFile(path, config.RenderAgent(*x.config(n)), 0o600); err != nil {
		x.t.Fatal(err)
	}
	return path
}

// startAgent starts a member's agent, which keeps the marks of addresses beside its
// data: the others are on this machine too.
func (x *apart) startAgent(n member.ID) {
	x.t.Helper()
	x.spawn("agent", n, ours("agent", x.writeConfig(n), filepath.Join(x.dir, string(n), "marks"))...)
}

// client asks a member's agent.
func (x *apart) client(n member.ID) *client.Client {
	x.t.Helper()
	c, err := client.New(filepath.Join(x.dir, string(n), "sock"))
	if err != nil {
		x.t.Fatal(err)
	}
	return c
}

// await waits for a page of one agent that is as wanted.
func (x *apart) await(n member.ID, what string, ok func(status.Page) bool) status.Page {
	x.t.Helper()
	c := x.client(n)
	defer c.Close()
	var last status.Page
	var err error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		a, got := c.Get(ctx, client.PageDocument)
		cancel()
		if err = got; err == nil {
			if last = a.Page; ok(last) {
				return last
			}
		}
	}
	x.t.Fatalf("%s: not within 2 minutes at %s; %v; page: %+v", what, n, err, last)
	return last
}

// calm waits until nothing is left of a failure.
func (x *apart) calm(at member.ID) {
	x.t.Helper()
	x.await(at, "calm again", func(p status.Page) bool {
		open := slices.ContainsFunc(p.Cases, func(c status.Case) bool { return c.Open })
		condemned := slices.ContainsFunc(p.Members, func(m status.Member) bool { return m.Verdict != "" || m.Accused })
		return !open && !condemned && p.Mode.Name == failover.Normal && p.Pools[0].Free > 0
	})
}

// order hands in an operator's command at the first member, and wants it accepted.
func (x *apart) order(kind consensus.FactKind, payload any) {
	x.t.Helper()
	c, cmd := x.client(x.names[0]), x.signed(kind, payload)
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := c.Submit(ctx, cmd)
	if err == nil {
		var o client.Outcome
		if o, err = c.Wait(ctx, cmd.ID); err == nil && o.State != client.Accepted {
			x.t.Fatalf("%s: %s: %s", kind, o.State, o.Reason)
		}
	}
	if err != nil {
		x.t.Fatal(err)
	}
}
