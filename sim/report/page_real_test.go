//go:build real

package report

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// tab is one page in a browser of its own, whose console and network are
// watched: a word on the one or a request on the other fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func browse(t *testing.T) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs chromium: apt-get install chromium")
	}
	limit, stop := context.WithTimeout(context.Background(), 3*time.Minute)
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
	console, requests := chromedp.Console(ctx), chromedp.Events(ctx, network.RequestWillBeSent)
	watching.Go(func() {
		for m, err := range console {
			if err != nil {
				return // the browser is gone
			}
			t.Errorf("the browser complains: %s: %s (%s)", m.Type, m.Text, m.URL)
		}
	})
	watching.Go(func() {
		for r, err := range requests {
			if err != nil {
				return
			}
			if u := r.Request.URL; !strings.HasPrefix(u, "file://") && !strings.HasPrefix(u, "data:") {
				t.Errorf("the page asks for %s", u)
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

func ask[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// open shows a report from its file.
func (b *tab) open(in Input) {
	b.t.Helper()
	dir := filepath.Join(b.t.TempDir(), "out")
	if err := Write(dir, in); err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Navigate("file://" + filepath.Join(dir, "index.html")))
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

func (b *tab) colours(scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestThePagesAreDrawn(t *testing.T) {
	b := browse(t)
	for name, in := range map[string]Input{"run": played(t), "long": reported(tenBadMinutes(t)), "broken": broken(60), "campaign": aCampaign()} {
		b.do(chromedp.EmulateViewport(1280, 900))
		b.open(in)
		for _, scheme := range []string{"light", "dark"} {
			b.colours(scheme)
			b.do(chromedp.WaitVisible(`//details[contains(@class, "lane")]//b[text()="council"]`), chromedp.WaitVisible(`//h2[text()="Speed"]`))
			b.keep(name + "-" + scheme)
		}
		b.colours("light")
		for _, width := range []int64{1280, 400} {
			b.do(chromedp.EmulateViewport(width, 900))
			if wide := ask[int64](b, `document.documentElement.scrollWidth`); wide > width {
				t.Errorf("%s is %d pixels wide on a screen of %d: %s", name, wide, width, ask[string](b, widest))
			}
		}
		b.keep(name + "-narrow")
		if low := ask[float64](b, `Math.min(...Array.from(document.querySelectorAll(".strip[role=img]"), s => s.getBoundingClientRect().width))`); low < 150 {
			t.Errorf("%s: a lane is %v pixels wide", name, low)
		}
	}
}

// widest names what does not fit.
const widest = `Array.from(document.querySelectorAll("body *")).filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest(".scroll, .sequence, pre, .strip, .grid")).slice(0, 5).map(e => e.tagName + "." + e.className).join(" ")`

func TestMarkupInNamesRunsNoScript(t *testing.T) {
	b := browse(t)
	for _, in := range []Input{haunted(), hauntedCampaign()} {
		b.open(in)
		b.do(chromedp.WaitVisible(`//h1`))
		if ask[bool](b, `"pwned" in window || document.querySelector("img") !== null`) {
			t.Error("a name became part of the page")
		}
		if ask[int](b, `document.scripts.length`) != 1 {
			t.Error("the page has more scripts than its own")
		}
	}
}

func TestALookCloser(t *testing.T) {
	b := browse(t)
	b.open(played(t))
	b.do(chromedp.WaitVisible(`//*[@class="plot"]`))
	lane := `document.querySelector(".plot .group summary .strip")`
	whole := ask[string](b, lane+`.getAttribute("viewBox")`)
	ask[bool](b, `(() => {
		const body = document.querySelector(".plot .body"), r = body.querySelector(".grid").getBoundingClientRect();
		const at = (type, share) => body.dispatchEvent(new PointerEvent(type, {clientX: r.left + share * r.width, clientY: r.top + 5, bubbles: true, button: 0, pointerType: "mouse"}));
		at("pointerdown", .25); at("pointermove", .3); at("pointermove", .5); at("pointerup", .5);
		return true;
	})()`)
	if got := ask[string](b, lane+`.getAttribute("viewBox")`); got == whole || !strings.HasSuffix(got, " 20") {
		t.Errorf("after a drag over a quarter the lane shows %q, before %q", got, whole)
	}
	b.keep("closer")
	b.do(chromedp.Click(`//button[@class="zoomed"]`))
	if got := ask[string](b, lane+`.getAttribute("viewBox")`); got != whole {
		t.Errorf("back again the lane shows %q, want %q", got, whole)
	}
}

func TestThePageIsWholeWithoutScripts(t *testing.T) {
	b := browse(t)
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.open(broken(60))
	b.do(chromedp.WaitVisible(`//h3[text()="The thirty seconds around it"]`), chromedp.WaitVisible(`//details[contains(@class, "lane")]//b[text()="m-000"]`))
	b.keep("without-scripts")
}
