// Package admit is what a door of the shield that is written in Go does with one
// request: it counts it under its subdomain, weighs it by the measures in force, and
// refuses whom they do not let in, in words for people or for programs.
//
// It decides nothing about subdomains: measures come from whoever does (Enforce).
// No request waits for a decision, and it fails open: without measures, with one that
// nobody renewed, and with one that it does not know how to carry out, the request is
// let in.
package admit

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"moonwatch/shield"
	"moonwatch/shield/count"
)

// Config of a gate. The zero value of a field means its default.
type Config struct {
	// Counter counts the requests of each subdomain. Without one nobody is ever held.
	Counter *count.Counter
	Now     func() time.Time // time.Now if nil

	// Key is what clients are named with, and what a challenged browser's pass is made
	// with: gates with one key choose the same clients and accept each other's passes. A
	// random one of this life if empty.
	Key []byte
	// Challenge says whether browsers are challenged where a measure wants it; else they
	// are shaped. Bits of zero are what they have to find: 16 by default, 65,536 hashes on
	// average, about a second on a phone.
	Challenge bool
	Bits      int

	// Client tells the clients apart, nil by their addresses (an IPv6 one by its /64).
	Client func(*http.Request) string
}

// Gate is the part of a door that requests pass. All methods may be called at any time
// from any goroutine.
type Gate struct {
	cfg       Config
	seed      atomic.Uint64 // of the clients' names
	challenge *challenge

	enforcing sync.Mutex // one Enforce at a time
	enforced  atomic.Pointer[enforced]
	learned   chan string
}

// enforced is what the shield has this door do at present. It is never changed,
// only replaced.
type enforced struct {
	measures *shield.Measures
	caps     map[shield.Key]*count.Bucket // of the measures that have a cap, and of who is stopped, for renewals
}

// New makes a gate that lets everybody in.
func New(cfg Config) *Gate {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Bits == 0 {
		cfg.Bits = 16
	}
	if len(cfg.Key) == 0 {
		cfg.Key = make([]byte, 32)
		_, _ = rand.Read(cfg.Key) // it never fails
	}
	g := &Gate{cfg: cfg, learned: make(chan string, learnedRoom)}
	g.seed.Store(seedOf(cfg.Key))
	if cfg.Challenge {
		g.challenge = &challenge{key: cfg.Key, bits: cfg.Bits}
	}
	g.enforced.Store(&enforced{})
	return g
}

// Enforce replaces what is done about subdomains; nil and the empty set let
// everybody in. What a cap has admitted is remembered from one set to the next.
func (g *Gate) Enforce(m *shield.Measures) {
	g.enforcing.Lock()
	defer g.enforcing.Unlock()
	if g.cfg.Counter != nil {
		g.cfg.Counter.Keep(m)
	}
	old := g.enforced.Load()
	next := &enforced{measures: m, caps: make(map[shield.Key]*count.Bucket)}
	for _, x := range m.List() {
		if x.Cap <= 0 && x.Rung < shield.Stop {
			continue
		}
		if b := old.caps[x.Key]; b != nil {
			next.caps[x.Key] = b
		} else {
			next.caps[x.Key] = new(count.Bucket)
		}
	}
	g.enforced.Store(next)
}

// Measures are those in force.
func (g *Gate) Measures() *shield.Measures { return g.enforced.Load().measures }

// Reason says why a request is not let in.
type Reason string

// The reasons.
const (
	LetIn    Reason = ""
	Fraction Reason = "fraction" // the client is not in the admitted fraction
	Cap      Reason = "cap"      // it is, and the door has let in its share already
	Stopped  Reason = "stopped"  // nobody is, but who renews its certificate
	Puzzle   Reason = "puzzle"   // a browser that has not solved its challenge yet
	Would    Reason = "would"    // it would not be let in, were the shield not in shadow
)

// Reasons lists those for which a request is refused, or would be.
func Reasons() []string {
	return []string{string(Fraction), string(Cap), string(Stopped), string(Puzzle), string(Would)}
}

// Count counts a request for a host. A Host that is no name is counted, too,
// under the one key of all these.
func (g *Gate) Count(host string) count.Ref {
	if g.cfg.Counter == nil {
		return count.Ref{}
	}
	var room [shield.HostRoom]byte
	name, ok := shield.Normalise(room[:0], host)
	if !ok {
		name = nil
	}
	return g.cfg.Counter.Add(name)
}

// Judge says whether a counted request is let in, and what holds it if not. Whoever
// refuses it says so to the ref and calls Refuse.
func (g *Gate) Judge(ref count.Ref, r *http.Request) (Reason, *shield.Measure) {
	if g.cfg.Counter == nil {
		return LetIn, nil // nobody is told apart
	}
	e := g.enforced.Load()
	m := e.measures.Find(ref.Key())
	if m == nil {
		return LetIn, nil
	}
	now := g.cfg.Now()
	if now.After(m.Until) {
		return LetIn, nil
	}
	why := g.weigh(now, e, m, r)
	if why != LetIn && m.Shadow {
		return Would, m
	}
	return why, m
}

func (g *Gate) weigh(now time.Time, e *enforced, m *shield.Measure, r *http.Request) Reason {
	client := g.clientOf(r)
	solved := m.Rung == shield.Challenge && g.challenge != nil && g.challenge.passes(now, r.Host, client, r)
	switch {
	case m.Rung == shield.Observe:
		return LetIn
	case m.Rung >= shield.Stop && renews(r) && e.caps[m.Key].Take(now, renewals, renewals):
		return LetIn // stopped for weeks, it would else have no certificate by then
	case m.Rung >= shield.Stop: // a drop in the handshake is not for a door without TLS: it stops
		return Stopped
	case m.Rung == shield.Challenge && g.challenge != nil && !solved && navigates(r):
		return Puzzle
	case !solved && !m.Admits(now, client): // who cannot be challenged is shaped
		return Fraction
	}
	if b := e.caps[m.Key]; b != nil && !b.Take(now, m.Cap, m.Burst) {
		return Cap
	}
	return LetIn
}

// seedOf makes the seed of clients' names out of a key. Nobody who does not know the key
// can choose an address that is always let in.
func seedOf(key []byte) uint64 {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("moonwatch clients 1"))
	return binary.BigEndian.Uint64(m.Sum(nil))
}

// Choose changes the seed by which clients are chosen; doors with the same one choose the
// same clients.
func (g *Gate) Choose(seed uint64) { g.seed.Store(seed) }

func (g *Gate) clientOf(r *http.Request) uint64 {
	if g.cfg.Client == nil {
		return g.ClientAt(r.RemoteAddr)
	}
	return g.ClientAt(g.cfg.Client(r))
}

// ClientAt names a client by its address, with or without a port, an IPv6 one by its
// /64: whoever has one address there has all of them. Any other text is a name itself.
// All gates with one key say the same name, or a pass would be good at one door alone.
func (g *Gate) ClientAt(remote string) uint64 {
	var ip netip.Addr
	if at, err := netip.ParseAddrPort(remote); err == nil {
		ip = at.Addr()
	} else if ip, err = netip.ParseAddr(remote); err != nil {
		return g.name(0, []byte(remote))
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		b := ip.As16()
		return g.name(6, b[:8])
	}
	b := ip.As4()
	return g.name(4, b[:])
}

func (g *Gate) name(kind byte, client []byte) uint64 {
	var room [9 + 64]byte
	binary.LittleEndian.PutUint64(room[:8], g.seed.Load())
	room[8] = kind
	return xxhash.Sum64(append(room[:9], client...))
}

// Answered books what the answer to an admitted request was, and what it cost, and gets
// to know the host of a good one. A status of 0 is no answer.
func (g *Gate) Answered(ref count.Ref, host string, status int, took time.Duration) {
	c := g.cfg.Counter
	if c == nil || status == 0 {
		return
	}
	if status == http.StatusSwitchingProtocols || status >= http.StatusOK && status < http.StatusInternalServerError {
		ref.Serve()
	}
	var room [shield.HostRoom]byte
	name, ok := shield.Normalise(room[:0], host)
	if !ok {
		return
	}
	ref.Cost(costOf(took), name)
	if !ref.Known() && status >= http.StatusOK && status < http.StatusBadRequest && c.Learn(name) {
		select {
		case g.learned <- string(name):
		default: // there are more than anybody lists
		}
	}
}

// learnedRoom is how many hosts may wait to be taken notice of.
const learnedRoom = 256

// Learned is the stream of hosts that became known. It is never closed; what nobody
// takes is dropped.
func (g *Gate) Learned() <-chan string { return g.learned }

// costOf is an occupant's time in tenths of milliseconds, at least one.
func costOf(took time.Duration) uint32 {
	return uint32(min(max(took/(100*time.Microsecond), 1), 1<<24)) // half an hour
}

// Strain counts the signs that whoever answers has more to do than it can.
type Strain struct {
	answers, busy           atomic.Uint64 // busy: it says itself that it is overloaded
	answersTaken, busyTaken uint64        // of the caller of Take alone
}

// Of the answers, one in busyShare, and at least busyLeast, are trouble: a single
// one may be about anything.
const (
	busyShare = 20
	busyLeast = 3
)

// Answer notes an answer's status.
func (s *Strain) Answer(status int) {
	s.answers.Add(1)
	if status == http.StatusServiceUnavailable {
		s.busy.Add(1)
	}
}

// Busy is how many answers said that whoever gives them is overloaded.
func (s *Strain) Busy() uint64 { return s.busy.Load() }

// Take reports whether there was trouble since it was last called. It has one caller.
func (s *Strain) Take() bool {
	allAnswers, allBusy := s.answers.Load(), s.busy.Load()
	answers, busy := allAnswers-s.answersTaken, allBusy-s.busyTaken
	s.answersTaken, s.busyTaken = allAnswers, allBusy
	return busy >= busyLeast && busy*busyShare >= answers
}
