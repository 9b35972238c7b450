package sim

import (
	"errors"
	"testing"
	"time"

	"moonwatch/shield"
)

func TestWhoSaysNothingIsClosedForWhoAsks(t *testing.T) {
	var p places
	p.tick(0, 0)
	for range mostConns {
		p.connect(0)
	}
	p.tick(time.Second, 0)
	p.connect(time.Second)
	if p.open() != mostConns || p.heads.all[0].n != mostConns-1 {
		t.Errorf("%d connections are open, %d of the first; want the oldest gone for the youngest", p.open(), p.heads.all[0].n)
	}
	if !p.connected(time.Second) {
		t.Fatal("who asks finds no connection beside those who say nothing")
	}
	p.take(nil, time.Second, 0)
	if p.open() != mostConns {
		t.Errorf("%d connections are open, want one closed for who asks", p.open())
	}
	if p.tick(headWithin, 0); p.open() != 1 {
		t.Errorf("%d connections are open after %v, want the youngest alone", p.open(), headWithin)
	}
}

// A door that closes nobody has no connection left for who asks.
func TestWhoAsksIsNotServedWhereNobodyIsClosed(t *testing.T) {
	p := places{clings: true}
	for range mostConns {
		p.connect(0)
	}
	if p.connected(time.Second) {
		t.Error("who asks finds a connection beside those who say nothing")
	}
	if p.tick(headWithin, 0); !p.connected(headWithin) {
		t.Error("who asks finds none when they are cut off")
	}
}

// The gateway knows an honest connection from a silent one when its head is there. Who
// fills all connections faster than that closes also these.
func TestAnHonestConnectionMayBeTheOldest(t *testing.T) {
	var p places
	now := time.Second
	for range 3 {
		p.tick(now, 0)
		for range mostConns { // in half of a round trip
			p.connect(now)
		}
		now += shieldTick
	}
	if p.connected(now) {
		t.Error("its head came in time, and its connection was the oldest before")
	}
	if now += headTakes; !p.connected(now) {
		t.Error("no room after the flood")
	}
}

func TestSlowClientsKeepTheirPlaces(t *testing.T) {
	p := places{holds: true}
	h := []*asking{{}, {}}
	for i := range mostPlaces {
		if !p.room(h[0]) {
			t.Fatal("no room")
		}
		p.take(h[0], 0, []time.Duration{time.Hour, time.Minute}[i%2]) // two floods
	}
	if p.room(h[1]) || !p.full {
		t.Error("there is room beside as many slow clients as places")
	}
	p.tick(time.Minute, 0)
	if got := p.open(); got != mostPlaces/2 || !p.room(h[1]) || p.full {
		t.Errorf("%d places are taken after a minute, want half", got)
	}
}

func TestWhoHasTheMostPlacesMakesRoom(t *testing.T) {
	var p places
	h := []*asking{{}, {}, {}}
	for i := range mostPlaces {
		p.take(h[i%4/3], 0, time.Duration(i+1)*time.Hour) // the first has three quarters
	}
	if p.room(h[0]) || p.full {
		t.Error("who has the most takes one more, or nobody else finds room")
	}
	for i := range mostPlaces / 3 {
		if !p.room(h[2]) {
			t.Fatalf("no room for the third subdomain, which has %d", i)
		}
		p.take(h[2], 0, time.Hour)
	}
	a, b, c := p.of(h[0]), p.of(h[1]), p.of(h[2])
	if a.n+b.n+c.n != mostPlaces || b.n != mostPlaces/4 || a.n < c.n-1 || a.all[0].until < mostPlaces/3*time.Hour {
		t.Errorf("they have %d, %d and %d, want the oldest of the largest to have ended", a.n, b.n, c.n)
	}
}

// shielded is a world at rest with doors before its pool.
func shielded(t *testing.T) (*World, *guarded) {
	t.Helper()
	cfg := Demo()
	cfg.Seed = 1
	cfg.Shield = &Shield{Pool: "web", Doors: 3, Bears: 200, Subdomains: 20, RPS: 600, Skew: 0.5}
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	run(t, w, 10*time.Second)
	return w, w.shield
}

// Ten thousand connections a second at each door whose head never ends, as scenario
// shield-slow-loris has it, and the same at doors that close nobody for a younger one.
func TestASlowLorisIsFeltWhereNobodyIsClosed(t *testing.T) {
	for _, clings := range []bool{false, true} {
		w, g := shielded(t)
		for _, d := range g.doors {
			d.places.clings = clings
		}
		g.floodHost(Fault{Do: Flood, Host: Unfinished, Share: 1000}, true)
		err := w.Run(5 * time.Second)
		got, _ := w.Shielded()
		if !clings && (err != nil || got.WorstSecond < 1) {
			t.Errorf("%.2f %% were served in the worst second, %v; want all", 100*got.WorstSecond, err)
		}
		if clings && got.WorstSecond > 0.5 { // of each tick some find what the tick before gave back
			t.Errorf("%.2f %% were served in the worst second where no connection is closed for a younger one", 100*got.WorstSecond)
		}
	}
}

// Twenty times as many requests as usual, less than the occupants bear, of clients that keep
// their places for a minute; and the same of three subdomains one after another. Nobody
// else finds a place where nobody makes room.
func TestSlowClientsAreFeltWhereNobodyMakesRoom(t *testing.T) {
	for _, holds := range []bool{false, true} {
		w, g := shielded(t)
		for _, d := range g.doors {
			d.places.holds = holds
		}
		var err error
		for _, h := range g.hosts[6:9] {
			g.floodHost(Fault{Do: Flood, Host: string(h.name), Share: 20, Delay: time.Minute}, true)
			err = errors.Join(err, w.Run(12*time.Second)) // it ends where a promise is broken
		}
		got, _ := w.Shielded()
		if !holds && (err != nil || got.WorstSecond < 1 || len(got.Innocents) > 0) {
			t.Errorf("%.2f %% were served in the worst second, innocents %v, %v; want all", 100*got.WorstSecond, got.Innocents, err)
		}
		if holds && err == nil {
			t.Errorf("%.2f %% were served in the worst second where nobody makes room, and no promise is broken", 100*got.WorstSecond)
		}
	}
}

// Who is challenged and was not flooded is held, although its browsers are served later.
func TestAChallengedInnocentIsHeld(t *testing.T) {
	for _, flooded := range []bool{false, true} {
		w, g := shielded(t)
		h, d := g.hosts[0], g.doors[0]
		if flooded {
			h.flooded = w.now - voteLasts/2
		}
		d.acting = shield.NewMeasures([]shield.Measure{{Key: shield.KeyOf(shieldSalt, h.name), Rung: shield.Challenge, Until: d.m.time().Add(time.Minute)}})
		g.visit(h, d, visitor{browser: true}, &owed{})
		g.story.refusals(h, d)
		if got, _ := w.Shielded(); len(got.Innocents) > 0 == flooded || got.Browsers != 0 {
			t.Errorf("flooded %v: innocents %v, %.1f of the browsers served", flooded, got.Innocents, got.Browsers)
		}
		for range mostPlaces {
			d.places.take(h, w.now, time.Hour)
		}
		g.visit(h, d, visitor{browser: true}, &owed{})
		if n := g.story.browsers.asked; n != 2 {
			t.Errorf("%v visits of browsers, want also the one that found no place", n)
		}
	}
}
