package admit

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

func challenging(t *testing.T, now *time.Time) *Gate {
	t.Helper()
	g := counting(t, Config{Challenge: true, Now: func() time.Time { return *now }})
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
	if g.challenge.passes(now, "other.example.com", g.ClientAt("[2001:db8::1]:1"), &http.Request{Header: http.Header{"Cookie": {cookie}}}) {
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

// Each door is a process of its own: what they have in common is the key alone.
func TestTwoDoorsWithOneKeyBelieveEachOther(t *testing.T) {
	now := time.Now()
	at := func(key string) *Gate { return New(Config{Key: []byte(key), Challenge: true, Bits: 4}) }
	a, b, c := at("key"), at("key"), at("other")
	end := now.Add(passFor).Unix()
	puzzle := func(g *Gate, host string) string {
		return g.challenge.puzzle(host, g.ClientAt("192.0.2.1:40000"), end)
	}
	if puzzle(a, "X.example") != puzzle(b, "x.example.:80") {
		t.Error("doors with one key pose different puzzles for one host")
	}
	if puzzle(a, "x.example") == puzzle(c, "x.example") || a.ClientAt("192.0.2.1:1") == c.ClientAt("192.0.2.1:1") {
		t.Error("doors with different keys pose one puzzle, or choose the same clients")
	}
	// Nothing of it may be of the process that says it.
	if got, want := a.ClientAt("192.0.2.1:40000"), uint64(8037750563946801109); got != want {
		t.Errorf("the client is called %d, want %d in every process with this key", got, want)
	}
}

func TestAPassOfAParentDomainDoesNotHideTheOwnOne(t *testing.T) {
	now := time.Now()
	g := challenging(t, &now)
	cookie := solved(t, askFrom(g, "10.0.0.1", flooded, "Accept", browser))
	before := passCookie + "=12.34; other=1; " + passCookie + "=; "
	if w := askFrom(g, "10.0.0.1", flooded, "Accept", browser, "Cookie", before+cookie); w.Code != http.StatusOK {
		t.Errorf("with a pass of a parent domain before its own: %d", w.Code)
	}
	many := strings.Repeat(passCookie+"=12.34; ", 500)
	if w := askFrom(g, "10.0.0.1", flooded, "Accept", browser, "Cookie", many+cookie); w.Code != http.StatusTooManyRequests {
		t.Errorf("after hundreds of passes: %d, want that nobody looks for so long", w.Code)
	}
}

func TestClientsAreToldApartByTheirAddresses(t *testing.T) {
	g := New(Config{})
	same := [][]string{
		{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1", "[::ffff:192.0.2.1]:7"},
		{"[2001:db8::1]:1", "[2001:db8::2]:1", "2001:db8::ffff", "[2001:db8::1%eth0]:9"},
		{"[2001:db8:0:1::1]:1"},
		{"192.0.2.2:1"},
		{"@"},
		{""},
		{strings.Repeat("x", 200)},
	}
	seen := map[uint64]string{}
	for _, group := range same {
		for _, c := range group {
			name := g.ClientAt(c)
			if name != g.ClientAt(group[0]) {
				t.Errorf("%s and %s are not one client", c, group[0])
			}
			if other, has := seen[name]; has && other != group[0] {
				t.Errorf("%s and %s are one client", c, other)
			}
			seen[name] = group[0]
		}
	}
}
