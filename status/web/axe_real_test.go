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
	found := awaited[[]finding](b, `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.flatMap(v =>
		v.nodes.map(n => ({ID: v.id, Help: v.help, Where: n.html.slice(0, 200) + " " + (n.any[0]?.message ?? "")}))))`)
	for _, f := range found {
		b.t.Errorf("%s: %s: %s: %s", what, f.ID, f.Help, f.Where)
	}
	if passes := awaited[int](b, `axe.run(document, {resultTypes: ["passes"]}).then(r => r.passes.length)`); passes < 10 {
		b.t.Errorf("%s: only %d rules looked at anything", what, passes)
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
func TestNoPageHasAnAxeFinding(t *testing.T) {
	b := browse(t, "404") // what a browser says of the page of a name that nobody has
	smallURL, _ := serve(t, withPast(t, lostPage(), 9))
	largeURL, _ := serve(t, withPast(t, stormPage(), 200))
	calmURL, _ := serve(t, withPast(t, orderedPage(), 9))
	sights, _ := serve(t, withSights(t, lostPage()))
	sights200, _ := serve(t, withSights(t, stormPage()))
	each := shop
	each.Slots = true
	outside := httptest.NewServer(publicPage(t, 11, shop))
	t.Cleanup(outside.Close)
	large := httptest.NewServer(publicPage(t, 240, each))
	t.Cleanup(large.Close)
	floodedURL, _ := serve(t, shielded(t, floodedDoor))
	for _, page := range []struct{ name, url string }{
		{"lost", smallURL + "/"},
		{"storm", largeURL + "/"},
		{"ordered", calmURL + "/"},
		{"explain", smallURL + "/explain/C-412"},
		{"explain-unknown", smallURL + "/explain/nobody"},
		{"observers-en", sights + "/observers?lang=en"},
		{"observers-ja", sights + "/observers?lang=ja"},
		{"observers-200-en", sights200 + "/observers?lang=en"},
		{"observers-200-ja", sights200 + "/observers?lang=ja&at=1h"},
		{"public-en", outside.URL + "/?lang=en"},
		{"public-ja", outside.URL + "/?lang=ja"},
		{"public-slots-en", large.URL + "/?lang=en"},
		{"history-en", smallURL + "/history?lang=en"},
		{"history-ja", smallURL + "/history?lang=ja"},
		{"history-hours-en", smallURL + "/history?lang=en&span=48h"},
		{"shield-en", floodedURL + "/shield?lang=en"},
		{"shield-ja", floodedURL + "/shield?lang=ja"},
		{"shield-without-a-door", smallURL + "/shield"},
		{"history-200-ja", largeURL + "/history?lang=ja"},
		{"history-200-en", largeURL + "/history?lang=en"},
	} {
		for _, scheme := range []string{"light", "dark"} {
			b.colours(scheme)
			b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(page.url))
			b.until(`//main`)
			axe(b, page.name+" "+scheme)
			if strings.HasPrefix(page.name, "history") || strings.HasPrefix(page.name, "public") || strings.HasPrefix(page.name, "observers") {
				b.keep(page.name + "-" + scheme)
			}
		}
		b.do(chromedp.EmulateViewport(390, 844))
		if ask[bool](b, `document.documentElement.scrollWidth > 390`) {
			t.Errorf("%s is wider than a telephone", page.name)
		}
		axe(b, page.name+" narrow")
	}
	b.keep("history-200-narrow")
}
