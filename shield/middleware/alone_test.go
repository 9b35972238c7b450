package middleware

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"moonwatch/shield"
)

const (
	tenants = 10
	each    = 10 // requests a second of each tenant
	flooded = "flooded.example.com"
)

// site is a server of a few tenants in virtual time.
type site struct {
	guard   *Guard
	handler http.Handler
	asked   int

	most   int // requests a second that it serves; further ones are answered with 503. 0: all
	moment time.Time
	served int // in that hundredth of a second
}

func (s *site) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if now := time.Now().Truncate(10 * time.Millisecond); !now.Equal(s.moment) {
		s.moment, s.served = now, 0
	}
	if s.served++; s.most > 0 && s.served > s.most/100 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func open(t *testing.T, cfg Config) *site {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	g, err := New(cfg)
	must(t, err)
	s := &site{guard: g}
	s.handler = g.Wrap(s)
	return s
}

// ask asks as one of many clients and reports whether it was let in.
func (s *site) ask(host string) bool {
	s.asked++
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host, r.RemoteAddr = host, fmt.Sprintf("10.%d.%d.%d:40000", s.asked>>16&255, s.asked>>8&255, s.asked&255)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Code != http.StatusTooManyRequests
}

type tally struct{ innocentsRefused, floodAsked, floodLetIn int }

// play lets every tenant ask at its rate for a while, and the flooded one at another.
func (s *site) play(long time.Duration, flood int) (x tally) {
	const step = 10 * time.Millisecond
	owed, owedFlood := 0.0, 0.0
	for i := 0; time.Duration(i)*step < long; i++ {
		time.Sleep(step)
		for owed += tenants * each * step.Seconds(); owed >= 1; owed-- {
			if !s.ask(fmt.Sprintf("tenant-%d.example.com", s.asked%tenants)) {
				x.innocentsRefused++
			}
		}
		for owedFlood += float64(flood) * step.Seconds(); owedFlood >= 1; owedFlood-- {
			x.floodAsked++
			if s.ask(flooded) {
				x.floodLetIn++
			}
		}
	}
	return x
}

func TestAFloodIsHeldAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Config{Capacity: 300})
		defer s.guard.Close()
		if x := s.play(10*time.Second, each); x.innocentsRefused > 0 || x.floodLetIn < x.floodAsked || len(s.guard.Held()) > 0 {
			t.Fatalf("in calm: %+v, held %v", x, s.guard.Held())
		}
		s.play(2*time.Second, 3000)
		held := s.guard.Held()
		if len(held) != 1 || held[0].Host != flooded || held[0].Why == "" {
			t.Fatalf("held: %+v", held)
		}
		x := s.play(10*time.Second, 3000)
		rate := float64(x.floodLetIn) / 10
		t.Logf("of a flood of 3,000 a second %.0f are let in", rate)
		if x.innocentsRefused > 0 {
			t.Errorf("%d requests of others were refused", x.innocentsRefused)
		}
		if rate < 100 || rate > 200 { // 85 % of 300, less the others' 100
			t.Errorf("%.0f a second are let in of the flood, want about 155", rate)
		}
		s.play(30*time.Second, each)
		if x := s.play(5*time.Second, each); x.floodLetIn < x.floodAsked || len(s.guard.Held()) > 0 {
			t.Errorf("half a minute after the flood: %+v, held %v", x, s.guard.Held())
		}
	})
}

func TestAShadowHoldsNobodyAndSaysWhom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Config{Capacity: 300, Shadow: true})
		defer s.guard.Close()
		s.play(5*time.Second, each)
		if x := s.play(3*time.Second, 3000); x.floodLetIn < x.floodAsked {
			t.Errorf("a shadow refused: %+v", x)
		}
		if held := s.guard.Held(); len(held) != 1 || !held[0].Shadow {
			t.Errorf("would hold: %+v", held)
		}
	})
}

// Without a capacity nobody is held before the server says that it has too much to do.
func TestACapacityIsLearnedFromTheServersOwnWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Config{})
		defer s.guard.Close()
		s.most = 1000
		s.play(10*time.Second, each)
		if x := s.play(5*time.Second, 800); x.floodLetIn < x.floodAsked {
			t.Fatalf("held without a reason: %+v", x)
		}
		s.play(3*time.Second, 10_000)
		x := s.play(20*time.Second, 10_000)
		t.Logf("of a server for 1,000 requests a second, of which 10,000 are asked by one: %+v in 20 s", x)
		if x.innocentsRefused > 0 || x.floodLetIn > 24_000 || x.floodLetIn < 5_000 {
			t.Errorf("let in: %+v, want 250 to 1,200 a second of the flood, and all others", x)
		}
		held := s.guard.Held()
		i := slices.IndexFunc(held, func(m shield.Measure) bool { return m.Host == flooded })
		if i < 0 || held[i].Admit > 200 {
			t.Errorf("the server has too much to do, and held is %+v", held)
		}
	})
}

func TestACloseLetsEverybodyIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Config{Capacity: 300})
		s.play(5*time.Second, each)
		s.play(2*time.Second, 3000)
		must(t, s.guard.Close())
		if x := s.play(time.Second, 3000); x.floodLetIn < x.floodAsked {
			t.Errorf("after Close: %+v", x)
		}
	})
}

func TestMistakesAreNamedTogether(t *testing.T) {
	_, err := New(Config{Capacity: -1, Hosts: -1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Capacity is -1, want", "Hosts is -1, want"} {
		if !contains(err.Error(), want) {
			t.Errorf("%q says nothing of %q", err, want)
		}
	}
	if _, err := New(Config{Capacity: 5, Socket: "/tmp/x"}); err == nil || !contains(err.Error(), "want one of them") {
		t.Errorf("both: %v", err)
	}
}
