package gateway

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"moonwatch/shield"
)

const browser = "text/html,application/xhtml+xml,*/*;q=0.8"

var puzzleIn = regexp.MustCompile(`data-puzzle="([0-9a-f]{32})" data-end="(\d+)" data-bits="(\d+)"`)

// solved is the cookie with which a browser comes back from the page.
func solved(t *testing.T, page *httptest.ResponseRecorder) string {
	t.Helper()
	m := puzzleIn.FindStringSubmatch(page.Body.String())
	if page.Code != http.StatusTooManyRequests || m == nil {
		t.Fatalf("no challenge was posed: %d %s", page.Code, page.Body)
	}
	zero, _ := strconv.Atoi(m[3])
	for n := 0; ; n++ {
		if solves(m[1], strconv.Itoa(n), zero) {
			return passCookie + "=" + m[2] + "." + strconv.Itoa(n)
		}
	}
}

func challenging(t *testing.T, now *time.Time) *Gateway {
	t.Helper()
	g := shielded(t, Config{Now: func() time.Time { return *now }})
	g.Enforce(held(func(m *shield.Measure) { m.Rung, m.Admit, m.Until = shield.Challenge, 0, now.Add(24*time.Hour) }))
	return g
}

func TestABrowserThatSolvesItsChallengeIsLetIn(t *testing.T) {
	now := time.Now()
	g := challenging(t, &now)
	cookie := solved(t, askFrom(g, "10.0.0.1", flooded, "Accept", browser))
	for range 3 {
		if w := askFrom(g, "10.0.0.1", flooded, "Accept", browser, "Cookie", cookie); w.Code != http.StatusOK {
			t.Fatalf("with the solution: %d", w.Code)
		}
	}
	if w := askFrom(g, "10.0.0.1", flooded, "Accept", "image/*", "Cookie", cookie); w.Code != http.StatusOK {
		t.Errorf("an image of the page: %d", w.Code)
	}
}

func TestASolutionCountsForOneHostOneClientAndAWhile(t *testing.T) {
	now := time.Now()
	g := challenging(t, &now)
	cookie := solved(t, askFrom(g, "2001:db8::1", flooded, "Accept", browser))
	end, number, _ := strings.Cut(strings.TrimPrefix(cookie, passCookie+"="), ".")
	later, _ := strconv.ParseInt(end, 10, 64)
	ask := func(client, cookie string) int {
		return askFrom(g, client, flooded, "Accept", browser, "Cookie", cookie).Code
	}
	if s := ask("2001:db8::2", cookie); s != http.StatusOK {
		t.Errorf("the same /64: %d", s)
	}
	for what, c := range map[string]struct{ client, cookie string }{
		"another client": {"2001:db8:0:1::1", cookie}, "no number": {"2001:db8::1", passCookie + "=" + end},
		"a longer end":    {"2001:db8::1", passCookie + "=" + strconv.FormatInt(later+60, 10) + "." + number},
		"an end far away": {"2001:db8::1", passCookie + "=99999999999." + number}, "an odd number": {"2001:db8::1", passCookie + "=" + end + ".+" + number},
		"a huge one": {"2001:db8::1", passCookie + "=" + end + "." + strings.Repeat("9", 5000)}, "nothing": {"2001:db8::1", passCookie + "="},
	} {
		if s := ask(c.client, c.cookie); s != http.StatusTooManyRequests {
			t.Errorf("%s: %d", what, s)
		}
	}
	if g.challenge.passes(now, "other.example.com", clientOf("[2001:db8::1]:1"), &http.Request{Header: http.Header{"Cookie": {cookie}}}) {
		t.Error("it counts for another host")
	}
	now = now.Add(passFor + time.Second)
	if s := ask("2001:db8::1", cookie); s != http.StatusTooManyRequests {
		t.Errorf("after its end: %d", s)
	}
}

// Who cannot be asked to work is shaped, as before.
func TestOnlyNavigationsAreChallenged(t *testing.T) {
	now := time.Now()
	g := challenging(t, &now)
	for what, header := range map[string][]string{
		"a program": {"Accept", "application/json"}, "a script": {"Accept", browser, "Sec-Fetch-Mode", "cors"}, "nothing said": nil,
	} {
		w := askFrom(g, "10.0.0.1", flooded, header...)
		if w.Code != http.StatusTooManyRequests || puzzleIn.MatchString(w.Body.String()) {
			t.Errorf("%s was answered with %d %s", what, w.Code, w.Body)
		}
	}
	if got := askFrom(g, "10.0.0.1", flooded, "Accept", "application/json").Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("a program gets %s", got)
	}
	g.Enforce(held(func(m *shield.Measure) { m.Rung, m.Admit, m.Until = shield.Challenge, shield.Whole, now.Add(time.Hour) }))
	if w := askFrom(g, "10.0.0.1", flooded, "Accept", "application/json"); w.Code != http.StatusOK {
		t.Errorf("a program in the admitted fraction: %d", w.Code)
	}
	if w := askFrom(g, "10.0.0.1", "innocent.example.com", "Accept", browser); w.Code != http.StatusOK {
		t.Errorf("somebody else's browser: %d", w.Code)
	}
}

// Who has solved one is not drawn again, and the cap holds for them too.
func TestTheCapHoldsForSolutions(t *testing.T) {
	now := time.Now()
	g := challenging(t, &now)
	cookie := solved(t, askFrom(g, "10.0.0.1", flooded, "Accept", browser))
	g.Enforce(held(func(m *shield.Measure) {
		m.Rung, m.Admit, m.Cap, m.Burst, m.Until = shield.Challenge, 0, 1, 2, now.Add(time.Hour)
	}))
	let := 0
	for range 10 {
		if askFrom(g, "10.0.0.1", flooded, "Accept", browser, "Cookie", cookie).Code == http.StatusOK {
			let++
		}
	}
	if let != 2 {
		t.Errorf("%d were let in at one moment, want the burst of 2", let)
	}
}

func TestTheChallengeNeedsNothingFromElsewhere(t *testing.T) {
	now := time.Now()
	g := challenging(t, &now)
	for lang, says := range map[string]string{"ja,en;q=0.5": "少々お待ちください", "fr": "One moment, please"} {
		w := askFrom(g, "10.0.0.1", flooded, "Accept", browser, "Accept-Language", lang)
		text := w.Body.String()
		if !strings.Contains(text, says) || strings.Contains(text, "src=") || strings.Contains(text, "href=") || len(text) > 8<<10 {
			t.Errorf("%s: %d bytes: %s", lang, len(text), text)
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || !strings.Contains(policy, "script-src 'sha256-") {
			t.Errorf("policy %s", policy)
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Retry-After") == "" {
			t.Errorf("header %v", w.Header())
		}
	}
}

func TestTwoDoorsWithOneKeyBelieveEachOther(t *testing.T) {
	now := time.Now()
	a, b, c := newChallenge([]byte("key"), 4), newChallenge([]byte("key"), 4), newChallenge(nil, 4)
	end := now.Add(passFor).Unix()
	if a.puzzle("X.example", 7, end) != b.puzzle("x.example.:80", 7, end) {
		t.Error("doors with one key pose different puzzles for one host")
	}
	if a.puzzle("x.example", 7, end) == c.puzzle("x.example", 7, end) {
		t.Error("doors with different keys pose one puzzle")
	}
}
