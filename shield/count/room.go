package count

import (
	"sync"
	"time"

	"moonwatch/shield"
)

// Room is where a door in another program meets whoever decides: one side asks the program
// and tells it what to do, the other closes ticks and decides, and neither waits for the
// other. All methods may be called from any goroutine; Rotate and Trouble have one caller.
type Room struct {
	learned chan string
	ticks   chan Tick
	changed chan struct{} // there are new measures

	mu       sync.Mutex // all below
	told     *Told
	sum      Total
	known    int
	full     bool
	learn    int
	wanted   []shield.Key
	measures *shield.Measures
	trouble  bool
	problem  string
}

// Front is the side of whoever decides. Its methods are those of a door.
type Front struct{ r *Room }

// learnedRoom is how many hosts may wait to be taken notice of.
const learnedRoom = 256

// learnAll is what a program is told before anybody has said how many hosts may become known.
const learnAll = 1 << 20

// NewRoom makes both sides, with nothing told. The salt is that of the keys, see shield.KeyOf.
func NewRoom(salt uint64) (*Room, Front) {
	r := &Room{
		learned: make(chan string, learnedRoom), ticks: make(chan Tick, 1), changed: make(chan struct{}, 1),
		told: NewTold(salt), learn: learnAll,
	}
	return r, Front{r}
}

// Ticks is the stream of moments up to which was counted, one for each question,
// answered or not. One that nobody takes is replaced by the next.
func (f Front) Ticks() <-chan Tick { return f.r.ticks }

// Learned is the stream of hosts that were first seen. It is never closed.
func (f Front) Learned() <-chan string { return f.r.learned }

// Rotate says what was counted since it was last called: the totals, the subdomains
// that are asked for much, and those that are wanted, which are asked for from the next
// question on. Until then at most learn hosts become known, where the program obeys that.
func (f Front) Rotate(learn int, wanted []shield.Key) (Total, []shield.Count) {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	f.r.learn = learn
	f.r.wanted = append(f.r.wanted[:0], wanted...)
	return f.r.sum, f.r.told.Rotate(wanted)
}

// Trouble reports, since it was last called, whether there were signs that whoever answers
// is overloaded.
func (f Front) Trouble() bool {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	was := f.r.trouble
	f.r.trouble = false
	return was
}

// Known is how many hosts and buckets the program counts alone.
func (f Front) Known() int {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	return f.r.known
}

// Full reports that a host could not become known for want of room.
func (f Front) Full() bool {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	return f.r.full
}

// Counts reports whether a request was ever counted under a key.
func (f Front) Counts(k shield.Key) bool {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	return f.r.told.Counts(k)
}

// Problem says why the program does not do what it should; empty: it does.
func (f Front) Problem() string {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	return f.r.problem
}

// Enforce replaces what is done about subdomains; nil lets everybody in. The program is
// told at once, by another goroutine.
func (f Front) Enforce(m *shield.Measures) {
	f.r.mu.Lock()
	f.r.measures = m
	f.r.mu.Unlock()
	select {
	case f.r.changed <- struct{}{}:
	default:
	}
}

// Measures are those that the program should be doing.
func (f Front) Measures() *shield.Measures {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	return f.r.measures
}

// Changed says that there are new measures.
func (r *Room) Changed() <-chan struct{} { return r.changed }

// Closes ends a tick. It has one caller.
func (r *Room) Closes(t Tick) {
	select { // the newest one counts
	case <-r.ticks:
	default:
	}
	r.ticks <- t
}

// Say replaces the problem.
func (r *Room) Say(problem string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problem = problem
}

// LetIn is for the end: nobody is held any more.
func (r *Room) LetIn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.measures = nil
}

// Wanted gives the program's names of those that are to be asked about, and how many hosts
// may become known. Who was never told of has no name.
func (r *Room) Wanted() (names []string, learn int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.wanted {
		if name := r.nameOf(k); name != "" {
			names = append(names, name)
		}
	}
	return names, max(r.learn, 0)
}

// Named is a measure with the program's name of whom it is about.
type Named struct {
	Name string
	shield.Measure
}

// Holds are the measures that the program should be doing at a moment, by key. Who was
// never told of is called as the measure has it: another door has named it.
func (r *Room) Holds(now time.Time) []Named {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Named
	for _, m := range r.measures.List() {
		if m.Shadow || m.Rung == shield.Observe || now.After(m.Until) {
			continue
		}
		name := r.nameOf(m.Key)
		if name == "" {
			name = m.Host
		}
		out = append(out, Named{Name: name, Measure: m})
	}
	return out
}

func (r *Room) nameOf(k shield.Key) string {
	if k == shield.Nameless {
		return "-"
	}
	return r.told.NameOf(k)
}

// Answer is what the program said at once.
type Answer struct {
	Hosts   []Reading
	Known   int   // hosts and buckets that it counts alone
	Full    bool  // there is no room for more
	Grown   Total // since its last answer
	Trouble bool  // whoever answers has more to do than it can
}

// Book takes in an answer.
func (r *Room) Book(a Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known, r.full, r.trouble = a.Known, a.Full, r.trouble || a.Trouble
	r.sum.Asked += a.Grown.Asked
	r.sum.Refused += a.Grown.Refused
	r.sum.Served += a.Grown.Served
	for _, x := range a.Hosts {
		if name := r.told.Book(x); name != "" {
			select {
			case r.learned <- name:
			default: // there are more than anybody lists
			}
		}
	}
	r.told.End()
}
