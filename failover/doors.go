package failover

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// KindTold is a member's own word about the doors that it has told.
const KindTold consensus.FactKind = "doors-told"

// KindCarried is the same of a door that each member of the pool is for itself: an
// address on its own machine.
const KindCarried consensus.FactKind = "address-told"

// Door is what a member has to tell of a pool's routes: "web/haproxy" for one
// that all who may tell it share, "web/haproxy@lb-1" for the one of lb-1 alone.
type Door string

// DoorsTold says how a door treats some slots now. Nobody but its teller may say
// so. It is written when that changes, and once more if the door had forgotten it.
type DoorsTold struct {
	Door    Door           `json:"door"`
	Version uint64         `json:"version"` // of the teller's word: an older one comes too late
	Routes  []DoorTreating `json:"routes"`
}

// DoorTreating is how a door treats one slot.
type DoorTreating struct {
	Slot     member.SlotID    `json:"slot"`
	Epoch    member.SlotEpoch `json:"slot_epoch"`
	Occupant member.ID        `json:"occupant"`
	Drained  bool             `json:"drained,omitempty"`
	Result   TellResult       `json:"result"`
	Detail   string           `json:"detail,omitempty"`
	Took     time.Duration    `json:"took,omitempty"`
}

// TellResult is what came of telling a door. Only ToldDone is success.
type TellResult string

// The results.
const (
	ToldDone    TellResult = "done"
	ToldLater   TellResult = "not yet" // no effect, or none that lasts yet: it is tried again
	ToldUnknown TellResult = "unknown" // it may have the effect, or half of it
	ToldRefused TellResult = "refused" // it knows a newer slot epoch
	ToldFailed  TellResult = "failed"  // people must look
)

// Treating is the last word about how a door treats a slot.
type Treating struct {
	DoorTreating

	Door    Door      `json:"door"`
	Teller  member.ID `json:"teller"`
	Version uint64    `json:"version"`
	At      time.Time `json:"at"`
	Since   time.Time `json:"since"` // of the teller's first word that says the same as this one: done, or not
	Fact    uint64    `json:"fact"`
}

// maxRoutes and maxTold bound one fact; many doors of many slots are told in
// several.
const (
	maxRoutes = 64
	maxTold   = 300 // characters of a detail
)

// doorAt is a door with what is declared of it.
type doorAt struct {
	id     Door
	pool   member.Pool
	driver member.Driver
	tells  []member.ID // who may
}

// kind is that of the facts that say how the door treats slots.
func (d doorAt) kind() consensus.FactKind {
	if d.driver.Carried() {
		return KindCarried
	}
	return KindTold
}

// wanted is how a door has to treat a slot. An address is taken away by people's
// order alone: nobody else has it, so its slot's clients would have nowhere to go
// while a verdict is doubted, and a member that stood still for two seconds would be
// out of reach for half a minute.
func (d doorAt) wanted(s *Slot) DoorTreating {
	drained := s.Drained
	if d.driver.Carried() {
		drained = s.Away != nil
	}
	return DoorTreating{Slot: s.ID, Epoch: s.Epoch, Occupant: s.Occupant, Drained: drained}
}

// carries reports that a treatment means an address on the teller's own machine.
func (d doorAt) carries(x DoorTreating) bool {
	return d.driver.Carried() && x.Occupant == d.tells[0] && !x.Drained
}

// idle reports that a slot is no business of a member that could carry its address:
// it is not to have it, and had not when it spoke of it last, if ever. Nothing is
// said of that, or a cutover would be worth a word of every spare.
func (d doorAt) idle(want DoorTreating, last Treating, known bool) bool {
	return d.driver.Carried() && !d.carries(want) && (!known || last.Result == ToldDone && !d.carries(last.DoorTreating))
}

// doors lists every door of the fleet, in the order of the file.
func (st *State) doors() []doorAt {
	fl := st.ledger.Fleet()
	if fl == nil {
		return nil
	}
	var all []doorAt
	for _, p := range fl.Pools {
		for _, d := range p.Drivers {
			if !d.Told() {
				continue
			}
			name, tells := p.Name+"/"+d.Door(), d.On
			if d.Carried() {
				tells = st.carriers(fl, p)
			}
			if !d.Own() {
				all = append(all, doorAt{id: Door(name), pool: p, driver: d, tells: tells})
				continue
			}
			for _, id := range tells {
				all = append(all, doorAt{id: Door(name + "@" + string(id)), pool: p, driver: d, tells: []member.ID{id}})
			}
		}
	}
	return all
}

// carriers are who may have an address of a pool: whoever may get a slot, and who has
// one though the pool that lent it lends no more.
func (st *State) carriers(fl *member.Fleet, p member.Pool) []member.ID {
	all := fl.Carriers(p)
	for _, id := range p.Slots {
		if s := st.s.Slots[id]; s != nil && s.Occupant != "" && !slices.Contains(all, s.Occupant) {
			all = append(all, s.Occupant)
		}
	}
	return all
}

// Carrying is a driver by which a member may have addresses.
type Carrying struct {
	Pool   string
	Driver string
	Slots  []member.SlotID
}

// Carrying lists the drivers by which a member may have addresses, in the order of the
// file.
func (st *State) Carrying(id member.ID) []Carrying {
	var all []Carrying
	for _, d := range st.doors() {
		if d.driver.Carried() && d.tells[0] == id {
			all = append(all, Carrying{Pool: d.pool.Name, Driver: d.driver.Door(), Slots: d.pool.Slots})
		}
	}
	return all
}

// Carries reports that a member of the fleet may have addresses that move with slots.
func (st *State) Carries() bool {
	f := st.ledger.Fleet()
	return f != nil && slices.ContainsFunc(f.Pools, func(p member.Pool) bool { return slices.ContainsFunc(p.Drivers, member.Driver.Carried) })
}

// Treats is the last word about how a door treats a slot.
func (st *State) Treats(d Door, slot member.SlotID) (Treating, bool) {
	t, ok := st.s.Doors[string(d)+" "+string(slot)]
	if !ok {
		return Treating{}, false
	}
	return *t, true
}

// DoorView is how things stand between the ledger and one door.
type DoorView struct {
	Door   Door
	Pool   string
	Kind   string
	Teller member.ID
	Slots  int
	Behind []Behind // slots that it does not treat as the ledger says, or nobody knows
}

// Behind is one slot that a door does not treat as it should.
type Behind struct {
	Slot  member.SlotID
	Since time.Time // of the last word; zero: there is none
	Why   string
}

// Doors lists all doors that are told, sorted by name; of those that carry addresses
// only who has one, or should, or may still.
func (st *State) Doors(now time.Time) []DoorView {
	var all []DoorView
	for _, d := range st.doors() {
		v := DoorView{Door: d.id, Pool: d.pool.Name, Kind: d.driver.Kind, Teller: st.teller(now, d)}
		for _, id := range d.pool.Slots {
			s := st.s.Slots[id]
			if s == nil || !routable(s) {
				continue
			}
			if !d.driver.Carried() || d.carries(d.wanted(s)) {
				v.Slots++
			}
			if why, since := st.behind(d, s); why != "" {
				v.Behind = append(v.Behind, Behind{Slot: id, Since: since, Why: why})
			}
		}
		if d.driver.Carried() && v.Slots == 0 && v.Behind == nil {
			continue
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b DoorView) int { return strings.Compare(string(a.Door), string(b.Door)) })
	return all
}

// routable slots have somebody whom requests could go to. One that was never
// started has nothing to be told of.
func routable(s *Slot) bool { return s.Occupant != "" && s.Started }

// behind says why a door does not treat a slot as the ledger wants; empty if it
// does.
func (st *State) behind(d doorAt, s *Slot) (why string, since time.Time) {
	t, ok := st.Treats(d.id, s.ID)
	want := d.wanted(s)
	switch {
	case d.idle(want, t, ok):
		return "", t.At
	case !ok:
		return "nobody has said that it was told", time.Time{}
	case t.Epoch != want.Epoch || t.Occupant != want.Occupant || t.Drained != want.Drained:
		return fmt.Sprintf("%s has not said that it told of the last change", t.Teller), t.At
	case t.Result != ToldDone:
		return fmt.Sprintf("%s says: %s: %s", t.Teller, t.Result, t.Detail), t.At
	default:
		return "", t.At
	}
}

// untold names the doors of a slot that do not treat it as the ledger says, as
// far as somebody is there to tell them.
func (st *State) untold(now time.Time, s *Slot) []string {
	var list []string
	for _, d := range st.doors() {
		if d.pool.Name != s.Pool || !routable(s) {
			continue
		}
		if v, condemned := st.ledger.Standing(st.teller(now, d)); condemned && v.Kind == consensus.VerdictDown {
			continue // its machine is gone, and the door with it or out of reach
		}
		if why, _ := st.behind(d, s); why != "" {
			list = append(list, fmt.Sprintf("door %s: %s", d.id, why))
		}
	}
	return list
}

// checkTold refuses the word of anybody but a teller of the door.
func (st *State) checkTold(by member.ID, kind consensus.FactKind, p DoorsTold) error {
	i := slices.IndexFunc(st.doors(), func(d doorAt) bool { return d.id == p.Door })
	if i < 0 {
		return fmt.Errorf("word of %s: no door %s", by, p.Door)
	}
	d := st.doors()[i]
	if !slices.Contains(d.tells, by) {
		return fmt.Errorf("word of %s about door %s: it does not tell it", by, p.Door)
	}
	if kind != d.kind() {
		return fmt.Errorf("word of %s about door %s: kind is %s, want %s", by, p.Door, kind, d.kind())
	}
	if len(p.Routes) == 0 || len(p.Routes) > maxRoutes {
		return fmt.Errorf("word of %s about door %s: %d routes, want 1 to %d", by, p.Door, len(p.Routes), maxRoutes)
	}
	for _, r := range p.Routes {
		switch r.Result {
		case ToldDone, ToldLater, ToldUnknown, ToldRefused, ToldFailed:
		default:
			return fmt.Errorf("word of %s about door %s: result is %q", by, p.Door, r.Result)
		}
		if !slices.Contains(d.pool.Slots, r.Slot) {
			return fmt.Errorf("word of %s about door %s: no slot %s in pool %s", by, p.Door, r.Slot, d.pool.Name)
		}
		if t, ok := st.Treats(p.Door, r.Slot); ok && p.Version <= t.Version {
			return fmt.Errorf("word of %s about door %s: version %d, a later one (%d) stands", by, p.Door, p.Version, t.Version)
		}
	}
	return nil
}

// told books a word.
func (st *State) told(f consensus.Fact, p DoorsTold) {
	if st.s.Doors == nil {
		st.s.Doors = map[string]*Treating{}
	}
	for _, r := range p.Routes {
		since := f.Time
		if last, ok := st.Treats(p.Door, r.Slot); ok && last.Teller == f.Command.Proposer && (last.Result == ToldDone) == (r.Result == ToldDone) {
			if since = last.Since; since.IsZero() { // booked by a build that kept none
				since = last.At
			}
		}
		st.s.Doors[string(p.Door)+" "+string(r.Slot)] = &Treating{
			DoorTreating: r, Door: p.Door, Teller: f.Command.Proposer, Version: p.Version, At: f.Time, Since: since, Fact: f.Index,
		}
	}
}

// forgetDoors drops what was said of doors and slots that are no more.
func (st *State) forgetDoors() {
	known := map[string]bool{}
	for _, d := range st.doors() {
		for _, s := range d.pool.Slots {
			known[string(d.id)+" "+string(s)] = true
		}
	}
	maps.DeleteFunc(st.s.Doors, func(key string, _ *Treating) bool { return !known[key] })
}

// doorPatience is how long a case waits, beyond its settling, for the doors of
// its slot. It cannot do so for ever: while it is open the slot has no other.
const doorPatience = 20 * time.Second

// settle closes a case whose slot has settled, once its doors have been told or
// have had their time. That one was not told is said then, and stands on the page.
func (c *Conductor) settle(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	var missing []string
	if s, ok := c.st.Slot(x.Slot); ok && s.Epoch == x.NewEpoch {
		missing = c.st.untold(now, s)
	}
	if len(missing) > 0 && now.Sub(c.sights.began(x)) < c.st.timing().Settle+doorPatience {
		return out
	}
	return c.step(now, x, Closed, CaseStep{Detail: shortened(strings.Join(missing, "; "))}, out)
}
