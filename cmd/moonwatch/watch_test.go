package main

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/cobra"

	"moonwatch/status"
	"moonwatch/status/web"
)

// TestWatchGoesOnThroughAnAgentThatIsGone and shows what has changed, once.
func TestWatchGoesOnThroughAnAgentThatIsGone(t *testing.T) {
	page := fixture(t, "page-open.json")
	pages := web.New(web.Config{})
	t.Cleanup(pages.Close)
	pages.SetPage(page)
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := first.Addr().String()
	s := &http.Server{Handler: pages}
	go s.Serve(first) //nolint:errcheck // ends with Close
	a := newApp(t)
	var out, errw heard
	a.out, a.errw = &out, &errw
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	code := make(chan int, 1)
	go func() { code <- a.run(ctx, []string{"slots", "--watch=200ms", "--agent", at}) }()
	out.until(t, "slot-2  web   drained")
	s.Close()
	errw.until(t, "asking on")
	page.Slots = slices.Clone(page.Slots)
	page.Slots[2].State, page.Slots[2].Occupant = status.SlotServing, "spare-1"
	pages.SetPage(page)
	second, err := net.Listen("tcp", at)
	if err != nil {
		t.Skip("another process has taken the port: ", err)
	}
	again := &http.Server{Handler: pages}
	go again.Serve(second) //nolint:errcheck // ends with Close
	t.Cleanup(func() { again.Close() })
	out.until(t, "serving  spare-1")
	cancel()
	if got := <-code; got != exitOK {
		t.Errorf("exit %d after Ctrl-C", got)
	}
	if n := strings.Count(out.b.String(), "SLOT EPOCH"); n != 2 {
		t.Errorf("the table stands there %d times, want once for each change:\n%s", n, out.b.String())
	}
	if n := strings.Count(errw.b.String(), "asking on"); n != 1 {
		t.Errorf("it is said %d times that nobody answers", n)
	}
}

func TestWatchInJSONIsADocumentALine(t *testing.T) {
	var asked atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pages := web.New(web.Config{})
	t.Cleanup(pages.Close)
	pages.SetPage(fixture(t, "page-open.json"))
	agent := served(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 3 {
			cancel()
		}
		pages.ServeHTTP(w, r)
	}))
	a := newApp(t)
	var out, errw heard
	a.out, a.errw = &out, &errw
	if code := a.run(ctx, []string{"status", "--watch=200ms", "-o", "json", "--agent", agent}); code != exitOK {
		t.Errorf("exit %d: %s", code, errw.b.String())
	}
	lines := strings.Split(strings.TrimSpace(out.b.String()), "\n")
	if len(lines) < 2 || !strings.HasPrefix(lines[0], `{"schema":1`) || lines[0] != lines[1] {
		t.Errorf("%d lines, the first %.80s", len(lines), lines[0])
	}
}

func TestWatchEndsWithAMistake(t *testing.T) {
	agent := agentWith(t, fixture(t, "page-open.json"), nil)
	call(t, "members", "--watch=1ms", "--agent", agent).wants(t, exitUsage, "want at least 200ms")
	call(t, "explain", "V-99", "--watch", "--agent", agent).wants(t, exitError, "verdicts: V-3")
	call(t, "members", "--watch", "--agent", "127.0.0.1:1").wants(t, exitError, "nobody listens there")
}

// TestWhatOnlyLooksCanBeWatched and told how to print; what does something is done once.
func TestWhatOnlyLooksCanBeWatched(t *testing.T) {
	var walk func(c *cobra.Command)
	look := map[string]bool{}
	walk = func(c *cobra.Command) {
		if c.Flags().Lookup("watch") != nil {
			look[c.CommandPath()] = true
			for _, flag := range []string{"output", "no-color", "agent"} {
				if c.Flags().Lookup(flag) == nil {
					t.Errorf("%s has --watch and no --%s", c.CommandPath(), flag)
				}
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newApp(t).root())
	for _, want := range []string{"status", "members", "observers", "slots", "spares", "verdicts", "failovers", "incidents", "holds", "approvals", "explain", "council", "shield top", "shield list", "notify list"} {
		if !look["moonwatch "+want] {
			t.Errorf("%s cannot be watched", want)
		}
		delete(look, "moonwatch "+want)
	}
	for never := range look {
		if never != "moonwatch shield explain" && never != "moonwatch cert list" {
			t.Errorf("%s can be repeated by --watch: does it only look?", never)
		}
	}
}
