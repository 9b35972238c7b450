package daemon

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"moonwatch/agent/gossip"
	"moonwatch/internal/client"
	"moonwatch/member"
	"moonwatch/status"
)

// TestTheGossipKeyIsRotatedThroughASocket: all have the new key, on disk too, and one
// that is started anew finds the others by it. While one is missing it is refused.
func TestTheGossipKeyIsRotatedThroughASocket(t *testing.T) {
	f := newFleet(t, []member.ID{"a", "b", "c", "d"})
	f.until("a", "council", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 1))
	all := func(p status.Page) bool {
		n := 0
		for _, m := range p.Members {
			if m.InView {
				n++
			}
		}
		return n == 4
	}
	f.until("a", "all members", 60*time.Second, all)
	keys := func(n member.ID) [][]byte {
		t.Helper()
		list, err := gossip.LoadKeys(f.config(n).GossipKeyFile)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	former := keys("a")[0]
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ask := func(n member.ID) (status.KeyRotation, error) {
		t.Helper()
		agent, err := client.New("unix:" + f.agents[n].Addresses().Socket)
		if err != nil {
			t.Fatal(err)
		}
		defer agent.Close()
		got, _, err := agent.RotateGossipKey(ctx, false)
		return got, err
	}
	leader := func() member.ID { return f.agents["a"].page.Load().Council.Leader }
	// Only the leader's agent does it, and the others name it.
	for _, n := range f.names {
		f.until(n, "all members and a leader", 60*time.Second, func(p status.Page) bool { return all(p) && p.Council.Leader != "" })
		led := leader()
		if n == led {
			continue
		}
		if _, err := ask(n); led == leader() && (err == nil || !strings.Contains(err.Error(), "ask on "+string(led))) {
			t.Errorf("%s, led by %s: %v", n, led, err)
		}
	}
	got, err := ask(leader())
	for err != nil && ctx.Err() == nil { // on a busy machine not all may answer in time
		t.Log(err)
		time.Sleep(100 * time.Millisecond)
		got, err = ask(leader())
	}
	if err != nil || len(got.Members) != 4 || len(got.Without) != 0 {
		t.Fatalf("%v: %+v", err, got)
	}
	for _, n := range f.names {
		f.until(n, "the new key on disk", 60*time.Second, func(status.Page) bool {
			k := keys(n)
			return len(k) == 1 && !bytes.Equal(k[0], former) && bytes.Equal(k[0], keys("a")[0])
		})
	}
	f.stop("d")
	f.until("a", "d missing", 90*time.Second, func(p status.Page) bool { return !all(p) })
	if _, err := ask("a"); err == nil || !strings.Contains(err.Error(), "does not see d") {
		t.Errorf("%v, want that d would be left out", err)
	}
	f.start("d")
	f.until("a", "d again, by the new key", 90*time.Second, all)
}

// TestOnlyWhoOwnsTheKeysRotatesThem: a request of nobody is one of somebody else.
func TestOnlyWhoOwnsTheKeysRotatesThem(t *testing.T) {
	rec := httptest.NewRecorder()
	(&Daemon{}).serveRotation(rec, httptest.NewRequest(http.MethodPost, "/api/v1/gossip/key/rotate", strings.NewReader("{}")))
	if rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), "want root") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	ctx := context.WithValue(t.Context(), peerKey{}, peer{"mallory", 54321})
	if peerIsOwner(ctx) {
		t.Error("another user owns the keys")
	}
}
