package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestADrainedOccupantGetsNothingNewAndFinishesWhatItHas(t *testing.T) {
	list := services(t, 2)
	release := make(chan struct{})
	g := open(t, Config{}, tableOf(list[:1]))
	list[0].become(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		fmt.Fprint(w, "finished")
	})
	c := client(t)
	answer := make(chan string)
	go func() {
		_, text, _ := ask(t, c, g, "POST", "x.example", "work")
		answer <- text
	}()
	wait(t, "the request", func() bool { return list[0].asked.Load() == 1 })
	g.SetTable(tableOf(list, drain("web-0")))
	for range 50 {
		if status, text, _ := ask(t, c, g, "GET", "x.example", ""); status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
	}
	if n := list[0].asked.Load(); n != 1 {
		t.Errorf("the drained occupant got %d new requests", n-1)
	}
	close(release)
	if text := <-answer; text != "finished" {
		t.Errorf("answer %q", text)
	}
}

func TestAllDrainedIsBetterThanNothing(t *testing.T) {
	list := services(t, 2)
	g := open(t, Config{}, tableOf(list, drain("web-0", "web-1")))
	if status, _, _ := ask(t, client(t), g, "GET", "x.example", ""); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
}

func TestTheDrainedOneServesWhenAllOthersRefuse(t *testing.T) {
	list := services(t, 2)
	g := open(t, Config{}, tableOf(list, drain("web-0")))
	list[1].kill()
	if status, _, _ := ask(t, client(t), g, "GET", "x.example", ""); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
}

func TestAVacantSlotIsNeverUsed(t *testing.T) {
	list := services(t, 1)
	g := open(t, Config{}, tableOf(list, func(o *Occupant) { o.Vacant = true }))
	status, text, header := ask(t, client(t), g, "GET", "x.example", "")
	if status != http.StatusServiceUnavailable || header.Get("Content-Type") != "application/problem+json" || header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", status, header, text)
	}
	if !strings.Contains(text, `"status":503`) || list[0].asked.Load() != 0 {
		t.Errorf("%s, asked %d times", text, list[0].asked.Load())
	}
}

func TestUnknownNamesAreTold(t *testing.T) {
	list := services(t, 1)
	table := tableOf(list)
	table.Pools[0].Hosts = []string{"www.example.com"}
	g := open(t, Config{}, table)
	c := client(t)
	if status, _, _ := ask(t, c, g, "GET", "www.example.com", ""); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if status, _, _ := ask(t, c, g, "GET", "www.example.org", ""); status != http.StatusNotFound {
		t.Errorf("status %d", status)
	}
}

func TestANewSlotEpochIsANewOccupant(t *testing.T) {
	list := services(t, 2)
	g := open(t, Config{}, tableOf(list))
	list[0].kill()
	c := client(t)
	wait(t, "ejection", func() bool {
		ask(t, c, g, "GET", "x.example", "")
		return !g.slot(0).EjectedAt.IsZero()
	})
	g.SetTable(tableOf(list))
	if g.slot(0).EjectedAt.IsZero() {
		t.Error("the same table again absolved it")
	}
	g.SetTable(tableOf(list, func(o *Occupant) { o.SlotEpoch += 100 }))
	if o := g.slot(0); !o.EjectedAt.IsZero() || o.Failures != 0 {
		t.Errorf("the new occupant inherits: %+v", o)
	}
}

func TestATableNamesEveryMistakeAndIsUsedAsFarAsItCanBe(t *testing.T) {
	list := services(t, 1)
	table := tableOf(list)
	table.Pools[0].Hosts = []string{"www.example.com", "bad..name", "*.", "*.[::1]", "10.0.0.1/8"}
	table.Pools = append(table.Pools,
		Pool{Name: "two", Hosts: []string{"WWW.example.com"}, Occupants: []Occupant{{Slot: "two-0", Addr: "nowhere"}, {Slot: "two-1", Vacant: true}}},
		Pool{Name: "rest"}, Pool{Name: "more"}, Pool{Name: "two", Hosts: []string{"x.example"}})
	err := table.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"bad..name", `"*."`, `"*.[::1]"`, `"10.0.0.1/8"`, "WWW.example.com belongs to pool web already",
		"pool more: no hosts, but pool rest is the catch-all already", `two-0: addr is "nowhere"`, "pool two: named twice",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	g := open(t, Config{}, table)
	if status, _, _ := ask(t, client(t), g, "GET", "www.example.com", ""); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if n := len(g.Stats().Pools); n != len(table.Pools) {
		t.Errorf("%d pools in the stats", n)
	}
}

func TestRequestsUnderWaySurviveTheEndOfTheirPool(t *testing.T) {
	release := make(chan struct{})
	s := newService(t, func(w http.ResponseWriter, _ *http.Request) {
		<-release
		fmt.Fprint(w, "finished")
	})
	g := open(t, Config{Reflex: quick()}, tableOf([]*service{s}))
	answer := make(chan string)
	go func() {
		_, text, _ := ask(t, client(t), g, "GET", "x.example", "")
		answer <- text
	}()
	wait(t, "the request", func() bool { return s.asked.Load() == 1 })
	g.SetTable(Table{})
	time.Sleep(2 * quick().LateMin) // it becomes late, and nobody else is there
	close(release)
	if text := <-answer; text != "finished" {
		t.Errorf("answer %q", text)
	}
}
