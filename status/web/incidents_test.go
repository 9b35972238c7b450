package web

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// outagesPast is a past of n outages, an hour from each other, of which the last goes on.
func outagesPast(n int) status.Past {
	p := pastOf(status.Day, 90, 1)
	p.Outages = nil
	for i := range n {
		at := p.Now.Add(-time.Duration(i) * time.Hour)
		o := status.Outage{
			Slot: member.SlotID(fmt.Sprintf("web-%d", i)), Pool: "web", From: at, To: at.Add(4240 * time.Millisecond),
			Subject: member.ID(fmt.Sprintf("m-%d", i)), Case: fmt.Sprintf("C-%d", 1001-i), Fact: uint64(1000 - i),
		}
		if i == 0 {
			o.To = time.Time{}
		}
		p.Outages = append(p.Outages, o)
	}
	return p
}

func TestThePageListsTheLastIncidents(t *testing.T) {
	s := New(Config{})
	t.Cleanup(s.Close)
	past := outagesPast(30)
	for i := range 4 { // as many again in the last one
		past.Outages = append(past.Outages, status.Outage{
			Slot: member.SlotID(fmt.Sprintf("api-%d", i)), Pool: "api", From: past.Now, Subject: member.ID(fmt.Sprintf("n-%d", i)), Case: fmt.Sprintf("C-20%d", i), Fact: 2000,
		})
	}
	s.SetPast(past)
	s.SetPast(pastOf(status.Hour, 48, 9))
	s.SetPage(fleetPage(7))
	now := sectionOf(t, get(s, "/").Body.String(), "incidents")
	for _, want := range []string{
		`href="/explain/I-1000?lang=en"`, "it goes on", ">4.2 s<", `href="/explain/m-0?lang=en"`, `href="/explain/C-1001?lang=en"`,
		"api-0, api-1, api-2 &#43;2", "minor", "And 24 more.", `href="/history?lang=en#incidents"`, "moonwatch incidents",
	} {
		if !strings.Contains(now, want) {
			t.Errorf("it lacks %q: %s", want, now)
		}
	}
	if n := strings.Count(now, `href="/explain/I-`); n != shownIncidents {
		t.Errorf("%d incidents, want the last %d", n, shownIncidents)
	}
	for _, id := range []string{"I-1000", "I-971"} { // also one that is further back than the list
		if w := get(s, "/explain/"+id); w.Code != 200 || !strings.Contains(w.Body.String(), "/explain/C-") {
			t.Errorf("%s leads to %d: %s", id, w.Code, w.Body)
		}
	}
	before := sectionOf(t, get(s, "/history").Body.String(), "incidents")
	if n := strings.Count(before, `href="/explain/I-`); n != shownIncidentsPast || !strings.Contains(before, "And 10 more: moonwatch incidents --last 0") {
		t.Errorf("the history has %d incidents, want %d and how many more: %s", n, shownIncidentsPast, before)
	}
	if strings.Contains(get(s, "/history?span=48h").Body.String(), `id="incidents"`) {
		t.Error("of two days the first outage of an incident may be unknown, and so its number")
	}
}

func TestWithoutIncidentsThePageSaysSo(t *testing.T) {
	s := open(t, fleetPage(7))
	if got := sectionOf(t, get(s, "/").Body.String(), "incidents"); !strings.Contains(got, "Not known yet.") {
		t.Errorf("before the past is there: %s", got)
	}
	s = New(Config{})
	t.Cleanup(s.Close)
	s.SetPast(outagesPast(0))
	s.SetPage(fleetPage(7))
	if got := sectionOf(t, get(s, "/").Body.String(), "incidents"); !strings.Contains(got, "None in the last 90 days.") {
		t.Errorf("without any: %s", got)
	}
}

// TestNewsOfAnIncidentIsPushed: the past is told after the page, and by itself. What merely
// goes on is no news.
func TestNewsOfAnIncidentIsPushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, fleetPage(7))
		tell := func(p status.Past) string {
			s.SetPast(p)
			time.Sleep(2 * pageGap) // of the bubble
			synctest.Wait()
			return s.current().id
		}
		before := s.current()
		begun := outagesPast(1)
		first := tell(begun)
		if first == before.id || !strings.Contains(get(s, "/").Body.String(), "I-1000") {
			t.Error("an incident began, and the page does not tell")
		}
		select {
		case <-before.superseded:
		default:
			t.Error("open streams are not told")
		}
		if now := s.current(); now.heard.Load() != before.heard.Load() {
			t.Error("the agent seems to have confirmed its page at another time")
		}
		begun.Now, begun.AsOf = begun.Now.Add(time.Minute), begun.AsOf.Add(time.Minute)
		begun.Outages[0].Held = 60000
		if tell(begun) != first {
			t.Error("it goes on, which is no news")
		}
		begun.Outages[0].To = begun.Now
		if tell(begun) == first || strings.Contains(get(s, "/").Body.String(), "it goes on") {
			t.Error("it is over, and the page does not tell")
		}
	})
}
