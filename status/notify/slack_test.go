package notify

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"moonwatch/status"
)

func TestAMessageComesAsSlackTakesIt(t *testing.T) {
	var bodies [][]byte
	code := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/services/T0/B0/secret" && r.Header.Get("Content-Type") == "application/json" {
			bodies = append(bodies, b)
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "invalid_token")
	}))
	defer s.Close()
	x, err := NewSlack(SlackConfig{URL: s.URL + "/services/T0/B0/secret"})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []status.Message{fall(status.SaysBegun), fall(status.SaysEnded)} {
		if err := x.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	var got slackMessage
	if len(bodies) != 2 || json.Unmarshal(bodies[0], &got) != nil {
		t.Fatalf("came %q", bodies)
	}
	if strings.Contains(got.Text, "<!channel>") || !strings.Contains(got.Text, "&lt;!channel&gt; &amp;") {
		t.Errorf("who names a host may call everybody: %s", got.Text)
	}
	if a := got.Attachments; len(a) != 1 || a[0].Color != "warning" || !strings.Contains(a[0].Text, "`moonwatch explain C-32`") || !strings.Contains(a[0].Text, "You: Nothing.") ||
		!strings.Contains(a[0].Text, "\ndocs/runbooks/MoonwatchMemberDown.md") {
		t.Errorf("it says %+v", a)
	}
	if err := json.Unmarshal(bodies[1], &got); err != nil || got.Attachments[0].Color != "good" || !strings.HasPrefix(got.Text, "[demo] over: ") {
		t.Errorf("%v: its end says %+v", err, got)
	}
	code = http.StatusForbidden
	if err := x.Send(t.Context(), fall(status.SaysBegun)); err == nil || !strings.Contains(err.Error(), "invalid_token") || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v, want what it answered, and not where the channel is", err)
	}
	for _, bad := range []string{"http://hooks.example.com/x", "xoxb-a-token", "://nothing"} {
		if _, err := NewSlack(SlackConfig{URL: bad}); err == nil || strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v, want an error that does not show it", bad, err)
		}
	}
}
