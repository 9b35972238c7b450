package admit

import (
	"maps"
	"slices"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/count"
)

// Alone is a gate that is led by what it counts itself, and by no other door. It has one
// owner, who ends its ticks; requests pass its gate meanwhile.
type Alone struct {
	Gate   *Gate
	Strain Strain

	counter *count.Counter
	shield  *shield.Shield
	names   map[shield.Key]string // of those that are counted in every tick
}

// listed hosts are counted in every tick, those that became known first, so that in a
// small fleet what each usually asks for is known also if that is a few a second.
const listed = 48

// NewAlone makes one. The shield's keys are made with the counter's salt.
func NewAlone(gate Config, cfg shield.Config) (*Alone, error) {
	s, err := shield.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Alone{Gate: New(gate), counter: gate.Counter, shield: s, names: map[shield.Key]string{}}, nil
}

// Shield is what decides. Only the owner may step it.
func (a *Alone) Shield() *shield.Shield { return a.shield }

// Tick ends one that was as long as said, and does at the gate what comes of it. Trouble
// is not believed of a tick in which this machine stood still. The effects are for people
// to read, and to hand throttles on.
func (a *Alone) Tick(now time.Time, passed time.Duration, still bool) []shield.Effect {
	a.list()
	trouble := a.Strain.Take() && !still
	total, counts := a.counter.Rotate(a.shield.LearnAtMost())
	for _, k := range append(a.shield.Wanted(), slices.Sorted(maps.Keys(a.names))...) {
		x := a.counter.Read(k)
		x.Name = a.names[k]
		counts = append(counts, x)
	}
	effects := a.shield.Step(now, shield.Counted{
		Tick: min(passed, time.Minute), Counts: counts, Subdomains: a.counter.Known(), Trouble: trouble,
		Asked: total.Asked, Refused: total.Refused, Served: total.Served, Cost: total.Cost,
	})
	for _, e := range effects {
		if e, is := e.(shield.Enforce); is {
			a.Gate.Enforce(e.Measures)
		}
	}
	return effects
}

// list takes notice of hosts that became known.
func (a *Alone) list() {
	for {
		select {
		case host := <-a.Gate.Learned():
			if len(a.names) < listed {
				a.names[a.counter.KeyOf([]byte(host))] = host
			}
		default:
			return
		}
	}
}
