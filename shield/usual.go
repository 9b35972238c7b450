package shield

import (
	"maps"
	"math"
	"slices"
	"time"
)

// Usuals learns what subdomains ask for in calm: an average that forgets. Under
// pressure it learns nothing, or the flood would become what is usual.
type Usuals struct {
	over  time.Duration
	rates map[Key]average
	young map[Key]time.Time // when it was first seen of whom nothing was known
	rest  average           // all others together
}

type average struct {
	value float64
	since time.Time // of what it knows
	last  time.Time
}

// mostUsuals bounds who is remembered; the least wanted is forgotten.
const mostUsuals = 4096

// NewUsuals makes averages that forget within over: longer, and growth becomes
// usual later. 60 s is usual.
func NewUsuals(over time.Duration) *Usuals {
	return &Usuals{over: over, rates: map[Key]average{}, young: map[Key]time.Time{}}
}

// learn moves the average towards x. In its first stretch it is the plain mean,
// so that a door that has just begun knows something soon.
func (a *average) learn(now time.Time, x float64, over time.Duration) {
	if a.since.IsZero() {
		*a = average{value: x, since: now, last: now}
		return
	}
	passed := now.Sub(a.last).Seconds()
	if passed <= 0 {
		a.last = now // the clock jumped back
		return
	}
	known := min(now.Sub(a.since).Seconds(), over.Seconds())
	a.last = now
	a.value += (x - a.value) * (1 - math.Exp(-passed/max(known, passed)))
}

// youngFor is how long somebody new is looked at before anything of it is usual: what a
// flood asks for first would be all that is known. By then a flood is no calm.
const youngFor = time.Second

// Learn takes in one view of a calm fleet.
func (u *Usuals) Learn(now time.Time, l Load) {
	seen := make(map[Key]bool, len(l.Demands))
	for _, d := range l.Demands {
		seen[d.Key] = true
		a, known := u.rates[d.Key]
		if since, young := u.young[d.Key]; !known && !young {
			u.young[d.Key] = now
			continue
		} else if !known && now.Sub(since) < youngFor {
			continue
		}
		delete(u.young, d.Key)
		a.learn(now, d.Rate, u.over)
		u.rates[d.Key] = a
	}
	maps.DeleteFunc(u.young, func(k Key, _ time.Time) bool { return !seen[k] })
	for k, a := range u.rates {
		if seen[k] {
			continue
		}
		if a.learn(now, 0, u.over); a.value < 1e-3 {
			delete(u.rates, k)
		} else {
			u.rates[k] = a
		}
	}
	u.rest.learn(now, l.Rest, u.over)
	u.bound()
}

func (u *Usuals) bound() {
	if len(u.rates) <= mostUsuals {
		return
	}
	values := make([]float64, 0, len(u.rates))
	for _, a := range u.rates {
		values = append(values, a.value)
	}
	slices.Sort(values)
	least := values[len(values)-mostUsuals]
	for k, a := range u.rates {
		if a.value < least {
			delete(u.rates, k)
		}
	}
}

// Of is what a subdomain usually asks for.
func (u *Usuals) Of(k Key) float64 { return u.rates[k].value }

// Sum is what all ask for together.
func (u *Usuals) Sum() float64 {
	keys := u.Keys()
	sum := u.rest.value
	for _, k := range keys {
		sum += u.rates[k].value
	}
	return sum
}

// Keys are all that are remembered, sorted.
func (u *Usuals) Keys() []Key {
	keys := make([]Key, 0, len(u.rates))
	for k := range u.rates {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
