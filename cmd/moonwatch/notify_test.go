package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"moonwatch/status"
)

// notifyAgent answers as an agent does that is asked for its receivers; try is what a
// test of them gives.
func notifyAgent(t *testing.T, doc status.NotifyDocument, try status.NotifyTest, asked *string) string {
	t.Helper()
	answer := func(w http.ResponseWriter, code int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(v)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/notify", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, doc) })
	mux.HandleFunc("POST /api/v1/notify/test", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		*asked = string(b)
		if strings.Contains(*asked, "pigeon") {
			answer(w, http.StatusNotFound, map[string]string{"error": `notify test: there is no receiver "pigeon", want mail or ops`})
			return
		}
		answer(w, http.StatusOK, try)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func TestReceiversAreListedByWhoKnows(t *testing.T) {
	now := time.Unix(10_000, 0).UTC()
	doc := status.NotifyDocument{
		Schema: 1, Now: now, Self: "web-1", OnDuty: "web-1",
		Receivers: []status.NotifyReceiver{
			{ReceiverState: status.ReceiverState{Name: "mail", Waiting: 3, Failing: now.Add(-10 * time.Minute), Err: "connect: refused\x1b[2J"}, Kind: "email", To: "ops@example.com"},
			{ReceiverState: status.ReceiverState{Name: "ops"}, Kind: "webhook", To: "https://ops.example.com/"},
		},
	}
	r := call(t, "notify", "list", "--agent", notifyAgent(t, doc, status.NotifyTest{}, new(string)))
	r.wants(t, exitOK, "ops@example.com", "fails for 10m0s: connect: refused", "well", "web-1 is on duty; who may be: any member, by name")
	if strings.Contains(r.out, "\x1b") {
		t.Errorf("what a mail server says moves the cursor: %q", r.out)
	}
	doc.OnDuty = "witness-1"
	call(t, "notify", "list", "--agent", notifyAgent(t, doc, status.NotifyTest{}, new(string))).wants(t, exitOK, "known to witness-1")
	doc.Receivers = nil
	call(t, "notify", "list", "--agent", notifyAgent(t, doc, status.NotifyTest{}, new(string))).wants(t, exitOK, "Nobody is told")
}

func TestATryOfReceiversSaysWhoTookIt(t *testing.T) {
	var asked string
	try := status.NotifyTest{Schema: 1, Teller: "web-1", Results: []status.NotifyTried{{Name: "ops", Kind: "webhook", Result: status.TriedTold, TookMS: 12}}}
	agent := notifyAgent(t, status.NotifyDocument{}, try, &asked)
	call(t, "notify", "test", "--agent", agent).wants(t, exitOK, "told", "12ms", "web-1 sent it. Look whether it is there: ops took it.")
	if asked != `{"receivers":[]}` {
		t.Errorf("without a name it asked for %s", asked)
	}
	call(t, "notify", "test", "ops", "-o", "json", "--agent", agent).wants(t, exitOK, `"result": "told"`)
	if asked != `{"receivers":["ops"]}` {
		t.Errorf("it asked for %s", asked)
	}
	call(t, "notify", "test", "pigeon", "--agent", agent).wants(t, exitError, "want mail or ops")

	try.Results = append(try.Results, status.NotifyTried{Name: "mail", Kind: "email", Result: status.TriedFailed, Err: "log in as moonwatch: 535"})
	call(t, "notify", "test", "--agent", notifyAgent(t, status.NotifyDocument{}, try, &asked)).wants(t, exitDegraded, "not told", "535", "ops took it")
	call(t, "notify", "tst").wants(t, exitUsage, "did you mean list or test?")
}

// TestAnAgentThatTellsNobodyAboutReceiversIsNamed: the page's address has addresses of
// nobody.
func TestAnAgentThatTellsNobodyAboutReceiversIsNamed(t *testing.T) {
	agent := agentWith(t, fixture(t, "page-open.json"), nil)
	for _, line := range []string{"notify list", "notify test"} {
		call(t, append(strings.Fields(line), "--agent", agent)...).wants(t, exitError, "at its socket (--agent unix:PATH)")
	}
}
