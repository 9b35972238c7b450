// Package sim is the world in which the shipped decisions are tried out: it
// drives one mind.Mind per member, raft included, in virtual time, over a
// modelled network, disk and service, and checks the promises of the product
// after every event.
//
// The same seed gives the same bytes. Raft draws its election jitter from the
// process-wide crypto/rand.Reader, so a World replaces that reader: one World at
// a time in a process, and never in one that holds keys.
package sim

import (
	"crypto/rand"
	"fmt"
	"hash"
	"hash/fnv"
	randv2 "math/rand/v2"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
	"moonwatch/mind"
)

// Config describes a world before anything happens to it.
type Config struct {
	Seed    uint64
	Fleet   member.Fleet
	Council []member.ID // the founders
	Net     Net
	Disk    Disk
	Action  Span                          // how long an installed action takes
	Mind    func(mind.Config) mind.Config // changes an agent's numbers
	Begin   *Snapshot                     // where to begin; the fleet and the council are then its own
	Load    []Load                        // requests that come to the pools' doors
	Shield  *Shield                       // doors that hold floods back; nil: there are none
}

// Span is a range of durations, drawn evenly.
type Span struct{ Min, Max time.Duration }

// Net is the weather of all links.
type Net struct {
	Delay  time.Duration // one way
	Jitter time.Duration // added, drawn evenly up to this
	Loss   float64       // of datagrams, one way
}

// Disk is the weather of all disks.
type Disk struct{ Sync Span }

// founding is when a world begins that begins with nothing.
var founding = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// World is a cluster in virtual time.
type World struct {
	kernel
	cfg         Config
	epoch       time.Time
	chance      *chance
	machines    []*machine
	index       map[member.ID]int
	links       links
	streamed    map[connection]time.Duration // when what was sent on it last comes
	revokes     bool                         // a certificate was withdrawn
	linkFaults  int                          // so many faults of links there have been
	trace       hash.Hash64
	letters     letters
	leases      posted
	doors       []*door
	shield      *guarded // nil: no shield
	proxies     proxies
	folds       *consensus.Folds // what all agents fold, once
	refounded   uint64           // how often people founded a new council
	applied     int              // how often they applied another fleet
	checker     *checker
	rare        rare
	assumptions assumptions
	facts       []consensus.Fact // the agreed story, as first applied by anybody
	before      uint64           // facts of a ledger with which the world began
	probes      uint64           // that were sent
	lines       []string         // the story in words, if wanted
	onlookers   []func(Happening)
	baseline    Baseline // another policy that looks on, nil: none
	Verbose     bool
}

// seeded makes crypto/rand give the same bytes in every run.
type seeded struct{ *randv2.ChaCha8 }

// New makes a world in which every member is about to start.
func New(cfg Config) (*World, error) {
	var past *revival
	if cfg.Begin != nil {
		var err error
		if past, err = revive(*cfg.Begin); err != nil {
			return nil, err
		}
		l := past.state.Ledger()
		cfg.Fleet, cfg.Council = *l.Fleet(), l.Councillors()
	}
	if err := checkLoad(cfg.Load, cfg.Fleet); err != nil {
		return nil, err
	}
	if err := cfg.Shield.check(cfg.Fleet); err != nil {
		return nil, err
	}
	w := &World{
		cfg: cfg, epoch: founding,
		chance: newChance(cfg.Seed), index: map[member.ID]int{}, streamed: map[connection]time.Duration{},
		trace: fnv.New64a(), proxies: proxies{},
	}
	if !w.apart() {
		w.folds = consensus.NewFolds()
	}
	var key [32]byte
	for i := range 8 {
		key[i] = byte(cfg.Seed >> (8 * i))
	}
	rand.Reader = seeded{randv2.NewChaCha8(key)}
	members := slices.Clone(cfg.Fleet.Members)
	slices.SortFunc(members, func(a, b member.Member) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	for i, m := range members {
		w.index[m.ID] = i
		w.machines = append(w.machines, &machine{
			w: w, i: i, id: m.ID, on: true, disk: newDisk(),
			running: map[member.SlotID]*service{}, lossyAt: -lossMemory,
		})
	}
	if past == nil {
		w.cfg.Fleet.Shield = cfg.Shield.policy(members)
	}
	w.links.struck = make([]uint16, len(members))
	w.checker = newChecker(w)
	w.openDoors()
	w.openShield()
	w.rare, w.assumptions = newRare(), newAssumptions()
	w.Watch(w.see)
	if past != nil {
		return w, w.resume(past)
	}
	w.found()
	return w, nil
}

// apart reports that every agent of this world folds the facts alone, as it does
// in the product: in one small world of four. Where they share what they fold, two
// ledgers cannot differ, and no snapshot can forget anything; the trace is the
// same.
func (w *World) apart() bool { return w.cfg.Seed%4 == 0 && len(w.cfg.Fleet.Members) <= 100 }

// found lets the council come up and applies the fleet, as an operator would.
func (w *World) found() {
	for _, m := range w.machines {
		if slices.Contains(w.cfg.Council, m.id) {
			m.disk.genesis = &consensus.Genesis{Cluster: "sim", Council: slices.Clone(w.cfg.Council), Unsigned: true}
		}
		m.startSoon()
	}
	var submit func()
	submit = func() {
		if len(w.facts) > 1 {
			return
		}
		c, err := consensus.NewCommand(consensus.KindFleet, "fleet/1", "operator", w.time(), w.cfg.Fleet)
		if err != nil {
			return
		}
		b, err := c.Encode()
		if err != nil {
			return
		}
		for _, m := range w.machines {
			if m.up() && m.mind.Councillor() {
				m.step(mind.Submitted{Command: b})
			}
		}
		w.after(500*time.Millisecond, submit)
	}
	w.after(500*time.Millisecond, submit)
}

func (w *World) time() time.Time { return w.epoch.Add(w.now) }

// Now is the virtual time since the beginning.
func (w *World) Now() time.Duration { return w.now }

// Events is how many events were carried out.
func (w *World) Events() uint64 { return w.events }

// Run carries out what happens in the next d. It returns the first broken
// promise, a *Broken.
func (w *World) Run(d time.Duration) error {
	limit := w.now + d
	for more := true; more && w.checker.broken == nil; {
		more = w.step(limit)
	}
	return w.verdictOf()
}

// RunUntil carries out events until ok holds, at most for d.
func (w *World) RunUntil(d time.Duration, ok func() bool) error {
	limit := w.now + d
	for !ok() {
		if !w.step(limit) {
			return fmt.Errorf("after %v: not reached within %v", w.now, d)
		}
		if w.checker.broken != nil {
			return w.checker.broken
		}
	}
	return nil
}

// step carries out the next event up to limit, and lets the checker look at
// everything when a second has passed.
func (w *World) step(limit time.Duration) bool {
	more := w.next(limit)
	if w.now >= w.checker.sweeps.next {
		w.checker.sweep()
	}
	return more
}

// At arranges a deed of the test's own.
func (w *World) At(t time.Duration, do func()) { w.at(t, do) }

// Trace is the hash over everything that happened and over the order of all
// events: equal for equal seeds.
func (w *World) Trace() uint64 { return mix(w.trace.Sum64() ^ w.digest) }

// Facts is the agreed story so far.
func (w *World) Facts() []consensus.Fact { return w.facts }

// note puts one happening into the trace.
func (w *World) note(i int, what string) {
	fmt.Fprintf(w.trace, "%d %d %s\n", w.now, i, what)
	if w.Verbose {
		w.lines = append(w.lines, fmt.Sprintf("%10.3fs %-8s %s", w.now.Seconds(), w.machines[i].id, what))
	}
}

// Lines is the story in words, if Verbose was set.
func (w *World) Lines() []string { return w.lines }
