package daemon

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moonwatch/internal/client"
	"moonwatch/internal/signature"
	"moonwatch/member"
	"moonwatch/status"
	"moonwatch/status/notify"
)

var notifySecret = []byte("a secret of the people on call")

// onCall is what somebody runs who wants to be told.
type onCall struct {
	mu     sync.Mutex
	secret []byte
	got    []status.Message
	bad    []string
	keys   map[string]int
}

func (o *onCall) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		err = signature.Verify(r.Header, body, time.Now(), o.secret)
	}
	var m status.Message
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		o.bad = append(o.bad, err.Error())
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	o.got = append(o.got, m)
	o.keys[r.Header.Get(notify.HeaderKey)]++
	w.WriteHeader(http.StatusNoContent)
}

// ofM4 finds what was said of m4's fall.
func (o *onCall) ofM4(says status.HeraldSays) (found []status.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.got {
		if strings.HasPrefix(m.Notice.ID, "verdict/") && m.Says == says && len(m.Notice.Members) == 1 && m.Notice.Members[0] == "m4" {
			found = append(found, m)
		}
	}
	return found
}

// TestWhoIsOnCallIsToldOnceThoughTheReceiverWasDown and the agent that tells was
// started anew meanwhile. A secret that is rotated counts from then on.
func TestWhoIsOnCallIsToldOnceThoughTheReceiverWasDown(t *testing.T) {
	f := newFleet(t, []member.ID{"m1", "m2", "m3", "m4"})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	where := l.Addr().String()
	l.Close()
	key := filepath.Join(f.dir, "notify.key")
	if err := os.WriteFile(key, notifySecret, 0o600); err != nil {
		t.Fatal(err)
	}
	fl := testFleet(f, 1)
	fl.Notify = member.NotifyPolicy{On: []member.ID{"m3"}, Receivers: []member.Receiver{
		{Name: "ops", Kind: "webhook", Webhook: &member.WebhookReceiver{URL: "http://" + where + "/told", SecretFile: key}},
	}}
	f.apply(fl)
	f.until("m3", "the slot served", 60*time.Second, func(p status.Page) bool {
		return len(p.Slots) == 1 && p.Slots[0].State == status.SlotServing
	})
	failing := func(p status.Page) bool {
		return len(p.Telling.Receivers) == 1 && p.Telling.Receivers[0].Waiting > 0 && !p.Telling.Receivers[0].Failing.IsZero()
	}
	f.stop("m4")
	f.until("m3", "a receiver that fails", 90*time.Second, failing)
	f.stop("m3")
	f.start("m3")
	f.until("m3", "a receiver that still fails", 90*time.Second, failing)

	if l, err = net.Listen("tcp", where); err != nil {
		t.Fatal(err)
	}
	o := &onCall{secret: notifySecret, keys: map[string]int{}}
	server := &http.Server{Handler: o}
	go server.Serve(l) //nolint:errcheck // ends with Close
	t.Cleanup(func() { server.Close() })

	f.until("m3", "m4's fall told", 120*time.Second, func(status.Page) bool { return len(o.ofM4(status.SaysBegun)) > 0 })
	rotated := []byte("the next secret of the people on call")
	o.mu.Lock()
	o.secret = rotated
	err = os.WriteFile(key, rotated, 0o600)
	o.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	f.start("m4")
	f.until("m3", "m4's return told", 120*time.Second, func(status.Page) bool { return len(o.ofM4(status.SaysEnded)) > 0 })
	begun, ended := o.ofM4(status.SaysBegun), o.ofM4(status.SaysEnded)
	if len(begun) != 1 || len(ended) != 1 || begun[0].Notice.ID != ended[0].Notice.ID {
		t.Errorf("told %d times that m4 fell and %d times that it is back, want once each and of one matter: %+v %+v", len(begun), len(ended), begun, ended)
	}
	if m := begun[0]; m.Teller != "m3" || m.Cluster != cluster || !strings.HasPrefix(m.Notice.Command, "moonwatch explain V-") {
		t.Errorf("it says %+v", m)
	}
	o.mu.Lock()
	for key, n := range o.keys {
		if n != 1 {
			t.Errorf("%s came %d times", key, n)
		}
	}
	for _, b := range o.bad {
		t.Error("a message that is not ours: ", b)
	}
	o.mu.Unlock()
	tryReceivers(t, f, o)
	handOver(t, f)
}

// handOver has the disk of who is on duty full, so that its ledger is blocked: everybody
// hears of it, and somebody else tells.
func handOver(t *testing.T, f *fleet) {
	t.Helper()
	fl := testFleet(f, 1)
	fl.Notify = f.agents["m1"].receivers()
	fl.Notify.On = []member.ID{"m3", "m1"}
	f.apply(fl)
	f.until("m1", "m3 on duty of two", 60*time.Second, func(p status.Page) bool {
		return slices.Equal(f.agents["m1"].receivers().On, fl.Notify.On) && p.Telling.OnDuty == "m3"
	})
	now := time.Now()
	f.agents["m3"].diskFull.Store(&now)
	for _, n := range []member.ID{"m1", "m3"} {
		f.until(n, "m1 on duty for m3", 60*time.Second, func(p status.Page) bool { return p.Telling.OnDuty == "m1" })
	}
	f.agents["m3"].diskFull.Store(nil)
	f.until("m1", "m3 on duty again", 60*time.Second, func(p status.Page) bool { return p.Telling.OnDuty == "m3" })
}

// tryReceivers sends a test from a member that is not on duty, and hears of one that
// cannot be reached.
func tryReceivers(t *testing.T, f *fleet, o *onCall) {
	t.Helper()
	agent, err := client.New("unix:" + f.agents["m1"].Addresses().Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	list, _, err := agent.Notify(t.Context())
	if err != nil || list.OnDuty != "m3" || list.Self != "m1" || len(list.Receivers) != 1 || !strings.HasSuffix(list.Receivers[0].To, "/told") {
		t.Errorf("%v: m1 says %+v", err, list)
	}
	got, _, err := agent.NotifyTest(t.Context(), []string{"ops"})
	if err != nil || len(got.Results) != 1 || got.Results[0].Result != status.TriedTold || got.Teller != "m1" {
		t.Errorf("%v: a try says %+v", err, got)
	}
	o.mu.Lock()
	if last := o.got[len(o.got)-1]; last.Says != status.SaysTest || last.ID != got.Message || !strings.Contains(last.Title(), "test: ") {
		t.Errorf("the receiver has %+v", last)
	}
	o.secret = notifySecret // not what is in the file
	o.mu.Unlock()
	if got, _, err = agent.NotifyTest(t.Context(), nil); err != nil || got.Results[0].Result != status.TriedFailed || !strings.Contains(got.Results[0].Err, "401") {
		t.Errorf("%v: of a receiver that refuses us a try says %+v", err, got)
	}
	if _, _, err = agent.NotifyTest(t.Context(), []string{"pigeon"}); err == nil || !strings.Contains(err.Error(), `no receiver "pigeon", want ops`) {
		t.Errorf("%v, want who there is", err)
	}
}
