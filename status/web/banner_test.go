package web

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"moonwatch/failover"
	"moonwatch/status"
)

// everyPageSaysTheMode, with its reason, its beginning and its end: not the page of now
// alone, which begins with it.
func everyPageSaysTheMode(t *testing.T, places []place) {
	for _, p := range places {
		s, agent := p.at.(*Server)
		if !agent || s.current() == nil { // people outside are told of no modes
			continue
		}
		for _, code := range []string{"en", "ja"} {
			body := get(p.at, p.in(code)).Body.String()
			if n := strings.Count(body, `id="banner"`) + strings.Count(body, `id="mode"`); n != 1 {
				t.Errorf("%s in %s says the mode %d times", p.name, code, n)
			}
			if mode := s.current().page.Mode; !strings.Contains(body, tongueNamed(code).Word(mode.Name)) || !strings.Contains(body, mode.Since.Format("15:04:05")) {
				t.Errorf("%s in %s does not say %s since %v", p.name, code, mode.Name, mode.Since)
			}
		}
	}
}

// TestAnotherModeIsOnEachPageAtOnce, though their contents are kept.
func TestAnotherModeIsOnEachPageAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := lostPage()
		s := withPast(t, p, 9)
		s.SetSights(status.Sights{AsOf: p.Now, Verdicts: p.Verdicts})
		s.cfg.Basis = func() any { return 1 } // what is explained stays the same
		paths := []string{"/explain/V-411", "/history", "/observers", "/observers?at=1h", "/shield", "/runbook/held-brake"}
		for _, path := range paths {
			if body := get(s, path).Body.String(); !strings.Contains(body, "<b>normal</b>") {
				t.Errorf("%s: not normal: %s", path, body)
			}
		}
		p.Mode = status.Mode{Name: failover.Cascade, Since: noon.Add(time.Minute), Why: "66 of 200 members in trouble", Ends: "fewer than 20 in trouble"}
		s.SetPage(p)
		time.Sleep(pageGap) // of the bubble
		synctest.Wait()
		for _, path := range paths {
			body := get(s, path).Body.String()
			for _, want := range []string{`class="banner t-bad"`, "<b>cascade</b>", "12:01:00</time>", "66 of 200 members in trouble", "fewer than 20 in trouble"} {
				if !strings.Contains(body, want) {
					t.Errorf("%s lacks %q", path, want)
				}
			}
		}
	})
}
