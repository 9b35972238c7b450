//go:build real

package gateway

import (
	"context"
	"crypto/rand"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"moonwatch/shield"
	"moonwatch/shield/admit"
)

// A real browser comes through the challenge by itself, over plain HTTP, where browsers
// give pages no SHA-256 of their own.
func TestABrowserComesThroughTheChallengeByItself(t *testing.T) {
	g := shielded(t, Config{})
	g.Enforce(held(func(m *shield.Measure) { m.Rung, m.Admit = shield.Challenge, 0 }))
	ctx := browse(t)
	must(t, chromedp.Do(ctx, chromedp.Navigate(addressOf(g))))
	eventuallySays(ctx, t, "document.body.innerText", func(text string) bool { return strings.HasPrefix(text, "GET") })
}

// A browser that keeps no cookies solves one puzzle, is told what is wrong, and does not
// come back again and again.
func TestABrowserWithoutCookiesIsToldSo(t *testing.T) {
	g := shielded(t, Config{ChallengeBits: 4})
	g.Enforce(held(func(m *shield.Measure) { m.Rung, m.Admit = shield.Challenge, 0 }))
	ctx := browse(t)
	_, err := chromedp.Call(ctx, emulation.SetDocumentCookieDisabled, emulation.SetDocumentCookieDisabledParams{Disabled: true})
	must(t, err)
	givesUp(ctx, t, g, 1)
}

// One whose cookie is not believed, as when it has another address each time it comes,
// gives up after three. At few bits one puzzle's answer would now and then solve another
// one: of 12, once in 4,096 times.
func TestABrowserWhoseCookieIsOfNoUseGivesUp(t *testing.T) {
	g := shielded(t, Config{ChallengeBits: 12})
	g.Enforce(held(func(m *shield.Measure) { m.Rung, m.Admit = shield.Challenge, 0 }))
	g.gate = admit.New(admit.Config{Counter: g.cfg.Counter, Challenge: true, Bits: 12, Client: func(*http.Request) string { return rand.Text() }})
	g.Enforce(held(func(m *shield.Measure) { m.Rung, m.Admit = shield.Challenge, 0 }))
	givesUp(browse(t), t, g, 4)
}

// givesUp wants that the page says so after the browser has asked for it some times.
func givesUp(ctx context.Context, t *testing.T, g *Gateway, asked uint64) {
	t.Helper()
	must(t, chromedp.Do(ctx, chromedp.Navigate(addressOf(g))))
	eventuallySays(ctx, t, `String(!document.getElementById("kept").hidden)`, func(text string) bool { return text == "true" })
	time.Sleep(time.Second)                                             // in which it could come back
	if got := g.Counter().Total().Asked; got < asked || got > asked+3 { // it asks for an icon of its own
		t.Errorf("the browser asked %d times, want %d", got, asked)
	}
}

func addressOf(g *Gateway) string {
	_, port, _ := strings.Cut(g.Addr().String(), ":")
	return "http://" + flooded + ":" + port + "/"
}

// browse starts a browser of which the flooded subdomain is on this machine.
func browse(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs chromium: apt-get install chromium")
	}
	limit, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(stop)
	alloc, end := chromedp.NewExecAllocator(limit, append(
		chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("host-resolver-rules", "MAP "+flooded+" 127.0.0.1"),
	)...)
	t.Cleanup(end)
	ctx, closeTab := chromedp.NewContext(alloc)
	t.Cleanup(closeTab)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // gone before its folder is removed
	must(t, chromedp.Do(ctx, chromedp.Navigate("about:blank")))
	return ctx
}

// eventuallySays waits until the page says what it should; it may be on its way to the
// next page in between.
func eventuallySays(ctx context.Context, t *testing.T, expression string, well func(string) bool) {
	t.Helper()
	text := ""
	for end := time.Now().Add(90 * time.Second); !well(text); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 90 s; %s is %q", expression, text)
		}
		text, _ = chromedp.Run(ctx, chromedp.Evaluate[string](expression))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
