//go:build real

package gateway

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"moonwatch/shield"
)

// A real browser comes through the challenge by itself, over plain HTTP, where browsers
// give pages no SHA-256 of their own.
func TestABrowserComesThroughTheChallengeByItself(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs chromium: apt-get install chromium")
	}
	g := shielded(t, Config{})
	g.Enforce(held(func(m *shield.Measure) { m.Rung, m.Admit = shield.Challenge, 0 }))
	limit, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	alloc, end := chromedp.NewExecAllocator(limit, append(
		chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("host-resolver-rules", "MAP "+flooded+" 127.0.0.1"),
	)...)
	defer end()
	ctx, closeTab := chromedp.NewContext(alloc)
	defer closeTab()
	defer func() { _ = chromedp.Cancel(ctx) }() // gone before its folder is removed
	_, port, _ := strings.Cut(g.Addr().String(), ":")
	if err := chromedp.Do(ctx, chromedp.Navigate("http://"+flooded+":"+port+"/")); err != nil {
		t.Fatal(err)
	}
	text := ""
	for end := time.Now().Add(90 * time.Second); !strings.HasPrefix(text, "GET"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not let in within 90 s; the page says %q", text)
		}
		text, _ = chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText")) // it may be on its way to the next page
	}
}
