package remote

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moonwatch/shield"
	"moonwatch/shield/count"
	"moonwatch/shield/orders"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const salt = 7

// opened is a door whose program answers as said.
func opened(t *testing.T, answer http.HandlerFunc) *Door {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	d, err := Open(Config{Address: s.Listener.Addr().String(), Key: "a key of many letters", Salt: salt, Every: 10 * time.Millisecond, AnswerWithin: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func TestWhatCannotBeUnderstoodIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"moonwatch-door 2\nend\n":             `it begins with "moonwatch-door 2", want "moonwatch-door 1"`,
		"<html>welcome":                       "not understood",
		"moonwatch-door 1\nlife 5\ntotal 1 2": "not understood",
		"moonwatch-door 1\nlife 5\nend\n":     "it has no total",
		"":                                    "cut short",
		"moonwatch-door 1\nlife 5\ntotal 1 2 3 4\nhas another\nend\n": "does not take over what it is told",
	} {
		d := opened(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
		until(t, text, func() bool { return strings.Contains(d.Problem(), want) })
		d.Close()
	}
	d := opened(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	until(t, "the hint", func() bool {
		return strings.Contains(d.Problem(), "403 Forbidden") && strings.Contains(d.Problem(), "door.key_file")
	})
	if total, _ := d.Rotate(1, nil); total != (count.Total{}) {
		t.Errorf("counted %+v", total)
	}
	nobody, err := Open(Config{Address: "/nowhere/door.sock"})
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	until(t, "nobody listens", func() bool { return strings.Contains(nobody.Problem(), "no such file") })
}

// program counts what it is asked to, and can be started anew.
type program struct {
	has, life atomic.Pointer[string]
	asked     atomic.Uint64
	busy      atomic.Uint64
	order     atomic.Pointer[orders.Order]
	keys      atomic.Pointer[string]
}

func (p *program) begin(life string) {
	p.life.Store(&life)
	p.has.Store(new(string))
	p.asked.Store(0)
	p.busy.Store(0)
}

func (p *program) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o, err := orders.ReadOrder(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key := r.Header.Get("Authorization")
	p.keys.Store(&key)
	if o.Set != "" {
		p.has.Store(&o.Set)
		p.order.Store(&o)
	}
	n := p.asked.Load()
	c := orders.Counts{Program: "test", Life: *p.life.Load(), Has: *p.has.Load(), Asked: n, Served: n, Busy: p.busy.Load(), Known: 2, Hosts: []count.Reading{{Name: "a.example.com", Asked: n, Lately: n}}}
	_, _ = w.Write(c.Encode())
}

func TestAProgramThatBeganAnewIsToldAgainAndTakesNothingBack(t *testing.T) {
	p := new(program)
	p.begin("1")
	p.asked.Store(100)
	d := opened(t, p.ServeHTTP)
	key := shield.KeyOf(salt, []byte("a.example.com"))
	until(t, "it is known", func() bool { return d.Counts(key) })
	d.Enforce(shield.NewMeasures([]shield.Measure{
		{Key: key, Host: "a.example.com", Rung: shield.Stop, Until: time.Now().Add(time.Hour)},
		{Key: 5, Host: "shadow.example.com", Rung: shield.Stop, Shadow: true, Until: time.Now().Add(time.Hour)},
		{Key: 6, Host: "over.example.com", Rung: shield.Stop, Until: time.Now()},
		{Key: 9, Host: "two words", Rung: shield.Stop, Until: time.Now().Add(time.Hour)},
	}))
	held := func() bool {
		o := p.order.Load()
		return o != nil && len(o.Hold) == 1 && o.Hold[0].Name == "a.example.com" && o.Hold[0].Rung == "stop"
	}
	until(t, "it is told", held)
	if got := *p.keys.Load(); got != "Bearer a key of many letters" {
		t.Errorf("the key is %q", got)
	}
	p.asked.Add(40)
	until(t, "it is counted", func() bool { total, _ := d.Rotate(10, []shield.Key{key}); return total.Asked == 40 })
	p.order.Store(nil)
	p.begin("2")
	until(t, "it is told again", held)
	p.asked.Store(7)
	until(t, "it goes on", func() bool { total, _ := d.Rotate(10, []shield.Key{key}); return total.Asked == 47 })
	if problem := d.Problem(); problem != "" {
		t.Error(problem)
	}
	p.busy.Store(5)
	p.asked.Add(10)
	until(t, "trouble", d.Trouble)
	if d.Trouble() {
		t.Error("trouble that was told already")
	}
	d.Close()
	if o := p.order.Load(); len(o.Hold) > 0 {
		t.Errorf("it is left with %+v", o.Hold)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	_, err := Open(Config{Address: "here", Every: time.Minute, AnswerWithin: -1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`address is "here", want`, "every is 1m0s, want", "answer_within is -1ns, want"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q says nothing of %q", err, want)
		}
	}
}

// A program that hangs costs a time-out, and the door goes on.
func TestAProgramThatHangsIsGivenUp(t *testing.T) {
	end := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-end }))
	defer s.Close()
	defer close(end)
	d, err := Open(Config{Address: s.Listener.Addr().String(), AnswerWithin: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	until(t, "it is said", func() bool { return strings.Contains(d.Problem(), "deadline exceeded") })
	for range 3 {
		<-d.Ticks() // whoever decides is told of every question, answered or not
	}
}

func TestWhatIsWantedIsAskedForByName(t *testing.T) {
	var wants atomic.Pointer[[]string]
	p := new(program)
	p.begin("1")
	p.asked.Store(5)
	d := opened(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		o, err := orders.ReadOrder(strings.NewReader(string(text)))
		if err == nil {
			wants.Store(&o.Want)
		}
		r.Body = io.NopCloser(strings.NewReader(string(text)))
		p.ServeHTTP(w, r)
	})
	key := shield.KeyOf(salt, []byte("a.example.com"))
	until(t, "it is known", func() bool { return d.Counts(key) })
	d.Rotate(1, []shield.Key{key, shield.Nameless, 12345})
	until(t, "it is asked for", func() bool { return slices.Equal(*wants.Load(), []string{"a.example.com", "-"}) })
}
