package daemon

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"moonwatch/internal/config"
	"moonwatch/internal/wire"
	"moonwatch/member"
	"moonwatch/shield"
	"moonwatch/shield/gateway"
	"moonwatch/status"
)

// counted is a gateway with its shield, whose ticks the test makes: requests are
// counted as the gateway counts them, and time is what the test says.
type counted struct {
	t    *testing.T
	d    *Daemon
	loop *shieldLoop
	now  time.Time
}

func newDoor(t *testing.T, p member.ShieldPolicy) *counted {
	t.Helper()
	reg := prometheus.NewRegistry()
	d := &Daemon{cfg: Config{Agent: &config.Agent{Name: "door"}}, self: "door", life: 1, log: zap.NewNop(), reg: reg}
	d.m = newMetrics(reg, d)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.signer, err = wire.NewSigner("test", "door", key); err != nil {
		t.Fatal(err)
	}
	d.shielding.open(reg, 7)
	if err := d.shielding.count(); err != nil {
		t.Fatal(err)
	}
	d.gateway, err = gateway.Open(gateway.Config{Listen: "127.0.0.1:0", Counter: d.shielding.counter})
	if err != nil {
		t.Fatal(err)
	}
	d.door = d.gateway
	t.Cleanup(func() {
		if err := d.gateway.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	x := &counted{t: t, d: d, loop: &shieldLoop{d: d, every: shieldTick, names: map[shield.Key]string{}}, now: time.Now()}
	x.policy(p)
	for i := range tenants {
		d.shielding.counter.Learn(tenant(i))
	}
	return x
}

const tenants = 20

func tenant(i int) []byte { return fmt.Appendf(nil, "tenant-%02d.example.com", i) }

func (x *counted) policy(p member.ShieldPolicy) {
	x.d.shielding.fleet.Store(&member.Fleet{Version: 1, Shield: p})
}

// run lets time pass: each tenant asks ten times a second, and the first one as
// many times more as extra says.
func (x *counted) run(long time.Duration, extra int) {
	x.t.Helper()
	flood := 0.0
	for tick := 0; time.Duration(tick)*shieldTick < long; tick++ {
		for i := range tenants {
			if (tick+i)%int(100*time.Millisecond/shieldTick) == 0 {
				x.d.shielding.counter.Add(tenant(i))
			}
		}
		for flood += float64(extra) * shieldTick.Seconds(); flood >= 1; flood-- {
			ref := x.d.shielding.counter.Add(tenant(0))
			if m := x.d.gateway.Measures().Find(x.d.shielding.counter.KeyOf(tenant(0))); m != nil && rand.IntN(shield.Whole) >= m.Admit {
				ref.Refuse()
			}
		}
		x.now = x.now.Add(shieldTick)
		if err := x.loop.tick(x.now); err != nil {
			x.t.Fatal(err)
		}
		for _, m := range x.d.gateway.Measures().List() {
			if m.Host != string(tenant(0)) {
				x.t.Fatalf("%s is held: %s", m.Host, m.Why)
			}
		}
	}
}

func (x *counted) document(query string) status.ShieldDocument {
	x.t.Helper()
	w := httptest.NewRecorder()
	x.d.serveShield(w, httptest.NewRequest(http.MethodGet, "/api/v1/shield"+query, nil))
	var doc status.ShieldDocument
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != 200 {
		x.t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return doc
}

func TestAFloodedSubdomainIsHeldAndReleased(t *testing.T) {
	x := newDoor(t, member.ShieldPolicy{Mode: member.ShieldEnforce, Capacity: 320})
	x.run(5*time.Second, 0)
	if n := len(x.d.gateway.Measures().List()); n != 0 {
		t.Fatalf("%d are held before the flood", n)
	}
	x.run(800*time.Millisecond, 300)
	held := x.d.gateway.Measures().List()
	if len(held) != 1 || held[0].Shadow || held[0].Admit >= shield.Whole/2 || held[0].Rung != shield.ShapeLocal {
		t.Fatalf("held %+v, want less than half of %s, by this door alone", held, tenant(0))
	}
	x.run(5*time.Second, 300)
	doc := x.document("?host=TENANT-00.example.com.:443")
	if doc.Pressure < 1 || len(doc.Held) != 1 || len(doc.Top) == 0 || doc.Top[0].Host != string(tenant(0)) || doc.Mode != "enforce" || doc.Learned {
		t.Errorf("the document says %+v", doc)
	}
	if h := doc.Host; h == nil || h.Host != string(tenant(0)) || h.Counted != h.Host || h.Held == nil || h.Held.Rung != "shape-local" {
		t.Errorf("the host is explained as %+v", h)
	}
	if h := x.document("?host=never-heard-of.example.com").Host; h.Counted != "*.example.com" || h.Held != nil {
		t.Errorf("an unknown host is explained as %+v", h)
	}
	m := x.d.shielding.metrics
	if n := testutil.ToFloat64(m.rungs.WithLabelValues("shape-local")); n != 1 {
		t.Errorf("%v subdomains are on its rung, want one", n)
	}
	if asked, let := m.single.asked.WithLabelValues(string(tenant(0)), "false"), m.single.admitted.WithLabelValues(string(tenant(0)), "false"); testutil.ToFloat64(asked) < 2*testutil.ToFloat64(let) || testutil.ToFloat64(let) <= 0 {
		t.Errorf("of it %v are asked for and %v let in", testutil.ToFloat64(asked), testutil.ToFloat64(let))
	}
	if refused := testutil.ToFloat64(m.single.refused.WithLabelValues(string(tenant(0)), "shape-local")); refused < 100 {
		t.Errorf("%v requests for it were refused", refused)
	}
	if n, took := x.decided(); n != 1 || took < shieldTick.Seconds() || took > 1 {
		t.Errorf("%d decisions took %v s", n, took)
	}
	x.run(15*time.Second, 0)
	if n := len(x.d.gateway.Measures().List()); n != 0 {
		t.Errorf("%d are held 15 s after the flood", n)
	}
	if n := testutil.ToFloat64(m.rungs.WithLabelValues("shape-local")); n != 0 {
		t.Errorf("%v are still on a rung", n)
	}
	if n := testutil.CollectAndCount(m.single.asked); n != 0 {
		t.Errorf("%d series of demand are left of those that were held", n)
	}
	if n := testutil.CollectAndCount(m.single.refused); n != 1 {
		t.Errorf("%d series of refusals after the flood, want the one that was not scraped yet", n)
	}
	x.run(heldKept, 0)
	if n := testutil.CollectAndCount(m.single.refused); n != 0 {
		t.Errorf("%d series of refusals stand for ever", n)
	}
	if n := len(x.document("").Notes); n < 2 {
		t.Errorf("%d notes, want at least that it came and left", n)
	}
	if bad, err := testutil.GatherAndLint(x.d.reg); err != nil || len(bad) > 0 {
		t.Error(bad, err)
	}
}

// decided is how many decisions were measured, and how long they took together.
func (x *counted) decided() (n uint64, took float64) {
	x.t.Helper()
	all, err := x.d.reg.Gather()
	if err != nil {
		x.t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == "moonwatch_shield_decision_seconds" {
			h := f.GetMetric()[0].GetHistogram()
			n, took = h.GetSampleCount(), h.GetSampleSum()
		}
	}
	return n, took
}

// A door knows what is usual, and a flood of more than is borne is held before its window
// is full of it.
func TestASurgeIsHeldWithin150Milliseconds(t *testing.T) {
	x := newDoor(t, member.ShieldPolicy{Mode: member.ShieldEnforce, Capacity: 320})
	x.run(10*time.Second, 0)
	x.run(150*time.Millisecond, 300)
	held := x.d.gateway.Measures().List()
	if len(held) != 1 || held[0].Admit < shield.Whole/5 || held[0].Admit > shield.Whole/2 {
		t.Errorf("held %+v, want %s, let in with what the others leave of 272 a second", held, tenant(0))
	}
}

// TestAPolicyThatChangesSilencesNoDoor: the others may have an old report of this door when
// its new shield, which counts from none on, makes its first ones.
func TestAPolicyThatChangesSilencesNoDoor(t *testing.T) {
	x := newDoor(t, enforcing("door", "other"))
	x.doors("door", "other")
	other := shield.NewMerge(shield.DefaultMergeRules())
	other.Expect([]member.ID{"door"})
	hears := func(when string, asked uint64) {
		t.Helper()
		for _, e := range x.loop.shield.Step(x.now, shield.Counted{Tick: shieldTick, Asked: asked}) {
			if say, ok := e.(shield.Say); ok {
				if err := other.Accept(x.now, say.Report); err != nil {
					t.Errorf("%s: %v", when, err)
				}
				return
			}
		}
		t.Errorf("%s: no report", when)
	}
	x.run(10*time.Second, 0)
	x.now = x.now.Add(time.Second)
	hears("before", 10_000)
	for _, capacity := range []int{400, 500} {
		p := enforcing("door", "other")
		p.Capacity = capacity
		x.policy(p)
		x.run(2*shieldTick, 0)
		x.now = x.now.Add(time.Second)
		hears(fmt.Sprintf("after its capacity became %d", capacity), 1000)
	}
}

// TestAStartWithAClockThatIsBehindSilencesNoDoor: the policy changed a few times, and each
// shield was a life. The agent is started anew, and its clock is an hour behind by now.
func TestAStartWithAClockThatIsBehindSilencesNoDoor(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "incarnation"), fmt.Append(nil, time.Now().Add(time.Hour).UnixMilli()), 0o600); err != nil {
		t.Fatal(err)
	}
	other := shield.NewMerge(shield.DefaultMergeRules())
	other.Expect([]member.ID{"door"})
	for start, changes := range []int{10, 1} {
		x := newDoor(t, enforcing("door", "other"))
		x.doors("door", "other")
		var err error
		if x.d.life, err = nextLife(dir); err != nil {
			t.Fatal(err)
		}
		for change := range changes {
			p := enforcing("door", "other")
			p.Capacity = 300 + change
			x.policy(p)
			x.run(time.Second, 0)
		}
		for _, e := range x.loop.shield.Step(x.now.Add(time.Second), shield.Counted{Tick: shieldTick, Asked: 1000}) {
			if say, ok := e.(shield.Say); ok {
				if err := other.Accept(x.now, say.Report); err != nil {
					t.Errorf("start %d: %v", start, err)
				}
			}
		}
	}
}

func TestANewShieldOnlySaysWhatItWouldDo(t *testing.T) {
	x := newDoor(t, member.ShieldPolicy{Capacity: 320})
	x.run(2*time.Second, 0)
	x.run(2*time.Second, 300)
	if held := x.d.gateway.Measures().List(); len(held) != 1 || !held[0].Shadow {
		t.Errorf("held %+v, want one in shadow", held)
	}
}

func TestWithoutACapacityNobodyIsHeld(t *testing.T) {
	x := newDoor(t, member.ShieldPolicy{Mode: member.ShieldEnforce})
	x.run(2*time.Second, 0)
	x.run(2*time.Second, 5000)
	if held := x.d.gateway.Measures().List(); len(held) != 0 {
		t.Errorf("held %+v, want nobody: all were served well", held)
	}
}

// A new policy begins anew: nobody is held by the old one, and what was counted
// before is no demand of now.
func TestAPolicyChangesWhileTheDoorRuns(t *testing.T) {
	x := newDoor(t, member.ShieldPolicy{Mode: member.ShieldEnforce, Capacity: 320})
	x.run(2*time.Second, 0)
	x.run(2*time.Second, 300)
	x.policy(member.ShieldPolicy{Mode: member.ShieldOff})
	x.run(time.Second, 300)
	if held := x.d.gateway.Measures().List(); len(held) != 0 || x.loop.shield != nil {
		t.Fatalf("held %+v, and the shield is off", held)
	}
	x.policy(member.ShieldPolicy{Mode: member.ShieldEnforce, Capacity: 1000})
	x.run(2*time.Second, 300)
	if held := x.d.gateway.Measures().List(); len(held) != 0 {
		t.Errorf("held %+v, want nobody: there is enough for all", held)
	}
	before := x.loop.shield
	x.d.shielding.fleet.Store(&member.Fleet{Version: 1, Profile: "fast", Shield: member.ShieldPolicy{Mode: member.ShieldEnforce, Capacity: 1000}})
	x.run(time.Second, 0)
	if x.loop.shield != before {
		t.Error("the shield began anew for a fleet with the same policy")
	}
}

// Two who ask for much too much share what the others leave, by their weights.
func TestWhoWeighsMoreIsGivenMore(t *testing.T) {
	x := newDoor(t, member.ShieldPolicy{Mode: member.ShieldEnforce, Capacity: 320, Weights: map[string]float64{string(tenant(0)): 3}})
	x.run(5*time.Second, 0)
	for tick := range 40 {
		for i := range tenants {
			if (tick+i)%2 == 0 {
				x.d.shielding.counter.Add(tenant(i))
			}
			for range 10 * max(0, 2-i) { // the first two ask for 200 a second more each
				x.d.shielding.counter.Add(tenant(i))
			}
		}
		x.now = x.now.Add(shieldTick)
		if err := x.loop.tick(x.now); err != nil {
			t.Fatal(err)
		}
	}
	limits := map[string]float64{}
	for _, m := range x.d.gateway.Measures().List() {
		limits[m.Host] = m.Limit
	}
	heavy, light := limits[string(tenant(0))], limits[string(tenant(1))]
	if heavy <= light || light <= 0 {
		t.Errorf("of weight 3 it is given %.1f, of weight 1 %.1f: %v", heavy, light, limits)
	}
	if w := x.document("?host=" + string(tenant(0))).Host.Weight; w != 3 {
		t.Errorf("it is explained with weight %v", w)
	}
	if w := x.document("?host=" + string(tenant(1))).Host.Weight; w != 1 {
		t.Errorf("one that fleet.yaml does not name is explained with weight %v", w)
	}
}

// With the occupants' time as the unit, eighty requests a second of half a second each are
// more than a capacity of sixteen at once, and are shown in that unit.
func TestTheUnitMayBeTime(t *testing.T) {
	x := newDoor(t, member.ShieldPolicy{Mode: member.ShieldEnforce, Unit: member.ShieldTime, Concurrency: 16})
	ask := func(i int, times int) {
		for range times {
			ref := x.d.shielding.counter.Add(tenant(i))
			cost := uint32(100) // 10 ms
			if i == 0 {
				cost = 5000
			}
			ref.Cost(cost, tenant(i))
		}
	}
	run := func(ticks, dear int) {
		for tick := range ticks {
			for i := 1; i < tenants; i++ {
				if (tick+i)%4 == 0 { // ten times a second
					ask(i, 1)
				}
			}
			if tick%20 == 0 {
				ask(0, 1)
			}
			ask(0, dear)
			x.now = x.now.Add(shieldTick)
			if err := x.loop.tick(x.now); err != nil {
				t.Fatal(err)
			}
		}
	}
	run(400, 0)
	if held := x.d.gateway.Measures().List(); len(held) != 0 {
		t.Fatalf("held in calm: %+v", held)
	}
	run(200, 2)
	doc := x.document("?host=" + string(tenant(0)))
	if doc.Unit != member.ShieldTime || doc.Capacity != 16 || doc.Pressure < 2 || doc.Pressure > 4 {
		t.Errorf("unit %q, capacity %v, pressure %v", doc.Unit, doc.Capacity, doc.Pressure)
	}
	if h := doc.Host.Held; h == nil || h.Demand < 30 || h.Demand > 55 || h.Limit < 8 || h.Limit > 14 || h.Admit >= shield.Whole {
		t.Errorf("held as %+v", h)
	}
	for _, h := range doc.Held {
		if h.Host != string(tenant(0)) && h.Admit < shield.Whole {
			t.Errorf("%s is held: %+v", h.Host, h)
		}
	}
}

// A door that is told to share out time, and that nobody tells what requests cost, says so.
func TestNobodyIsHeldByCostsThatNobodyKnows(t *testing.T) {
	x := newDoor(t, member.ShieldPolicy{Mode: member.ShieldEnforce, Unit: member.ShieldTime, Concurrency: 1})
	x.run(5*time.Second, 300)
	if doc := x.document(""); len(doc.Held) != 0 || !strings.Contains(doc.Problem, "no door tells what requests cost") {
		t.Errorf("held %+v, problem %q", doc.Held, doc.Problem)
	}
}
