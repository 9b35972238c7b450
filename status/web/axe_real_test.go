//go:build real

package web

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// axe has axe-core (testdata/axe, as published) look at the page that a tab shows, by all
// rules of WCAG 2.2 A and AA and its best practices, and fails the test for each finding.
func axe(b *tab, what string) {
	b.t.Helper()
	code, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		b.t.Fatal(err)
	}
	ask[bool](b, string(code)+"; true")
	type finding struct{ ID, Help, Where string }
	type result struct {
		Found  []finding
		Passes int
	}
	r := awaited[result](b, `axe.run(document, {resultTypes: ["violations", "passes"]}).then(r => ({Passes: r.passes.length, Found: r.violations.flatMap(v =>
		v.nodes.map(n => ({ID: v.id, Help: v.help, Where: n.html.slice(0, 200) + " " + (n.any[0]?.message ?? "")})))}))`)
	for _, f := range r.Found {
		b.t.Errorf("%s: %s: %s: %s", what, f.ID, f.Help, f.Where)
	}
	if r.Passes < 10 {
		b.t.Errorf("%s: only %d rules looked at anything", what, r.Passes)
	}
}

// awaited is ask for a promise.
func awaited[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// TestNoPageHasAnAxeFinding in either language, light or dark, on a screen or a telephone.
// A picture of each is kept.
func TestNoPageHasAnAxeFinding(t *testing.T) {
	b := browse(t, "the server responded with a status of") // what a browser says of a page that there is not
	for _, p := range everyPlace(t) {
		outside := httptest.NewServer(p.at)
		t.Cleanup(outside.Close)
		if s, ok := p.at.(*Server); ok {
			t.Cleanup(s.Close) // an open stream has no end of its own
		}
		for _, code := range []string{"en", "ja"} {
			for _, scheme := range []string{"light", "dark"} {
				if strings.Contains(p.name, "200") && (code == "ja") != (scheme == "dark") {
					continue // axe takes seconds for a large page: one of each language and of each light
				}
				b.colours(scheme)
				b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(outside.URL+p.in(code)))
				b.until(`//main`)
				name := p.name + "-" + code + "-" + scheme
				axe(b, name)
				b.keep(name)
				b.do(chromedp.EmulateViewport(390, 844))
				if ask[bool](b, `document.documentElement.scrollWidth > 390`) {
					t.Errorf("%s is wider than a telephone", name)
				}
				if code == "ja" && !strings.Contains(p.name, "200") && scheme == "light" {
					axe(b, name+" on a telephone")
					b.keep(name + "-narrow")
				}
			}
		}
	}
}
