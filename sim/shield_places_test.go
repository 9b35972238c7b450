package sim

import (
	"testing"
	"time"
)

func TestWhoSaysNothingIsClosedForWhoAsks(t *testing.T) {
	var p places
	p.tick(0, 0)
	for range mostConns {
		p.connect(0)
	}
	p.tick(time.Second, 0)
	p.connect(time.Second)
	if p.open() != mostConns || p.heads[0].n != mostConns-1 {
		t.Errorf("%d connections are open, %d of the first; want the oldest gone for the youngest", p.open(), p.heads[0].n)
	}
	if !p.room() {
		t.Fatal("who asks finds no place beside those who say nothing")
	}
	p.take(time.Second, 0)
	if p.open() != mostConns {
		t.Errorf("%d connections are open, want one closed for who asks", p.open())
	}
	if p.tick(headWithin, 0); p.open() != 1 {
		t.Errorf("%d connections are open after %v, want the youngest alone", p.open(), headWithin)
	}
}

func TestSlowClientsAreCutOff(t *testing.T) {
	var p places
	for range mostPlaces {
		if !p.room() {
			t.Fatal("no room")
		}
		p.take(0, time.Hour)
	}
	if p.room() || !p.full {
		t.Error("there is room beside as many slow clients as places")
	}
	if p.tick(slowWithin, 0); !p.room() || p.full {
		t.Errorf("no room after %v", slowWithin)
	}
}
