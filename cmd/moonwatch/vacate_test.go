package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/status"
	"moonwatch/status/web"
)

// vacating is a fleet whose slot-1 people take away from web-2: before, while web-2 has yet
// to stop it, and when it has.
func vacating(t *testing.T) (before, stopping, after status.Page) {
	t.Helper()
	before = fixture(t, "page-open.json")
	before.Cluster = "shop"
	stopping = before
	stopping.Slots, stopping.Members = slices.Clone(before.Slots), slices.Clone(before.Members)
	for i := range stopping.Slots {
		if stopping.Slots[i].ID == "slot-1" {
			stopping.Slots[i].Occupant = ""
		}
	}
	after = stopping
	stopping.Members = slices.Clone(before.Members)
	for i := range stopping.Members {
		if stopping.Members[i].ID == "web-2" {
			stopping.Members[i].Leftover = []member.SlotID{"slot-1"}
		}
	}
	return before, stopping, after
}

// showing is an agent that shows a page, which may be exchanged, and takes commands.
func showing(t *testing.T, p status.Page, c *council) (agent string, pages *web.Server) {
	t.Helper()
	pages = web.New(web.Config{})
	pages.SetPage(p)
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	for path, h := range c.routes() {
		mux.HandleFunc(path, h)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(func() { s.Close(); pages.Close() })
	return s.URL, pages
}

func TestAVacateWaitsUntilTheSlotIsStopped(t *testing.T) {
	initialised(t)
	before, stopping, after := vacating(t)
	c := &council{outcome: accepted}
	agent, pages := showing(t, before, c)
	call(t, "vacate", "web-2", "--detach", "--reason", "r", "--agent", agent).wants(t, exitOK, "slot-1 is vacant since fact 12, and web-2 is told to stop it")
	var p failover.VacateOrdered
	if err := json.Unmarshal(c.taken.Load().Payload, &p); err != nil || p.Slot != "slot-1" || p.Subject != "web-2" || p.Epoch == 0 || p.Reason != "r" {
		t.Fatalf("%+v: %v", p, err)
	}

	a := newApp(t)
	var out, errw heard
	a.out, a.errw = &out, &errw
	code := make(chan int, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { code <- a.run(ctx, []string{"vacate", "slot-1", "--reason", "r", "--agent", agent}) }()
	errw.until(t, "waiting until web-2 has stopped it")
	pages.SetPage(stopping)
	select {
	case got := <-code:
		t.Fatalf("exit %d before it was stopped", got)
	default:
	}
	pages.SetPage(after)
	if got := <-code; got != exitOK {
		t.Errorf("exit %d", got)
	}
	out.until(t, "slot-1 is vacant, and stopped on web-2. fleet.yaml counts the slots slot-N, so slot-")
}

func TestAFillSaysWhichSlotItMeans(t *testing.T) {
	initialised(t)
	_, _, after := vacating(t)
	c := &council{outcome: accepted}
	agent, _ := showing(t, after, c)
	call(t, "fill", "slot-1", "--reason", "r", "--agent", agent).wants(t, exitOK, "slot-1 is filled since fact 12")
	var p failover.FillOrdered
	if err := json.Unmarshal(c.taken.Load().Payload, &p); err != nil || p.Slot != "slot-1" || p.Epoch == 0 {
		t.Fatalf("%+v: %v", p, err)
	}
	call(t, "vacate", "slot-1", "--reason", "r", "--agent", agent).wants(t, exitRefused, "slot-1 is vacant already")
	call(t, "fill", "slot-9", "--reason", "r", "--agent", agent).wants(t, exitUsage, "did you mean slot-")
	call(t, "fill", "slot-1", "--agent", agent).wants(t, exitUsage, "--reason is missing")
}
