package web

import (
	"fmt"
	"net/http"
	"testing"
)

func TestWhoseStreamsAreCountedTogether(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:4711":              "192.0.2.7",
		"192.0.2.8:4711":              "192.0.2.8",
		"[::ffff:192.0.2.7]:4711":     "192.0.2.7",
		"[2001:db8:1:2::1]:4711":      "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::9]:4712": "2001:db8:1:2::/64",
		"[2001:db8:1:3::1]:4711":      "2001:db8:1:3::/64",
		"[fe80::1%eth0]:4711":         "fe80::/64",
		"@":                           "@", // a socket of the machine
	} {
		if got := addressOf(&http.Request{RemoteAddr: remote}); got != want {
			t.Errorf("%s counts as %s, want %s", remote, got, want)
		}
	}
}

// One who is sent away and does not read goes on until a write to it fails: such streams
// are bounded too.
func TestStreamsThatHaveToLeaveAreBounded(t *testing.T) {
	const most = 16
	s := New(Config{MaxStreams: most})
	s.SetPage(fleetPage(7))
	var greedy, others []*seat
	for range most {
		greedy = append(greedy, s.enter("greedy"))
	}
	come := func() *seat {
		x := s.enter(fmt.Sprint("other ", len(others)))
		if x != nil {
			others = append(others, x)
		}
		return x
	}
	for come() != nil {
		if len(others) > most {
			t.Fatal("each newcomer sends another one away")
		}
	}
	if len(others) != s.mostLeaving() {
		t.Errorf("%d came in while nobody left, want %d", len(others), s.mostLeaving())
	}
	for i, x := range greedy {
		select {
		case <-x.away:
			s.leave(x)
			greedy[i] = nil
		default:
		}
	}
	if come() == nil {
		t.Error("those who were sent away have left, and nobody else comes in")
	}
	for _, x := range append(greedy, others...) {
		if x != nil {
			s.leave(x)
		}
	}
	if s.streams != 0 || s.leaving != 0 || len(s.seats) != 0 {
		t.Errorf("%d streams, %d leave and %d places are taken when all have left", s.streams, s.leaving, len(s.seats))
	}
	s.Close()
}
