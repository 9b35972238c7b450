package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"moonwatch/consensus"
	"moonwatch/internal/config"
	"moonwatch/internal/pki"
	"moonwatch/member"
	"moonwatch/status"
)

// council answers commands the way an agent does, with an outcome that was
// decided beforehand.
type council struct {
	outcome string
	taken   atomic.Pointer[consensus.Command]
	live    *member.Fleet
}

func (c *council) routes() map[string]http.HandlerFunc {
	answer := func(w http.ResponseWriter, code int, body string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
	routes := map[string]http.HandlerFunc{
		"POST /api/v1/commands": func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			command, err := consensus.DecodeCommand(b)
			if err != nil {
				answer(w, http.StatusBadRequest, `{"error":"`+err.Error()+`"}`)
				return
			}
			c.taken.Store(&command)
			answer(w, http.StatusAccepted, `{"id":"`+command.ID+`"}`)
		},
		"GET /api/v1/commands/{id...}": func(w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, c.outcome) },
	}
	if c.live != nil {
		routes["GET /api/v1/fleet"] = func(w http.ResponseWriter, _ *http.Request) {
			b, _ := json.Marshal(map[string]any{"fact": 2, "fleet": c.live})
			answer(w, http.StatusOK, string(b))
		}
	}
	return routes
}

// demoFleet is the fleet of the page fixture, with changes.
func demoFleet(change func(*member.Fleet)) member.Fleet {
	f := firstFleet("web-1")
	f.Members = nil
	for _, m := range []struct{ name, domain string }{
		{"web-1", "a"}, {"web-2", "a"}, {"web-3", "a"}, {"web-4", "b"}, {"web-5", "b"}, {"spare-1", "c"}, {"spare-2", "c"},
	} {
		f.Members = append(f.Members, member.Member{ID: member.ID(m.name), Domain: member.FailureDomain(m.domain), Pool: "web", Council: m.name != "web-3"})
	}
	f.Pools[0].Slots = []member.SlotID{"slot-0", "slot-1", "slot-2", "slot-3", "slot-4"}
	f.Pools[0].Spares = member.Spares{Warm: 2, Floor: 1}
	f.Pools[0].Armed = true
	if change != nil {
		change(&f)
	}
	return f
}

// parsed is a fleet as it comes out of its file.
func parsed(t *testing.T, f member.Fleet) *member.Fleet {
	t.Helper()
	p, _, err := config.ParseFleet("fleet.yaml", config.RenderFleet(f))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// readyToApply is a folder with a cluster's keys and a fleet.yaml, and an agent
// that shows the demo's page.
func readyToApply(t *testing.T, c *council, f member.Fleet) (agent string) {
	t.Helper()
	initialised(t)
	if err := os.WriteFile("fleet.yaml", config.RenderFleet(f), 0o600); err != nil {
		t.Fatal(err)
	}
	page := fixture(t, "page-open.json")
	page.Cluster = "shop"
	return agentWith(t, page, c.routes())
}

const accepted = `{"state":"accepted","fact":12}`

func TestApplySignsWhatTheOperatorSaw(t *testing.T) {
	c := &council{outcome: accepted}
	agent := readyToApply(t, c, demoFleet(func(f *member.Fleet) { f.Pools[0].Armed = false }))
	call(t, "apply", "fleet.yaml", "--yes", "--agent", agent).wants(t, exitOK, "~ pool web: armed true -> false", "Accepted as fact 12.")

	got := c.taken.Load()
	var fleet member.Fleet
	if err := json.Unmarshal(got.Payload, &fleet); err != nil {
		t.Fatal(err)
	}
	if got.Kind != consensus.KindFleet || fleet.Pools[0].Armed || len(fleet.Members) != 7 {
		t.Errorf("command %s with %d members", got.Kind, len(fleet.Members))
	}
	ca, err := pki.LoadPair(pki.Files{Cert: "web-1.crt", Key: "web-1.key", CA: "ca.crt"}, got.Time)
	if err != nil {
		t.Fatal(err)
	}
	w := got.Warrant
	if !ed25519.Verify(ca.Root(), consensus.GrantText("shop", w.Operator, w.Key), w.Grant) {
		t.Error("the grant is not the CA's")
	}
	if !ed25519.Verify(w.Key, consensus.SignedText("shop", *got), w.Signature) {
		t.Error("the signature does not fit the command as it arrived")
	}
}

func TestApplyExitCodes(t *testing.T) {
	noQuorum := fixture(t, "page-open.json")
	noQuorum.Council.Quorum = false
	for name, c := range map[string]struct {
		outcome string
		page    *status.Page
		args    []string
		code    int
		say     string
	}{
		"refused":             {`{"state":"refused","fact":13,"reason":"one\ntwo"}`, nil, []string{"--yes"}, exitRefused, "refused in fact 13:\n  one\n  two"},
		"undecided":           {`{"state":"pending"}`, nil, []string{"--yes", "--timeout", "50ms"}, exitNoQuorum, "did not decide"},
		"no quorum":           {accepted, &noQuorum, []string{"--yes"}, exitNoQuorum, "no council quorum"},
		"nobody to ask":       {accepted, nil, nil, exitUsage, "want --yes"},
		"only looked":         {accepted, nil, []string{"--dry-run"}, exitOK, "armed true -> false"},
		"no such key":         {accepted, nil, []string{"--yes", "--operator-key", "nokey"}, exitError, "operator key nokey"},
		"a key of a member's": {accepted, nil, []string{"--yes", "--operator-key", "web-1.key"}, exitError, "Moonwatch-Operator"},
	} {
		t.Run(name, func(t *testing.T) {
			council := &council{outcome: c.outcome}
			agent := readyToApply(t, council, demoFleet(func(f *member.Fleet) { f.Pools[0].Armed = false }))
			if c.page != nil {
				agent = agentWith(t, *c.page, council.routes())
			}
			call(t, append([]string{"apply", "fleet.yaml", "--agent", agent}, c.args...)...).wants(t, c.code, c.say)
			if sent := council.taken.Load() != nil; sent != (name == "refused" || name == "undecided") {
				t.Errorf("a command was handed in: %v", sent)
			}
		})
	}
}

func TestADryRunOfWhatWouldBeRefusedEndsAsARefusal(t *testing.T) {
	agent := readyToApply(t, &council{outcome: accepted}, demoFleet(func(f *member.Fleet) { f.Pools[0].Slots = f.Pools[0].Slots[:4] }))
	call(t, "apply", "fleet.yaml", "--dry-run", "--agent", agent).wants(t, exitRefused, "slot-4", "the council will refuse it")
}

func TestApplyAsksAtATerminal(t *testing.T) {
	for answer, code := range map[string]int{"y\n": exitOK, "YES\n": exitOK, "n\n": exitError, "\n": exitError, "": exitError} {
		c := &council{outcome: accepted}
		agent := readyToApply(t, c, demoFleet(func(f *member.Fleet) { f.Pools[0].Armed = false }))
		a := newApp(t)
		a.in, a.interactive = strings.NewReader(answer), func() bool { return true }
		r := a.call("apply", "fleet.yaml", "--agent", agent)
		r.wants(t, code, "Apply this? [y/N]")
		if sent := c.taken.Load() != nil; sent != (code == exitOK) {
			t.Errorf("answer %q: a command was handed in: %v", answer, sent)
		}
	}
}

func TestCtrlCWhileAskedAppliesNothing(t *testing.T) {
	c := &council{outcome: accepted}
	x := &application{reading: &reading{app: newApp(t)}}
	x.app.errw, x.app.interactive = io.Discard, func() bool { return true }
	read, write := io.Pipe()
	defer write.Close() // ends the read that is under way
	x.app.in = read
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := x.app.confirm(ctx, "Apply this?", false, "not applied"); err == nil || c.taken.Load() != nil {
		t.Errorf("confirm: %v", err)
	}
}

func TestApplyOfTheSameFleetDoesNothing(t *testing.T) {
	c := &council{outcome: accepted, live: parsed(t, demoFleet(nil))}
	agent := readyToApply(t, c, demoFleet(nil))
	call(t, "apply", "fleet.yaml", "--agent", agent).wants(t, exitOK, "Nothing to change")
	if c.taken.Load() != nil {
		t.Error("a command was handed in")
	}
}

func TestApplyChecksBeforeItAsksAnybody(t *testing.T) {
	initialised(t)
	if err := os.WriteFile("fleet.yaml", []byte("version: 1\nmembers: {web-1: {failure_domain: a}}\nbrakes: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	call(t, "apply", "fleet.yaml", "--agent", "unix:nowhere").wants(t, exitError, "fleet.yaml:3:1: unknown key brakes, did you mean brake?")
}

func TestPlanTellsWhatChangesAndWhoGetsWhichSlot(t *testing.T) {
	page := fixture(t, "page-open.json")
	for name, change := range map[string]func(*member.Fleet){
		"nothing": nil,
		"two slots and a member more": func(f *member.Fleet) {
			f.Pools[0].Slots = append(f.Pools[0].Slots, "slot-5", "slot-6")
			f.Members = append(f.Members, member.Member{ID: "web-6", Domain: "b", Pool: "web"})
		},
		"the last slot goes": func(f *member.Fleet) { f.Pools[0].Slots = f.Pools[0].Slots[:4] },
		"an occupant leaves": func(f *member.Fleet) { f.Members = f.Members[1:] },
		"another order": func(f *member.Fleet) {
			f.Members[0], f.Members[1] = f.Members[1], f.Members[0]
		},
		"check and brake": func(f *member.Fleet) {
			f.Pools[0].Checks.HTTP.Path = "/up"
			f.Brake.Guarded = member.Threshold{Min: 3, Share: 0.1}
			f.Brake.Cascade = member.Threshold{Min: 4, Share: 0.25}
		},
		"a pool more": func(f *member.Fleet) {
			f.Pools = append(f.Pools, member.Pool{Name: "queue", Fence: []string{"none"}, Slots: []member.SlotID{"queue-0", "queue-1"}})
			for _, id := range []member.ID{"queue-1", "queue-2", "queue-3"} {
				f.Members = append(f.Members, member.Member{ID: id, Domain: "c", Pool: "queue"})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			wanted := parsed(t, demoFleet(change))
			var b strings.Builder
			for _, known := range []bool{true, false} {
				p := makePlan(parsed(t, demoFleet(nil)), known, page, wanted)
				if known {
					b.WriteString("# the agent tells the fleet\n")
				} else {
					b.WriteString("# it tells the page only\n")
				}
				for _, l := range append(append(p.changes, p.slots...), p.trouble...) {
					b.WriteString(l + "\n")
				}
			}
			golden(t, "plan-"+strings.ReplaceAll(name, " ", "-")+".txt", b.String())
		})
	}
}
