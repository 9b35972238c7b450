package daemon

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"moonwatch/internal/config"
	"moonwatch/member"
	"moonwatch/status"
	"moonwatch/status/archive"
)

// past asks an agent for its days as a browser would.
func (f *fleet) past(n member.ID) (p status.Past) {
	f.t.Helper()
	w := httptest.NewRecorder()
	f.agents[n].web.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/history/day", nil))
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			f.t.Fatal(err)
		}
	}
	return p
}

// public reads what an agent tells people outside.
func (f *fleet) public(n member.ID) {
	f.t.Helper()
	var said struct {
		Status     struct{ Indicator string }
		Components []struct{ Name, Status string }
	}
	r, err := http.Get("http://" + f.agents[n].Addresses().Public.String() + "/api/v2/summary.json")
	if err != nil {
		f.t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&said); err != nil {
		f.t.Fatal(err)
	}
	if said.Status.Indicator != "none" || len(said.Components) != 1 || said.Components[0].Status != "operational" {
		f.t.Errorf("people outside are told %+v", said)
	}
}

// TestEveryAgentTellsTheSamePast also one that was stopped meanwhile, and one whose file
// was damaged: what the ledger has is counted once more.
func TestEveryAgentTellsTheSamePast(t *testing.T) {
	f := newFleet(t, []member.ID{"a", "b", "c"}, func(f *fleet) {
		f.tune = func(n member.ID, a *config.Agent) {
			a.Public = config.Public{Listen: netip.AddrPortFrom(f.addrs[n], 0).String(), Pools: []string{"web"}}
		}
	})
	f.until("c", "council", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 1))
	served := func(p status.Page) bool { return len(p.Slots) == 1 && p.Slots[0].State == status.SlotServing }
	f.until("a", "a served slot", 60*time.Second, served)
	f.until("b", "a served slot", 60*time.Second, served)
	agree := func(when string) status.Past {
		t.Helper()
		var a, b status.Past
		for range 600 {
			a, b = f.past("a"), f.past("b")
			if len(a.Slots) == 1 && len(b.Slots) == 1 && a.Begun.Equal(b.Begun) && a.Slots[0].From.Equal(b.Slots[0].From) {
				return a
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Fatalf("%s: a tells\n%+v\nb tells\n%+v", when, a, b)
		return a
	}
	before := agree("at first")
	f.public("b")
	f.stop("a")
	if _, err := os.Stat(filepath.Join(f.dir, "a", "data", archive.Name)); err != nil {
		t.Error(err)
	}
	f.start("a")
	f.until("a", "a served slot", 60*time.Second, served)
	if after := agree("after a restart"); !after.Begun.Equal(before.Begun) {
		t.Errorf("it begins at %v, and began at %v", after.Begun, before.Begun)
	}
	f.stop("a")
	if err := os.Truncate(filepath.Join(f.dir, "a", "data", archive.Name), 5000); err != nil {
		t.Fatal(err)
	}
	f.start("a")
	f.until("a", "a served slot", 60*time.Second, served)
	agree("with a damaged file")
}
