package webhook

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/internal/signature"
)

func TestAStatusIsAnOutcomeForWhomeverWasAsked(t *testing.T) {
	tests := []struct {
		status         int
		apply, observe driver.Outcome
	}{
		{200, driver.Done, driver.Done},
		{201, driver.Unknown, driver.Unknown},
		{202, driver.InProgress, driver.InProgress},
		{400, driver.Permanent, driver.Permanent},
		{401, driver.Permanent, driver.Permanent},
		{404, driver.Permanent, driver.Retryable},
		{409, driver.Refused, driver.Refused},
		{429, driver.Retryable, driver.Unknown},
		{500, driver.Unknown, driver.Unknown},
		{501, driver.Permanent, driver.Permanent},
		{502, driver.Unknown, driver.Unknown},
		{503, driver.Retryable, driver.Unknown},
		{504, driver.Unknown, driver.Unknown},
	}
	for _, tt := range tests {
		d := answering(t, func(w http.ResponseWriter, call Call) {
			w.WriteHeader(tt.status)
			_ = json.NewEncoder(w).Encode(Answer{ID: call.ID, Detail: "as it\nis\x1b[31m"})
		})
		for ask, pair := range map[string][2]any{
			"apply":   {d.Apply(t.Context(), request()), tt.apply},
			"observe": {d.Observe(t.Context(), request()), tt.observe},
		} {
			got := pair[0].(driver.Result)
			if got.Outcome != pair[1] || !strings.HasSuffix(got.Detail, ": as it is [31m") {
				t.Errorf("%s, status %d: got %v (%q), want %v", ask, tt.status, got.Outcome, got.Detail, pair[1])
			}
		}
	}
}

func TestAnAnswerThatDoesNotRepeatTheIDProvesNothing(t *testing.T) {
	for status, want := range map[int]driver.Outcome{
		200: driver.Unknown, 202: driver.Unknown, 404: driver.Unknown, 409: driver.Unknown, 429: driver.Unknown, 503: driver.Unknown,
		401: driver.Permanent, 403: driver.Permanent,
	} {
		d := answering(t, func(w http.ResponseWriter, _ Call) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"id":"somebody","detail":"done"}`)
		})
		if got := d.Apply(t.Context(), request()); got.Outcome != want {
			t.Errorf("status %d: got %v (%s), want %v", status, got.Outcome, got.Detail, want)
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	elsewhere := answering(t, func(w http.ResponseWriter, call Call) { t.Error("the call was carried elsewhere") })
	for _, status := range []int{301, 302, 303, 307, 308} {
		d := answering(t, func(w http.ResponseWriter, _ Call) {
			w.Header().Set("Location", elsewhere.config.URL)
			w.WriteHeader(status)
		})
		if got := d.Apply(t.Context(), request()); got.Outcome != driver.Permanent || !strings.Contains(got.Detail, "we do not follow") {
			t.Errorf("status %d: got %v (%s)", status, got.Outcome, got.Detail)
		}
	}
}

func TestAnEndlessAnswerIsCut(t *testing.T) {
	d := answering(t, func(w http.ResponseWriter, call Call) {
		for range 1 << 10 {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	if got := d.Apply(t.Context(), request()); got.Outcome != driver.Unknown || !strings.Contains(got.Detail, "more than 65536 bytes") {
		t.Errorf("got %v (%s)", got.Outcome, got.Detail)
	}
	long := answering(t, func(w http.ResponseWriter, call Call) {
		_ = json.NewEncoder(w).Encode(Answer{ID: call.ID, Detail: strings.Repeat("ä", 5000)})
	})
	if got := long.Apply(t.Context(), request()); got.Outcome != driver.Done || len(got.Detail) > 500 {
		t.Errorf("got %v (%d bytes of detail)", got.Outcome, len(got.Detail))
	}
}

func TestOnlyACallThatMayHaveAnEffectHasAKeyAndEachItsOwn(t *testing.T) {
	var keys []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get(HeaderKey))
	}))
	t.Cleanup(server.Close)
	d, req := open(t, server.URL, secret), request()
	d.Observe(t.Context(), req)
	_, _ = d.Plan(req)
	d.Apply(t.Context(), req)
	d.Apply(t.Context(), req)
	d.Compensate(t.Context(), req)
	req.Attempt++
	d.Apply(t.Context(), req)
	want := "||C-12/cutover/1/web-0/57/apply|C-12/cutover/1/web-0/57/apply|C-12/cutover/1/web-0/57/compensate|C-12/cutover/2/web-0/57/apply"
	if got := strings.Join(keys, "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestACallThatIsNotOursOrStaleIsNotObeyed(t *testing.T) {
	r := &receiver{}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	if got := open(t, server.URL, []byte("somebody else's secret")).Apply(t.Context(), request()); got.Outcome != driver.Permanent {
		t.Errorf("with another secret: got %v (%s)", got.Outcome, got.Detail)
	}
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		d := open(t, server.URL, secret)
		d.now = func() time.Time { return time.Now().Add(off) }
		if got := d.Apply(t.Context(), request()); got.Outcome != driver.Permanent {
			t.Errorf("%v off: got %v (%s)", off, got.Outcome, got.Detail)
		}
	}
	if r.known {
		t.Errorf("the receiver has %s", r)
	}

	body, header, now := []byte(`{"id":"a"}`), http.Header{}, time.Unix(1_800_000_000, 0)
	signature.Sign(header, body, secret, now)
	for says, err := range map[string]error{
		"":                   Verify(header, body, now.Add(Fresh), []byte("the secret that comes"), secret),
		"not ours":           Verify(header, []byte(`{"id":"b"}`), now, secret),
		"signed 5m1s ago":    Verify(header, body, now.Add(Fresh+time.Second), secret),
		"want seconds since": Verify(http.Header{}, body, now, secret),
	} {
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

func TestAConfigListsAllItsMistakesAndNoSecret(t *testing.T) {
	for url, want := range map[string]string{
		"":                               "url is",
		"balancer.example.com":           "url is",
		"http://balancer.example.com/":   "want https",
		"ftp://127.0.0.1/":               "want https",
		"https://a:hunter2@example.com/": "none with a user",
		"http://127.0.0.1:1/%zz":         "url is",
	} {
		_, err := New(Config{URL: url, Secret: []byte("hunter2")})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "secret has 7 bytes, want at least 16") {
			t.Errorf("%q: got %v, want %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: it shows the secret: %v", url, err)
		}
	}
	for _, url := range []string{"https://balancer.example.com/", "http://localhost:1/", "http://[::1]:1/"} {
		if _, err := New(Config{URL: url, Secret: secret}); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestWhatStandsInAQueryIsNotShown(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	d := open(t, server.URL+"/hook?token=hunter2", secret)
	heard := d.Apply(t.Context(), request())
	server.Close()
	for _, got := range []driver.Result{heard, d.Apply(t.Context(), request())} {
		if strings.Contains(got.Detail, "hunter2") || !strings.Contains(got.Detail, server.URL+"/hook") {
			t.Errorf("got %v (%s)", got.Outcome, got.Detail)
		}
	}
}

// answering is a driver whose receiver answers as told.
func answering(t *testing.T, answer func(http.ResponseWriter, Call)) *Driver {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call Call
		_ = json.NewDecoder(r.Body).Decode(&call)
		answer(w, call)
	}))
	t.Cleanup(server.Close)
	return open(t, server.URL, secret)
}
