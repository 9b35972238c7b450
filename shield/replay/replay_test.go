package replay

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"moonwatch/shield"
)

func TestLinesAreRead(t *testing.T) {
	second := time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC)
	for line, want := range map[string]Request{
		`www.example.com:443 192.0.2.1 - - [01/Mar/2026:12:00:05 +0000] "GET /a HTTP/1.1" 200 123`:                    {At: second, Host: "www.example.com:443", Client: "192.0.2.1", Status: 200, coarse: true},
		`www.example.com 2001:db8::1 - ann [01/Mar/2026:13:00:05 +0100] "GET /a\"b HTTP/1.1" 503 - "-" "Mozilla (X)"`: {At: second, Host: "www.example.com", Client: "2001:db8::1", Status: 503, coarse: true},
		`192.0.2.1 - - [01/Mar/2026:12:00:05 +0000] "GET /a HTTP/1.1" 404 0 "-" "-"`:                                  {At: second, Host: "of.the.flag", Client: "192.0.2.1", Status: 404, coarse: true},
		`192.0.2.1 - ann [01/Mar/2026:12:00:05 +0000] "GET http://b.example.com/a HTTP/1.1" 200 1`:                    {At: second, Host: "b.example.com", Client: "192.0.2.1", Status: 200, coarse: true},
		`192.0.2.1 - - [01/Mar/2026:12:00:05 +0000] "" 400 0`:                                                         {At: second, Host: "of.the.flag", Client: "192.0.2.1", Status: 400, coarse: true},
		`{"time":"2026-03-01T12:00:05.25Z","host":"a.example","remote_addr":"192.0.2.1","status":200,"request_time":"0.125"}`: {
			At: second.Add(250 * time.Millisecond), Host: "a.example", Client: "192.0.2.1", Status: 200, Took: 125 * time.Millisecond,
		},
		`{"ts":1772366405.5,"request":{"remote_ip":"192.0.2.1","host":"a.example:8443"},"status":200,"duration":0.5}`: {
			At: second.Add(500 * time.Millisecond), Host: "a.example:8443", Client: "192.0.2.1", Status: 200, Took: 500 * time.Millisecond,
		},
		`{"@timestamp":1772366405500,"client":"192.0.2.1","code":"302"}`: {At: second.Add(500 * time.Millisecond), Host: "of.the.flag", Client: "192.0.2.1", Status: 302},
	} {
		got, err := parse(line, "of.the.flag")
		got.At = got.At.UTC()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %+v, %v\nwant %+v", line, got, err, want)
		}
	}
	for line, want := range map[string]string{
		"hello": `want "[HOST[:PORT] ]CLIENT`,
		`192.0.2.1 - - [yesterday at noon, or so] "GET / HTTP/1.1" 200 1`:   `its time is "yesterday at noon, or so", want`,
		`192.0.2.1 - - [01/Mar/2026:12:00:05 +0000] "GET / HTTP/1.1" 200 1`: "it names no host",
		`{"status":200}`: "it has no time: want a key called one of time, ts",
		`{"time":"soon","status":200,"client":"x"}`:              `its time is "soon", want RFC 3339`,
		`{"time":1,"client":"x"}`:                                "it has no status",
		`{"time":1,"status":99,"client":"x"}`:                    `its status is "99", want 100 to 599`,
		`{"time":1,"status":200}`:                                "it has no client",
		`{"time":`:                                               "it begins as JSON and is none",
		`{"time":1e300,"status":200,"client":"x","host":"a.ex"}`: "its time is",
	} {
		if _, err := parse(line, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", line, err, want)
		}
	}
}

// Where a log tells of seconds, its requests come evenly over each.
func TestTheRequestsOfASecondComeOverIt(t *testing.T) {
	var log strings.Builder
	for s := range 3 {
		for range 4 {
			fmt.Fprintf(&log, "a.example 192.0.2.1 - - [01/Mar/2026:12:00:0%d +0000] \"GET / HTTP/1.1\" 200 1\n", s)
		}
	}
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	n := 0
	lines, err := Read(strings.NewReader(log.String()), "", func(q Request) {
		if got, want := q.At.Sub(began), time.Duration(n)*250*time.Millisecond; got != want {
			t.Errorf("request %d comes at %v, want %v", n, got, want)
		}
		n++
	})
	if err != nil || n != 12 || lines.Read != 12 || lines.Skipped != 0 {
		t.Errorf("%d requests, %+v, %v", n, lines, err)
	}
}

func TestALineTooLongIsPassedOver(t *testing.T) {
	const line = "a.example 192.0.2.1 - - [01/Mar/2026:12:00:00 +0000] \"GET / HTTP/1.1\" 200 1"
	long := line + strings.Repeat(" x", mostLine)
	n := 0
	lines, err := Read(strings.NewReader(line+"\r\n\n"+long+"\n"+line+"\n"+long+line), "", func(Request) { n++ })
	if err != nil || n != 2 || lines.Read != 4 || lines.Skipped != 2 || !strings.Contains(lines.First[0].Text, "longer than 1048576 bytes") {
		t.Errorf("%d requests, %+v, %v", n, lines, err)
	}
	broken := io.MultiReader(strings.NewReader(line+"\n"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := Read(broken, "", func(Request) {}); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "after line 1") {
		t.Errorf("a log that breaks off: %v", err)
	}
}

// stray is a line with a wrong date, before a request of play.
type stray struct {
	request int
	at      time.Time
}

// play has ten tenants ask, and one of them for more from a moment on.
func play(t *testing.T, cfg Config, flood int, from, to, long time.Duration, stray ...stray) Result {
	t.Helper()
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	owed, n := 0.0, 0
	add := func(at time.Time, host string) {
		n++
		for _, s := range stray {
			if n == s.request {
				r.Add(Request{At: s.at, Host: "stray.example.com", Client: "192.0.2.1", Status: 200})
			}
		}
		r.Add(Request{At: at, Host: host, Client: fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255), Status: 200})
	}
	for at := time.Duration(0); at < long; at += 10 * time.Millisecond {
		add(began.Add(at), fmt.Sprintf("tenant-%d.example.com", n%10))
		if at >= from && at < to {
			for owed += float64(flood) / 100; owed >= 1; owed-- {
				add(began.Add(at), "flooded.example.com")
			}
		}
	}
	return r.End()
}

func TestAFloodIsShownFromItsBeginToItsEnd(t *testing.T) {
	x := play(t, Config{Capacity: 300}, 3000, 20*time.Second, 40*time.Second, 80*time.Second)
	if len(x.Held) != 1 || x.Held[0].Host != "flooded.example.com" || x.Held[0].Rung != "shape-local" {
		t.Fatalf("held: %+v", x.Held)
	}
	s := x.Held[0]
	if late := s.From.Sub(x.From.Add(20 * time.Second)); late < 0 || late > time.Second {
		t.Errorf("held %v after the begin of the flood", late)
	}
	if after := s.To.Sub(x.From.Add(40 * time.Second)); after < 0 || after > 20*time.Second {
		t.Errorf("released %v after its end", after)
	}
	if s.Refused != x.Refused || s.Refused < 50_000 || s.Admit > 100 || s.Demand < 2500 || s.Why == "" {
		t.Errorf("got %+v, refused in all %d", s, x.Refused)
	}
	if again := play(t, Config{Capacity: 300}, 3000, 20*time.Second, 40*time.Second, 80*time.Second); !reflect.DeepEqual(again, x) {
		t.Errorf("the second time: %+v", again)
	}
}

// TestNamesOfAFloodDoNotBecomeKnown floods a tenant that answers any name well with two
// thousand names by turns. They share one bucket, and none of them leaves it under
// pressure: else the flood would be growth of everybody within seconds.
func TestNamesOfAFloodDoNotBecomeKnown(t *testing.T) {
	r, err := New(Config{Capacity: 200})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for second := range 120 {
		var hosts []string
		for n := range 100 { // in the first part of each second, as where a log tells of seconds alone
			hosts = append(hosts, fmt.Sprintf("tenant-%d.example.com", n%20))
		}
		for n := 0; second >= 30 && n < 600; n++ {
			hosts = append(hosts, fmt.Sprintf("made-up-%d.example.com", (600*second+n)%2000))
		}
		for n, host := range hosts {
			at := began.Add(time.Duration(second)*time.Second + time.Second*time.Duration(n)/time.Duration(len(hosts)))
			r.Add(Request{At: at, Host: host, Client: fmt.Sprintf("10.0.%d.%d", n/250, n%250), Status: 200})
		}
	}
	x := r.End()
	if len(x.Overload) > 0 || len(x.Held) != 1 || x.Held[0].Host != "*.example.com" {
		t.Errorf("held %+v, overload %+v", x.Held, x.Overload)
	}
	if made, free := 90*600, 90*100; x.Refused < made-free {
		t.Errorf("%d of %d made-up requests would have been refused, want all but the %d that are free", x.Refused, made, free)
	}
}

// A line with a wrong date, first of all or among the others, changes nothing.
func TestALineFromTheFutureIsPassedOver(t *testing.T) {
	const from, to, long = 20 * time.Second, 40 * time.Second, 60 * time.Second
	want := play(t, Config{Capacity: 300}, 3000, from, to, long)
	future := time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
	got := play(t, Config{Capacity: 300}, 3000, from, to, long,
		stray{1, future}, stray{2, future.AddDate(-1, 0, 0)}, stray{1500, future}, stray{1501, future}, stray{5000, future.AddDate(1, 0, 0)})
	if want.Ahead = 5; !reflect.DeepEqual(got, want) {
		t.Errorf("with it: %+v\nwithout: %+v", got, want)
	}
}

// A log that is silent for a night goes on after it, also where it has few lines more.
func TestALogGoesOnAfterANight(t *testing.T) {
	for _, more := range []int{1, believed - 1, believed, 3 * believed} {
		r, err := New(Config{Capacity: 300})
		if err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 3, 1, 22, 0, 0, 0, time.UTC)
		for range 3 * believed {
			r.Add(Request{At: at, Host: "a.example.com", Client: "192.0.2.1", Status: 200})
			at = at.Add(time.Second)
		}
		at = at.Add(8 * time.Hour)
		for range more {
			r.Add(Request{At: at, Host: "a.example.com", Client: "192.0.2.1", Status: 200})
			at = at.Add(time.Second)
		}
		if x := r.End(); x.Requests != 3*believed+more || x.Ahead != 0 || x.Late != 0 || at.Sub(x.To) > 2*time.Second {
			t.Errorf("%d more: %+v", more, x)
		}
	}
}

func TestWithRoomForAllNobodyIsHeld(t *testing.T) {
	if x := play(t, Config{Capacity: 10_000}, 3000, 5*time.Second, 10*time.Second, 15*time.Second); x.Refused > 0 || len(x.Held) > 0 {
		t.Errorf("got %+v", x)
	}
}

// A rung that is allowed is climbed to, by the vote of the only door, and no further.
func TestAVotedRungIsShown(t *testing.T) {
	for highest, want := range map[shield.Rung]string{shield.Challenge: "challenge", shield.Stop: "stop"} {
		x := play(t, Config{Capacity: 300, Highest: highest}, 6000, 20*time.Second, 80*time.Second, 120*time.Second)
		if len(x.Held) == 0 || x.Held[0].Rung != want {
			t.Errorf("up to %v: %+v", highest, x.Held)
		}
	}
	x := play(t, Config{Capacity: 300, Highest: shield.Stop, NeverStop: []string{"flooded.example.com"}}, 6000, 20*time.Second, 80*time.Second, 120*time.Second)
	if len(x.Held) == 0 || x.Held[0].Rung != "challenge" {
		t.Errorf("never to be stopped: %+v", x.Held)
	}
}

// Weeks without a request, and clocks that jump back, cost nothing and hold nobody.
func TestGapsAndJumpsAreNoWork(t *testing.T) {
	r, err := New(Config{Capacity: 300})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for range 50 {
		r.Add(Request{At: at, Host: "a.example.com", Client: "192.0.2.1", Status: 200})
		at = at.Add(100 * 24 * time.Hour)
	}
	for range believed {
		r.Add(Request{At: at, Host: "a.example.com", Client: "192.0.2.1", Status: 200})
	}
	r.Add(Request{At: at.Add(-1000 * 24 * time.Hour), Host: "a.example.com", Client: "192.0.2.1", Status: 200})
	if x := r.End(); x.Requests != 51+believed || x.Late != 1 || x.Refused > 0 || len(x.Held) > 0 {
		t.Errorf("got %+v", x)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`www.example.com:443 192.0.2.1 - - [01/Mar/2026:12:00:05 +0000] "GET /a HTTP/1.1" 200 123`)
	f.Add(`{"time":"2026-03-01T12:00:05.25Z","host":"a.example","remote_addr":"192.0.2.1","status":200}`)
	f.Fuzz(func(t *testing.T, line string) {
		if q, err := parse(line, "x.example"); err == nil && (q.Host == "" || q.Status < 100) {
			t.Errorf("%q became %+v", line, q)
		}
	})
}
