package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"moonwatch/shield"
)

// Whatever subdomains come and go: there are no more places than there are, nobody is
// refused who has less than an even part, and only who has the most loses its oldest.
func TestPlacesAreSharedEvenly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 12).Draw(t, "places")
		s := newPlaces(most)
		s.leaving = 1 << 20
		had := make(map[shield.Key][]*place) // the oldest first
		under, lost := 0, []*place(nil)
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				k := shield.Key(rapid.IntRange(1, 6).Draw(t, "subdomain"))
				largest := 0
				for _, l := range had {
					largest = max(largest, len(l))
				}
				told := 0
				p, none := s.take(k, func() { told++ })
				if p == nil {
					if none != (len(had[k]) == 0) {
						t.Fatalf("one with %d places is refused, none: %v", len(had[k]), none)
					}
					if under < most || largest >= len(had[k])+2 {
						t.Fatalf("one with %d is refused, of %d places %d are taken and one has %d", len(had[k]), most, under, largest)
					}
					return
				}
				before := under
				for of, l := range had {
					if l[0].of != nil {
						continue
					}
					if before < most || len(l) != largest || len(l) < len(had[k])+2 {
						t.Fatalf("%d lost one of %d to one that has %d; the most is %d, %d of %d taken", of, len(l), len(had[k]), largest, before, most)
					}
					lost = append(lost, l[0])
					under--
					if had[of] = l[1:]; len(had[of]) == 0 {
						delete(had, of)
					}
				}
				had[k] = append(had[k], p)
				under++
				if told > 0 || under > most || before == most && under != most {
					t.Fatalf("%d places of %d are taken, of %d before", under, most, before)
				}
			},
			"release": func(t *rapid.T) {
				if under == 0 {
					t.Skip()
				}
				k := shield.Key(rapid.IntRange(1, 6).Draw(t, "subdomain"))
				l := had[k]
				if len(l) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(l)-1).Draw(t, "which")
				s.release(l[i])
				if had[k] = slices.Delete(l, i, i+1); len(had[k]) == 0 {
					delete(had, k)
				}
				under--
			},
			"end": func(t *rapid.T) {
				for _, p := range lost {
					s.release(p)
				}
				lost = nil
			},
			"": func(t *rapid.T) {
				if s.taken != under || s.left != len(lost) || len(s.holders) != len(had) || len(s.largest) != len(had) {
					t.Fatalf("%d taken, %d lost, %d and %d subdomains; want %d, %d and %d", s.taken, s.left, len(s.holders), len(s.largest), under, len(lost), len(had))
				}
			},
		})
	})
}

// Who has lost its place is under way until it has ended: so many may be, and then
// newcomers are refused.
func TestFewRequestsAreEndedAtOnce(t *testing.T) {
	s := newPlaces(8)
	for range 8 {
		_, _ = s.take(1, func() {})
	}
	for k := range shield.Key(2) {
		if p, _ := s.take(2+k, func() {}); p == nil {
			t.Fatal("no place beside one that has all")
		}
	}
	if p, _ := s.take(4, func() {}); p != nil {
		t.Error("a third one was ended before one of the first two had")
	}
}

// narrow is a gateway with eight places, whose occupant answers hosts that begin with "slow-"
// so long that no socket keeps it, or when it likes.
func narrow(t *testing.T) *Gateway {
	t.Helper()
	counter := newCounter(t)
	for _, host := range []string{"quick.example", "slow-1.example", "slow-2.example", "slow-3.example", "slow-4.example"} {
		counter.Learn([]byte(host))
	}
	answer, _ := long(1 << 30)
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasPrefix(r.Host, "slow-"):
			fmt.Fprint(w, "ok")
		case r.URL.Path == "/silent":
			<-r.Context().Done()
		case r.Method == http.MethodPost:
			_, _ = io.Copy(io.Discard, r.Body)
		default:
			answer(w, r)
		}
	})
	return open(t, Config{MaxInFlight: 8, MaxBody: 64, Counter: counter}, tableOf([]*service{s}))
}

func takenOf(g *Gateway) int {
	g.places.mu.Lock()
	defer g.places.mu.Unlock()
	return g.places.taken
}

// Whoever keeps its places, and however: other subdomains find one.
func TestSlowClientsMakeRoomForOtherSubdomains(t *testing.T) {
	for name, each := range map[string]struct {
		request string // after the host
		hosts   int
	}{
		"takes no answer":           {"GET / HTTP/1.1\r\nHost: %s\r\n\r\n", 1},
		"trickles a short body":     {"POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 50\r\n\r\nsome", 1},
		"trickles a long body":      {"POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 100000\r\n\r\nsome", 1},
		"is not answered":           {"GET /silent HTTP/1.1\r\nHost: %s\r\n\r\n", 1},
		"four of them take nothing": {"GET / HTTP/1.1\r\nHost: %s\r\n\r\n", 4},
	} {
		t.Run(name, func(t *testing.T) {
			g := narrow(t)
			var clients []net.Conn
			for i := range 8 {
				clients = append(clients, slow(t, g, byte(i+1), fmt.Sprintf(each.request, fmt.Sprintf("slow-%d.example", i%each.hosts+1))))
				wait(t, "its place", func() bool { return takenOf(g) == i+1 })
			}
			c := client(t)
			if status, text, _ := ask(t, c, g, "GET", "slow-1.example", ""); status != http.StatusServiceUnavailable {
				t.Errorf("one more of who has the most got %d %s", status, text)
			}
			for i := range 4 {
				if status, text, _ := ask(t, c, g, "GET", "quick.example", ""); status != http.StatusOK {
					t.Errorf("visitor %d of another subdomain got %d %s", i, status, text)
				}
			}
			if !ended(clients[0]) {
				t.Error("the oldest request goes on")
			}
			displaced := func() float64 {
				return testutil.ToFloat64(g.metrics.requests.WithLabelValues(string(resultDisplaced)))
			}
			wait(t, "who made room to be counted", func() bool { return displaced() == 1 })
			wait(t, "the others to keep their places", func() bool { return g.Stats().InFlight == 7 })
			for _, x := range clients {
				x.Close()
			}
			wait(t, "all places to be free", func() bool { return takenOf(g) == 0 && g.Stats().InFlight == 0 })
		})
	}
}

// Who made room is told to come back, if its answer had not begun.
func TestWhoMadeRoomIsTold(t *testing.T) {
	g := narrow(t)
	first := slow(t, g, 1, "GET /silent HTTP/1.1\r\nHost: slow-1.example\r\n\r\n")
	for i := range 8 {
		wait(t, "its place", func() bool { return takenOf(g) == i+1 })
		if i < 7 {
			slow(t, g, byte(i+2), "GET /silent HTTP/1.1\r\nHost: slow-1.example\r\n\r\n")
		}
	}
	if status, _, _ := ask(t, client(t), g, "GET", "quick.example", ""); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	_ = first.SetReadDeadline(time.Now().Add(30 * time.Second))
	text, err := io.ReadAll(first)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 503") || !strings.Contains(string(text), "Retry-After: ") {
		t.Errorf("got %q, %v", text, err)
	}
}
