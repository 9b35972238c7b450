package demo

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"moonwatch/status"
)

// flooding is a flood of ten seconds that is held after 200 ms to a half, and
// released 5 s after its end.
func flooding() *flood {
	f := &flood{host: tenantHost(0), rate: floodRate(0), others: map[string]bool{}, begun: time.Unix(1000, 0), over: time.Unix(1010, 0)}
	for door := range floodDoors {
		f.measures(f.begun.Add(200*time.Millisecond), door, []status.ShieldHeld{{Host: f.host, Admit: 500}})
	}
	for door := range floodDoors {
		f.measures(f.over.Add(5*time.Second), door, nil)
	}
	for i := range 1000 {
		at := f.begun.Add(time.Duration(i) * 10 * time.Millisecond)
		code := http.StatusOK
		if i >= 20 && i%2 == 0 {
			code = http.StatusTooManyRequests
		}
		f.came(visit{Host: f.host, Door: i % floodDoors, Start: at, End: at.Add(time.Millisecond), Status: code})
		f.came(visit{Host: tenantHost(1 + i%19), Start: at, End: at.Add(time.Millisecond), Status: http.StatusOK})
	}
	return f
}

func TestAFloodIsSummedUp(t *testing.T) {
	r, lack := flooding().result()
	if !r.OK || lack != "" {
		t.Errorf("not as expected: %s", lack)
	}
	if *r.FirstReject != 201 || *r.Released != 5000 || *r.FleetShaped != 241 || r.Innocents != 0 || r.Success != 1 || r.Worst != 1 {
		t.Errorf("%+v", r)
	}
	if *r.AdmittedError > 0.1 || r.FloodRequests != 1000 || r.FloodAdmitted != 510 || r.Requests != 2000 {
		t.Errorf("%+v, and %v points off", r, *r.AdmittedError)
	}
}

func TestAFloodThatWentWrongSaysHow(t *testing.T) {
	for _, c := range []struct {
		lack   string
		change func(*flood)
	}{
		{"was not held", func(f *flood) { f.host = "nobody" }},
		{"not held at every door", func(f *flood) {
			for i := range f.visits {
				f.visits[i].Door = 0
			}
		}},
		{"1 other subdomains", func(f *flood) {
			f.measures(f.begun, 0, []status.ShieldHeld{{Host: tenantHost(3), Admit: 900}})
		}},
		{"1 of their requests", func(f *flood) {
			f.came(visit{Host: tenantHost(3), Start: f.begun, End: f.begun, Status: http.StatusTooManyRequests})
		}},
		{"in the worst second 50.0 %", func(f *flood) {
			for range 100 {
				f.came(visit{Host: tenantHost(3), Start: f.begun, End: f.begun})
			}
			for i := range 10_000 {
				f.came(visit{Host: tenantHost(3), Start: f.begun.Add(time.Second + time.Duration(i)*time.Microsecond), Status: http.StatusOK})
			}
		}},
		{"nothing of the flooded", func(f *flood) {
			for i := range f.visits {
				if f.visits[i].Host == f.host {
					f.visits[i].Status = http.StatusTooManyRequests
				}
			}
		}},
		{"still held", func(f *flood) { f.end = time.Time{} }},
		{"released 16.0 s after", func(f *flood) { f.end = f.over.Add(16 * time.Second) }},
		{"at every door after 6.0 s", func(f *flood) { shaped(f, 6*time.Second) }},
		{"points off what was wanted", func(f *flood) { wanted(f, 400) }},
	} {
		f := flooding()
		c.change(f)
		if r, lack := f.result(); r.OK || !strings.Contains(lack, c.lack) {
			t.Errorf("lack is %q, want %q", lack, c.lack)
		}
	}
}

// shaped has the last door hold the flood only so long after its begin.
func shaped(f *flood, after time.Duration) {
	for i, v := range f.visits {
		if v.Door == floodDoors-1 && v.Start.Before(f.begun.Add(after)) {
			f.visits[i].Door = 0
		}
	}
}

// wanted has half of the requests let in where so many permille were to be.
func wanted(f *flood, permille int) {
	for door := range floodDoors {
		f.doors[door] = measured{}
	}
	released := f.end
	f.sets = nil
	for door := range floodDoors {
		f.measures(f.begun.Add(200*time.Millisecond), door, []status.ShieldHeld{{Host: f.host, Admit: permille}})
	}
	f.end = released
}

// What is less than promised is said; it fails no story where the machine had no time for
// it, nor for milliseconds.
func TestAStoryOnAMachineShortOfTimeSaysWhatWasSeen(t *testing.T) {
	for _, c := range []struct {
		missed string
		change func(*flood)
	}{
		{"", func(*flood) {}},
		{"", func(f *flood) { wanted(f, 480) }}, // two points off
		{"", func(f *flood) { f.end = f.over.Add(15 * time.Second) }},
		{"fleet_shaped_ms", func(f *flood) { shaped(f, 600*time.Millisecond) }},
		{"fleet_shaped_ms", func(f *flood) { shaped(f, 6*time.Second); f.stood = 2 * time.Second }},
		{"released_ms", func(f *flood) { f.end = f.over.Add(16 * time.Second); f.stood = 2 * time.Second }},
		{"admitted_error", func(f *flood) { wanted(f, 400); f.stood = time.Second }},
	} {
		f := flooding()
		c.change(f)
		r, lack := f.result()
		if got := strings.Join(r.Missed, " "); !r.OK || got != c.missed {
			t.Errorf("missed %q, want %q; %s", got, c.missed, lack)
		}
		var text strings.Builder
		r.writeText(&text)
		if said := strings.Contains(text.String(), "less than promised: "+c.missed); said != (c.missed != "") {
			t.Errorf("missed %q, and it says\n%s", c.missed, &text)
		}
	}
}

// Who is held once more after the flood was not released.
func TestAReturnIsNoRelease(t *testing.T) {
	f := flooding()
	f.measures(f.over.Add(6*time.Second), 1, []status.ShieldHeld{{Host: f.host, Admit: 500}})
	if r, _ := f.result(); r.OK || r.Released != nil {
		t.Errorf("%+v", r)
	}
}

func TestHowStrongAFloodMayBe(t *testing.T) {
	for times, ok := range map[float64]bool{0: true, 1: false, 1.1: true, 5: true, 5.1: false, -1: false, math.NaN(): false, math.Inf(1): false} {
		o := Options{Once: true, Fault: FaultFlood, Flood: times}
		if err := o.complete(); (err == nil) != ok {
			t.Errorf("%v times the capacity: %v", times, err)
		}
	}
	if err := (&Options{Once: true, Fault: FaultKill, Flood: 2}).complete(); err == nil {
		t.Error("a crash has no strength of a flood")
	}
	if got := floodRate(0); got != 300 {
		t.Errorf("%d requests a second more by default, want 300", got)
	}
	if got := floodRate(4); got+tenants*tenantRate != 4*floodLimit {
		t.Errorf("%d requests a second more are not four times the capacity", got)
	}
}
