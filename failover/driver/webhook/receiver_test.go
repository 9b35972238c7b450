package webhook

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moonwatch/failover/driver"
	"moonwatch/failover/driver/conform"
	"moonwatch/member"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("moonwatch moonwatch moonwatch")

// receiver is a load balancer's, written as the package's comment asks.
type receiver struct {
	mu      sync.Mutex
	route   driver.Route
	known   bool
	answers map[string]int // by key
	effects map[string]int // by key
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, post *http.Request) {
	body, err := io.ReadAll(io.LimitReader(post.Body, 64<<10))
	if err != nil {
		return
	}
	var call Call
	if json.Unmarshal(body, &call) != nil || Verify(post.Header, body, time.Now(), secret) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	status, detail := r.do(call, post.Header.Get(HeaderKey))
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(Answer{ID: call.ID, Detail: detail})
}

func (r *receiver) do(call Call, key string) (int, string) {
	if status, known := r.answers[key]; known && key != "" {
		return status, "as I said: " + r.route.String()
	}
	req := driver.Request{
		Case: call.Case, Step: call.Step, Attempt: call.Attempt, Member: call.Member,
		Slot: call.Slot, SlotEpoch: call.SlotEpoch, Deadline: call.Deadline,
	}
	if call.Ask == AskCompensate {
		back, err := driver.TakeBack(req)
		if err != nil {
			return http.StatusConflict, err.Error()
		}
		req = back
	}
	want, answer := driver.Compare(req, r.route, r.known)
	switch {
	case answer.Outcome == driver.Refused:
		return http.StatusConflict, answer.Detail
	case answer.Outcome == driver.Permanent:
		return http.StatusUnprocessableEntity, answer.Detail
	case answer.Outcome == driver.Done:
		return http.StatusOK, "nothing: " + answer.Detail
	case call.Ask == AskObserve:
		return http.StatusNotFound, "has " + r.route.String()
	case call.DryRun:
		return http.StatusOK, fmt.Sprintf("would change %s to %s", r.route, want)
	}
	if r.answers == nil {
		r.answers, r.effects = map[string]int{}, map[string]int{}
	}
	r.route, r.known, r.answers[key] = want, true, http.StatusOK
	r.effects[key]++
	return http.StatusOK, "has " + want.String()
}

func (r *receiver) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, n := range r.effects {
		if n != 1 {
			return fmt.Sprintf("%d effects of %s", n, key)
		}
	}
	return r.route.String()
}

func TestAWebhookConforms(t *testing.T) {
	conform.Run(t, conform.Subject{
		Fresh: func(t *testing.T) *conform.Target {
			r := &receiver{}
			server := httptest.NewServer(r)
			t.Cleanup(server.Close)
			wire := conform.NewWire(t, "tcp", server.Listener.Addr().String())
			return &conform.Target{
				Slot:  "web-0",
				Open:  func() driver.Driver { return open(t, "http://"+wire.Address()+"/moonwatch", secret) },
				State: r.String,
				Wire:  wire,
			}
		},
		Steps: conform.DoorSteps(nil),
		Nonsense: []string{
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
			"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
			"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 204 No Content\r\n\r\n",
			`HTTP/1.1 200 OK` + "\r\n\r\n" + `{"id":"C-11/drain/1/web-0/41/apply","detail":"done"}`,
		},
	})
}

func open(t *testing.T, url string, secret []byte) *Driver {
	t.Helper()
	d, err := New(Config{URL: url, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func request() driver.Request {
	return driver.Request{
		Case: "C-12", Step: driver.StepCutover, Attempt: 1, Member: "spare-1", Pool: "web", Slot: member.SlotID("web-0"), SlotEpoch: 57,
		Deadline: time.Now().Add(20 * time.Second),
	}
}
