package web

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"moonwatch/status"
)

// oracle explains everything with one line, and counts how often it is asked.
type oracle struct {
	line  atomic.Pointer[string]
	basis atomic.Int64
	asked atomic.Int64
}

func (o *oracle) says(line string) {
	o.line.Store(&line)
	o.basis.Add(1)
}

func (o *oracle) explain(id string) (status.Explanation, error) {
	o.asked.Add(1)
	return status.Explanation{ID: id, Lines: []string{*o.line.Load()}}, nil
}

// asks is a server whose explanations come from the oracle.
func asks(t *testing.T, o *oracle, basis func() any) *Server {
	t.Helper()
	s := New(Config{Explain: o.explain, Basis: basis})
	t.Cleanup(s.Close)
	s.SetPage(fleetPage(7))
	return s
}

func TestAnExplanationIsNeverOlderThanItsBasis(t *testing.T) {
	for name, basis := range map[string]func(*oracle) func() any{
		"known":   func(o *oracle) func() any { return func() any { return o.basis.Load() } },
		"unknown": func(*oracle) func() any { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			o := &oracle{}
			s := asks(t, o, basis(o))
			for i := range 5 {
				line := fmt.Sprintf("The ledger says %d.", i)
				o.says(line)
				for range 3 {
					w := get(s, "/explain/V-1")
					if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), line) {
						t.Fatalf("%d: it lacks %q: %s", w.Code, line, w.Body)
					}
				}
			}
			if n, most := o.asked.Load(), int64(5); name == "known" && n > most {
				t.Errorf("explained %d times, want at most %d: once for each basis", n, most)
			}
		})
	}
}

func TestAChangedPageChangesItsExplanationsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := lostPage()
		s := open(t, p)
		before := get(s, "/explain/V-411").Body.String()
		if !strings.Contains(before, "It stands.") {
			t.Fatalf("no verdict that stands: %s", before)
		}
		members := append([]status.Member(nil), p.Members...)
		for i := range members {
			members[i].Verdict, members[i].VerdictID = "", ""
		}
		p.Members = members
		s.SetPage(p)
		time.Sleep(pageGap) // of the bubble
		synctest.Wait()
		if after := get(s, "/explain/V-411").Body.String(); !strings.Contains(after, "It has been lifted.") {
			t.Errorf("it tells what was: %s", after)
		}
	})
}

func TestTheShieldsPageShowsWhatItsDoorSaysNow(t *testing.T) {
	d := floodedDoor()
	s := shielded(t, func() status.ShieldDocument { return d })
	for _, asked := range []float64{812, 455, 3} {
		d.Asked = asked
		want := fmt.Sprintf("<b>%.0f</b> a second", asked)
		for range 2 {
			if body := get(s, "/shield").Body.String(); !strings.Contains(body, want) {
				t.Errorf("it lacks %q", want)
			}
		}
	}
}

func TestKeptPagesAreBounded(t *testing.T) {
	o := &oracle{}
	o.says("So it is.")
	s := asks(t, o, func() any { return 1 })
	for i := range 10 * keptAnswers {
		get(s, fmt.Sprintf("/explain/V-%d", i))
		get(s, "/shield?lang=ja")
		if n := len(s.kept.pages); n > keptAnswers {
			t.Fatalf("%d pages are kept, want at most %d", n, keptAnswers)
		}
	}
}

func TestAPageIsForgottenAMinuteAfterItWasLastAskedFor(t *testing.T) {
	var k kept
	begun := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return begun.Add(time.Duration(seconds) * time.Second) }
	write := func() []byte { return []byte("it") }
	for _, name := range []string{"once", "again", "anew"} {
		k.page(at(0), name, 1, "so it is", write)
	}
	k.forget(at(59))
	if _, ok := k.made(at(59), "again", 1); !ok {
		t.Error("it is forgotten before a minute is over")
	}
	k.page(at(59), "anew", 2, "so it is", write)
	k.forget(at(60))
	if _, ok := k.pages["once"]; ok || len(k.pages) != 2 {
		t.Errorf("after a minute %d pages are kept, want the two that were asked for", len(k.pages))
	}
	k.forget(at(59 + 60))
	if len(k.pages) != 0 {
		t.Errorf("%d pages are kept that nobody asks for", len(k.pages))
	}
}

// An agent shows a page each second, whether anybody looks or not.
func TestNothingIsKeptWhenNobodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := stormPage()
		s := open(t, p)
		kept := func() int {
			s.kept.mu.Lock()
			defer s.kept.mu.Unlock()
			return len(s.kept.pages)
		}
		get(s, "/explain/V-411")
		get(s, "/shield")
		show := func(later time.Duration) {
			p.Now = p.Now.Add(later)
			s.SetPage(p)
			time.Sleep(2 * pageGap) // of the bubble
			synctest.Wait()
		}
		show(time.Second)
		if n := kept(); n != 2 {
			t.Fatalf("a second later %d pages are kept, want 2", n)
		}
		show(keptFor)
		if n := kept(); n != 0 {
			t.Errorf("%d pages are kept a minute after the last question", n)
		}
	})
}

func TestAKeptPageIsOfTheLanguageThatIsAskedFor(t *testing.T) {
	s := open(t, stormPage())
	for range 2 {
		for _, path := range []string{"/explain/V-411", "/shield"} {
			for _, code := range []string{"en", "ja"} {
				want := `<html lang="` + code + `">`
				for how, w := range map[string]string{
					"by address": get(s, path+"?lang="+code).Body.String(), "by header": get(s, path, "Accept-Language", code).Body.String(),
				} {
					if !strings.Contains(w, want) {
						t.Errorf("%s in %s %s lacks %s", path, code, how, want)
					}
				}
			}
		}
	}
	en, ja := get(s, "/explain/V-411?lang=en").Header().Get("Etag"), get(s, "/explain/V-411?lang=ja").Header().Get("Etag")
	if en == ja || en == "" {
		t.Errorf("both languages have the tag %s", en)
	}
	if w := get(s, "/explain/V-411?lang=ja", "If-None-Match", en); w.Code != http.StatusOK {
		t.Errorf("who has it in English is told %d when it asks for Japanese", w.Code)
	}
}

// What the console keeps is for the console: outside there is no such path, and what
// stands there names no member.
func TestNothingThatIsKeptIsShownOutside(t *testing.T) {
	p := stormPage()
	s := open(t, p)
	s.SetPast(pastOf(status.Day, 90, 200))
	outside := s.Public(shop)
	for range 2 {
		for _, path := range []string{"/explain/V-411", "/shield"} {
			if w := get(s, path); w.Code != http.StatusOK {
				t.Fatalf("%s: %d", path, w.Code)
			}
			if w := get(outside, path); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "web-") {
				t.Errorf("outside, %s is %d: %s", path, w.Code, w.Body)
			}
		}
		if body := get(outside, "/").Body.String(); strings.Contains(body, "V-411") || strings.Contains(body, `href="/explain`) {
			t.Error("outside, the page speaks of verdicts")
		}
	}
}

func TestManyWhoAskAtOnceWaitForOneWhoWrites(t *testing.T) {
	const many = 20
	var k kept
	var writes atomic.Int64
	write := func() []byte {
		writes.Add(1)
		return []byte("it")
	}
	begin := make(chan struct{})
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			<-begin
			if c := k.page(time.Time{}, "one", nil, "the same", write); string(c.plain) != "it" {
				t.Errorf("it is %q", c.plain)
			}
		})
	}
	close(begin)
	all.Wait()
	if n := writes.Load(); n != 1 {
		t.Errorf("written %d times, want once", n)
	}
	if c, ok := k.made(time.Time{}, "one", nil); ok {
		t.Errorf("of a page whose basis nobody knows it says that it is the same: %q", c.plain)
	}
}

// Answers share the values of their headers, so none may write into them.
func TestNoAnswerWritesIntoTheHeadersOfAnother(t *testing.T) {
	s := open(t, fleetPage(7))
	s.SetPast(pastOf(status.Day, 90, 7))
	outside := s.Public(shop)
	const header = "Cross-Origin-Resource-Policy"
	for range 2 {
		if got := get(outside, "/api/v2/status.json").Header().Get(header); got != "cross-origin" {
			t.Errorf("programs of other sites are told %q", got)
		}
		if got := get(s, "/").Header().Get(header); got != "same-origin" {
			t.Errorf("the console says %q", got)
		}
	}
}

// A page with a length is written at once, and in the form that its headers tell.
func TestAnAnswerTellsItsLength(t *testing.T) {
	s := open(t, stormPage())
	for _, encoding := range []string{"", "gzip"} {
		w := get(s, "/", "Accept-Encoding", encoding)
		if want := fmt.Sprint(w.Body.Len()); w.Header().Get("Content-Length") != want {
			t.Errorf("in encoding %q it tells %s bytes, and has %s", encoding, w.Header().Get("Content-Length"), want)
		}
		if w = get(s, "/", "Accept-Encoding", encoding, "If-None-Match", w.Header().Get("Etag")); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
			t.Errorf("who has it is told %d, and %d bytes", w.Code, w.Body.Len())
		}
	}
}
