//go:build real

package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"moonwatch/status"
)

// tab is one page in a browser of its own.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// browse opens a browser whose console is watched: an error there fails the
// test, and what the page's policy forbids is one. Tolerated are those that
// contain the text given.
func browse(t *testing.T, tolerated string) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs chromium: apt-get install chromium")
	}
	limit, stop := context.WithTimeout(context.Background(), 20*time.Minute) // a busy machine: the whole phase has 40
	alloc, end := chromedp.NewExecAllocator(limit, append(
		chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-background-networking", true),
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900),
	)...)
	ctx, closeTab := chromedp.NewContext(alloc)
	var watching sync.WaitGroup
	t.Cleanup(func() { // the browser has to be gone before its folder is removed
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("end chromium: %v", err)
		}
		closeTab()
		end()
		stop()
		watching.Wait()
	})
	b := &tab{t: t, ctx: ctx}
	b.do(chromedp.Navigate("about:blank"))
	console := chromedp.Console(ctx)
	watching.Go(func() {
		for m, err := range console {
			if err != nil {
				return // the browser is gone
			}
			harmless := m.Type == chromedp.ConsoleLog || m.Type == chromedp.ConsoleInfo || m.Type == chromedp.ConsoleDebug
			if !harmless && (tolerated == "" || !strings.Contains(m.Text, tolerated)) {
				t.Errorf("the browser complains: %s: %s (%s)", m.Type, m.Text, m.URL)
			}
		}
	})
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// until waits for something that is visible.
func (b *tab) until(xpath string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(xpath))
}

func ask[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// keep writes a picture of the whole page beside the test's other artefacts.
func (b *tab) keep(name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	path := filepath.Join(b.t.ArtifactDir(), name+".png")
	if err := os.WriteFile(path, png, 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.t.Logf("kept %s", path)
}

// colours shows the page to somebody who prefers light or dark.
func (b *tab) colours(scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

const isLive = `//*[@id="live" and contains(., "live, as web-1 sees it")]`

func TestAChangeIsSeenWithoutReload(t *testing.T) {
	b := browse(t, "")
	s := open(t, fleetPage(7))
	url, _ := serve(t, s)
	b.colours("light")
	b.do(chromedp.Navigate(url))
	b.until(`//h1[contains(., "normal")]`)
	b.until(isLive)
	b.keep("calm-light")
	ask[int](b, `window.loadedOnce = 1`)

	s.SetPage(lostPage())
	b.until(`//article[@id="C-412"]`)
	// What a reader unfolds stays unfolded when the next change comes.
	b.do(chromedp.Click(`//details[@id="V-398"]/summary`))
	p := lostPage()
	p.Mode = status.Mode{
		Name: "guarded", Means: "one case at a time", Since: noon.Add(13 * time.Second),
		Why: "2 of 7 members in trouble: guarded from 2, cascade from 3", Ends: "nobody in trouble for 1m0s",
	}
	s.SetPage(p)
	b.until(`//h1[contains(., "guarded")]`)

	if ask[int](b, `window.loadedOnce || 0`) != 1 {
		t.Error("the page was reloaded")
	}
	if !ask[bool](b, `document.querySelector("#V-398").open`) {
		t.Error("what was unfolded is folded again")
	}
	if got := ask[string](b, `document.title`); got != "guarded · demo · Moonwatch" {
		t.Errorf("title %q", got)
	}
	if got := ask[string](b, `document.querySelector("article time").dataset.age`); !strings.HasSuffix(got, " ago") {
		t.Errorf("age %q", got)
	}
	b.keep("lost-light")
	b.colours("dark")
	b.keep("lost-dark")
}

// TestNoNameRunsInABrowser: markup in the names of members, slots, pools and failure
// domains, in labels and in what people wrote, on every page, in what replaces a page that
// is looked at, and without the policy that would forbid it to run.
func TestNoNameRunsInABrowser(t *testing.T) {
	b := browse(t, "the server responded with a status of")
	s := withLive(t, fleetPage(7), func(p status.Page) status.Live {
		x := failing(p)
		for i := range x.By {
			x.By[i].Observer, x.By[i].Trouble, x.By[i].Abstains = evil, evil, evil
			for j := range x.By[i].Sees {
				x.By[i].Sees[j].Subject, x.By[i].Sees[j].Accuses = evil, evil
			}
		}
		x.Self = evil
		return x
	})
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(unguarded{w}, r)
	}))
	t.Cleanup(bare.Close)
	t.Cleanup(s.Close)
	b.do(chromedp.Navigate(bare.URL + "/"))
	b.until(isLive)
	ask[bool](b, `window.alert = () => { window.pwned = true }; true`)
	s.SetPage(evilPage())
	b.until(`//h1[@id="mode"]/ancestor::section//p[contains(., "alert(1)")]`)
	unharmed := func(where string) {
		t.Helper()
		if ask[bool](b, `!!window.pwned || !!document.querySelector("img[src='x'], script:not([src])")`) {
			t.Errorf("%s: it runs", where)
		}
	}
	unharmed("a page that is live")
	for _, code := range []string{"en", "ja"} {
		for _, path := range []string{"/", "/observers", "/history", "/shield", "/explain/" + url.PathEscape(evil), "/runbook/" + url.PathEscape(evil), "/explain/C-412"} {
			b.do(chromedp.Navigate(bare.URL + path + "?lang=" + code + "&at=" + url.QueryEscape(evil)))
			b.until(`//main`)
			unharmed(path + " " + code)
		}
	}
}

// unguarded takes the policy out of an answer: what it forbids has to be harmless without it.
type unguarded struct{ http.ResponseWriter }

func (w unguarded) WriteHeader(code int) {
	w.Header().Del("Content-Security-Policy")
	w.ResponseWriter.WriteHeader(code)
}

func (w unguarded) Write(b []byte) (int, error) {
	w.Header().Del("Content-Security-Policy")
	return w.ResponseWriter.Write(b)
}

func (w unguarded) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestALostAgentIsSaid(t *testing.T) {
	b := browse(t, "503") // what a browser says of an agent that is going
	s := New(Config{Beat: 100 * time.Millisecond})
	s.SetPage(fleetPage(7))
	url, _ := serve(t, s)
	b.do(chromedp.Navigate(url))
	b.until(isLive)
	s.Close()
	b.until(`//*[@id="live" and contains(., "not live: trying again")]`)
	b.keep("not-live")
}

func TestTwoHundredMembersAreReadable(t *testing.T) {
	b := browse(t, "")
	for name, p := range map[string]status.Page{"calm-200": fleetPage(200), "storm-200": stormPage()} {
		url, _ := serve(t, open(t, p))
		b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url))
		b.until(isLive)
		b.keep(name)
		b.do(chromedp.EmulateViewport(390, 844))
		if ask[bool](b, `document.documentElement.scrollWidth > 390`) {
			t.Errorf("%s is wider than a telephone", name)
		}
		b.keep(name + "-narrow")
		b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url+"/explain/web-1"))
		b.until(`//pre[contains(., "web-1 is in failure domain a")]`)
		b.keep(name + "-explain")
	}
}

func TestThePageIsWholeWithoutScripts(t *testing.T) {
	b := browse(t, "")
	url, _ := serve(t, open(t, lostPage()))
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate(url))
	b.until(`//article[@id="C-412"]`)
	b.keep("without-scripts")
}

// TestTheSliderChoosesAMoment by keyboard, says which one it is at, and shows it; by its
// button where there are no scripts. What is seen now goes on by itself, and stands still
// while a moment that has passed is looked at.
func TestTheSliderChoosesAMoment(t *testing.T) {
	b := browse(t, "")
	var failed atomic.Bool
	s, _ := looksBack(t, lostPage(), failing)
	s.cfg.Live = func() status.Live {
		p := watched(lostPage())
		if !failed.Load() {
			return seenLive(p, nil)
		}
		x := failing(p)
		x.AsOf = x.AsOf.Add(time.Second)
		return x
	}
	var othersLookBack atomic.Bool
	free := s.cfg.Then
	s.cfg.Then = func(at time.Time) (status.Live, bool) {
		if othersLookBack.Swap(false) {
			return status.Live{}, false
		}
		return free(at)
	}
	url, _ := serve(t, s)
	for code, x := range map[string]struct{ now, trouble, stood, live, then string }{
		"en": {"now", "loses probes", "1 of 7 members", "live", "Who saw trouble then"},
		"ja": {"現在", "プローブ損失あり", "1 / 7", "自動更新中", "その時点の異常"},
	} {
		failed.Store(false)
		othersLookBack.Store(true)
		b.do(chromedp.Navigate(url + "/observers?lang=" + code))
		b.until(`//*[@id="live" and contains(., "` + x.live + `")]`)
		if got := ask[string](b, `document.getElementById("at").getAttribute("aria-valuetext")`); got != x.now {
			t.Errorf("%s: it says %q", code, got)
		}
		ask[int](b, `window.loadedOnce = 1`)
		failed.Store(true)
		b.until(`//section[@aria-labelledby="uneasy"]//td[contains(., "` + x.trouble + `")]`)

		b.do(chromedp.Focus(`//*[@id="at"]`))
		for range 12 { // five minutes each
			b.do(chromedp.KeyEvent(kb.ArrowLeft))
		}
		b.until(`//*[@id="seen"]//p[contains(@class, "headline") and contains(., "` + x.stood + `")]`)
		said := ask[string](b, `document.getElementById("at").getAttribute("aria-valuetext")`)
		if !strings.HasSuffix(said, " UTC") || said != ask[string](b, `document.getElementById("moment").value`) {
			t.Errorf("%s: an hour ago it says %q", code, said)
		}
		if at := ask[string](b, `new URL(location).searchParams.get("at")`); at != "-60" {
			t.Errorf("%s: the address says %q", code, at)
		}
		if !ask[bool](b, `document.getElementById("live").hidden && document.activeElement.id === "at" && window.loadedOnce === 1`) {
			t.Errorf("%s: it is called live, was loaded anew, or the slider has lost the keyboard", code)
		}
		if !ask[bool](b, `[...document.querySelectorAll("header a[hreflang]")].some(a => new URL(a.href).searchParams.get("at"))`) {
			t.Errorf("%s: the other language is that of now", code)
		}
		b.until(`//section[@aria-labelledby="uneasy"]/h2[contains(., "` + x.then + `")]`) // it was asked for again
		axe(b, "slider "+code)
		b.keep("slider-" + code)
		b.do(chromedp.KeyEvent(kb.End))
		b.until(`//section[@aria-labelledby="uneasy"]//td[contains(., "` + x.trouble + `")]`)
	}
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate(url+"/observers?lang=en"), chromedp.Focus(`//*[@id="at"]`), chromedp.KeyEvent(kb.Home))
	b.do(chromedp.Click(`//form[@id="ago"]/button`))
	b.until(`//*[@id="moment" and contains(., "UTC")]`)
	b.until(`//p[contains(., "It never counted until then.")]`)
	b.keep("slider-without-scripts")
}

func TestTheShieldIsSeenWithoutReloadAndWithoutScripts(t *testing.T) {
	b := browse(t, "")
	var held atomic.Bool
	url, _ := serve(t, shielded(t, func() status.ShieldDocument {
		d := floodedDoor()
		if !held.Load() {
			d.Held, d.Pressure = nil, 0.3
		}
		return d
	}))
	b.do(chromedp.Navigate(url + "/shield?lang=en"))
	b.until(`//h1[contains(., "Nobody is held")]`)
	ask[int](b, `window.loadedOnce = 1`)
	held.Store(true)
	b.until(`//h1[contains(., "Subdomains held: 2")]`)
	if ask[int](b, `window.loadedOnce || 0`) != 1 {
		t.Error("the page was reloaded")
	}
	b.keep("shield")
	b.do(chromedp.EmulateViewport(390, 844))
	if ask[bool](b, `document.documentElement.scrollWidth > 390`) {
		t.Error("it is wider than a telephone")
	}
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	held.Store(false)
	b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url+"/shield?lang=ja"))
	b.until(`//h1[contains(., "制限中のサブドメインはありません")]`)
	held.Store(true)
	b.until(`//h1[contains(., "制限中のサブドメイン：2")]`) // the browser asks again by itself
	b.keep("shield-without-scripts")
}
