package status

import (
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

// TestPeopleAreToldOfCertificates 21, 7 and 1 days before their end, and at it; once each
// time, for all that end on that day. A renewal ends it, and nothing is ever a verdict.
func TestPeopleAreToldOfCertificates(t *testing.T) {
	s := newStory(t)
	n := newNewsroom(t, "spare-1")
	ends := s.now.Truncate(24 * time.Hour).Add(30*24*time.Hour + 12*time.Hour)
	says := map[member.ID]time.Time{"web-1": ends, "web-2": ends.Add(10 * time.Second), "web-3": ends.Add(80 * 24 * time.Hour)}
	page := func(now time.Time) Page {
		in := s.input()
		in.Now = now
		for i, x := range in.View {
			in.View[i].Says = says[x.Name]
		}
		p := Build(in)
		p.Pools, p.Verdicts = nil, nil // spares whose proofs are old are another matter
		return p
	}
	told := func(left time.Duration) []Message {
		t.Helper()
		n.got = nil
		n.during(2*time.Minute, page, ends.Add(-left))
		return n.got
	}
	day := 24 * time.Hour
	id := "certificates/" + ends.Format(time.DateOnly)
	for _, x := range []struct {
		left  time.Duration
		says  HeraldSays
		stage string
		sev   Severity
	}{
		{25 * day, "", "", ""},
		{21 * day, SaysBegun, endsIn21, Warning},
		{20 * day, "", "", ""},
		{7 * day, SaysChanged, endsIn7, Warning},
		{6 * day, "", "", ""},
		{day, SaysChanged, endsLastDay, Critical},
		{time.Hour, "", "", ""},
		{0, SaysChanged, hasEnded, Critical},
		{-day, "", "", ""},
	} {
		got := told(x.left)
		switch {
		case x.says == "" && len(got) == 0:
		case len(got) != 1 || x.says == "":
			t.Errorf("%v before: %d messages: %v", x.left, len(got), n.told())
		case got[0].Notice.ID != id || got[0].Says != x.says || got[0].Notice.Stage != x.stage || got[0].Notice.Severity != x.sev:
			t.Errorf("%v before: %+v", x.left, got[0])
		case !strings.Contains(got[0].Notice.What, "web-1") || !strings.Contains(got[0].Notice.What, "web-2") || strings.Contains(got[0].Notice.What, "web-3"):
			t.Errorf("%v before: %s", x.left, got[0].Notice.What)
		}
	}
	for _, m := range page(ends.Add(day)).Members {
		if m.Verdict != "" {
			t.Errorf("%s is %s", m.ID, m.Verdict)
		}
	}

	// An agent that was started anew has heard nothing of web-1 yet: that is no renewal.
	n.restart("spare-1")
	was := says["web-1"]
	delete(says, "web-1")
	delete(says, "web-2")
	if got := told(-2 * day); len(got) != 0 {
		t.Errorf("after a restart: %v", n.told())
	}
	says["web-1"], says["web-2"] = was.Add(90*day), was.Add(90*day)
	if got := told(-3 * day); len(got) != 1 || got[0].Says != SaysEnded {
		t.Errorf("after the renewal: %v", n.told())
	}
}

// endingPages shows a story's members with what they say of their certificates.
func endingPages(s *story, says map[member.ID]time.Time) func(now time.Time) Page {
	return func(now time.Time) Page {
		in := s.input()
		in.Now = now
		for i, x := range in.View {
			in.View[i].Says = says[x.Name]
		}
		p := Build(in)
		p.Pools, p.Verdicts = nil, nil // spares whose proofs are old are another matter
		return p
	}
}

// TestNoCertificateIsSaidToHaveEndedBeforeItHas although another one of that day has; when it
// does, people hear of it. What was issued together is one message.
func TestNoCertificateIsSaidToHaveEndedBeforeItHas(t *testing.T) {
	s := newStory(t)
	n := newNewsroom(t, "spare-1")
	first := s.now.Truncate(24 * time.Hour).Add(10*24*time.Hour + 5*time.Minute)
	second := first.Add(3 * time.Minute)
	last := first.Add(23*time.Hour + 45*time.Minute)
	page := endingPages(s, map[member.ID]time.Time{"web-1": first, "web-2": last, "web-3": second})
	n.during(2*time.Minute, page, first.Add(-time.Hour))
	n.got = nil
	n.during(time.Hour, page, first)
	if len(n.got) != 1 {
		t.Fatalf("at the first end: %s", n.told())
	}
	if what, want := n.got[0].Notice.What, "The certificate of web-1 has ended at "+moment(first)+": who connects anew refuses it. "+
		"The certificate of web-3 ends at "+moment(second)+". The certificate of web-2 ends at "+moment(last)+"."; what != want {
		t.Errorf("at the first end:\n%s\nwant:\n%s", what, want)
	}
	n.got = nil
	n.during(time.Hour, page, last)
	if len(n.got) != 1 || n.got[0].Says != SaysChanged {
		t.Fatalf("at the last end: %s", n.told())
	}
	if what, want := n.got[0].Notice.What, "The certificate of web-1, web-3 has ended at "+moment(first)+": who connects anew refuses it. "+
		"The certificate of web-2 has ended at "+moment(last)+": who connects anew refuses it."; what != want {
		t.Errorf("at the last end:\n%s\nwant:\n%s", what, want)
	}
}

// TestARestartTellsNothingAgainOfCertificates: who is not heard yet, or never again for its
// machine is gone, stands as it was; another one's end is told all the same.
func TestARestartTellsNothingAgainOfCertificates(t *testing.T) {
	s := newStory(t)
	n := newNewsroom(t, "spare-1")
	first := s.now.Truncate(24 * time.Hour).Add(10*24*time.Hour + 5*time.Minute)
	last := first.Add(6 * time.Hour)
	says := map[member.ID]time.Time{"web-1": first, "web-2": last}
	page := endingPages(s, says)
	n.during(2*time.Minute, page, first)
	if len(n.got) != 1 || n.got[0].Notice.Stage != hasEnded {
		t.Fatalf("at the first end: %s", n.told())
	}
	n.restart("spare-1")
	n.got = nil
	delete(says, "web-1")
	n.during(5*time.Minute, page, first.Add(3*time.Minute))
	says["web-1"] = first
	n.during(5*time.Minute, page, first.Add(10*time.Minute))
	if len(n.got) != 0 {
		t.Errorf("after a restart: %s", n.told())
	}
	n.restart("spare-1")
	delete(says, "web-1")
	n.during(5*time.Minute, page, last)
	if len(n.got) != 1 || n.got[0].Says != SaysChanged || !strings.Contains(n.got[0].Notice.What, "The certificate of web-2 has ended") {
		t.Errorf("at the last end: %s", n.told())
	}
}

// TestAnOlderBuildIsNotAccusedOfItsOldCertificate which is the one that it was met with: it
// may have been renewed since, and the agent does not say so.
func TestAnOlderBuildIsNotAccusedOfItsOldCertificate(t *testing.T) {
	s := newStory(t)
	in := s.input()
	for i := range in.View {
		in.View[i].Key, in.View[i].Ends = make([]byte, 32), in.Now.Add(-time.Hour)
	}
	p := Build(in)
	if e := Endings(p); len(e) != 0 {
		t.Errorf("%+v", e)
	}
	if c := p.Members[0].Cert; c == nil || !c.Until.Equal(in.Now.Add(-time.Hour)) {
		t.Errorf("it was met with %+v", c)
	}
}
