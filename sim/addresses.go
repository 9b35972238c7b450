package sim

import "time"

// The address book. The daemon learns from serf where to reach the others, and
// from their certificates whose signature is whose; a verdict never rests on
// either, but an agent that does not know an address yet sends nothing there.
//
// Modelled is what that costs an agent that has just started: it joins through
// somebody who answers, trying again every half second; then it knows all that
// were ever announced, and asks them for their certificates, sixteen at a time.
// Who starts for the first time is known to the others after the gossip's while,
// and later where the weather loses it. A member that comes back keeps its
// address, and the others keep that, as peers.adopt does. Left out: a member that
// moves to another address, and keys that are asked for over a severed link.

const (
	joinAgain = 500 * time.Millisecond // as the daemon's
	meetEvery = 200 * time.Millisecond
	meetBatch = 16
)

// gossipTakes is how long news takes to go round. A round that is lost costs as
// long again.
var gossipTakes = Span{200 * time.Millisecond, 1500 * time.Millisecond}

// streamGossip decides how late news is.
const streamGossip = streamDriver + 1

// book is what an agent knows about reaching the others.
type book struct {
	joined time.Duration // when it joined; 0: not yet
	known  time.Duration // when the others were first told of this member; 0: never. It outlives the agent
	loss   float64       // that the news met
	met    bool          // it knows everybody since before the world began, and their certificates
}

// longAgo is before anything that a world asks about.
const longAgo = -time.Hour

// join tries to join until somebody answers: a councillor, whom the agent's
// file names, or anybody, whom it remembers.
func (m *machine) join(life uint64) {
	if m.life != life || m.mind == nil {
		return
	}
	w := m.w
	if m.book.met {
		m.book.met, m.book.joined = false, longAgo
		return
	}
	if m.up() && len(w.machines) > 1 {
		somebody := int(w.chance.next(streamGossip, m.i, m.i) % uint64(len(w.machines)))
		tries := append(w.those(w.cfg.Council), w.machines[somebody])
		for _, x := range tries {
			if x != m && x.up() && !w.severed(m.i, x.i) && !w.severed(x.i, m.i) {
				m.book.joined = w.now + 3*w.delay(m.i, x.i)
				if m.book.known == 0 {
					m.book.known, m.book.loss = m.book.joined, w.lossOf(m.i, x.i)
				}
				if x.book.known == 0 {
					x.book.known, x.book.loss = m.book.joined, w.lossOf(x.i, m.i)
				}
				if x.book.joined == 0 {
					x.book.joined = m.book.joined
				}
				return
			}
		}
	}
	w.after(joinAgain, func() { m.join(life) })
}

// knows reports whether an agent has another member's address.
func (m *machine) knows(x *machine) bool {
	now := m.w.now
	if m == x {
		return true
	}
	if m.book.joined == 0 || x.book.known == 0 || now < m.book.joined || now < x.book.known {
		return false
	}
	const longest = 8 * 1500 * time.Millisecond
	return now >= x.book.known+longest || now >= x.book.known+m.newsOf(x)
}

// newsOf is how long the news of a new member takes to come here. It depends on
// the seed and the two alone.
func (m *machine) newsOf(x *machine) time.Duration {
	var d time.Duration
	for n := range uint64(8) {
		k := mix(m.w.cfg.Seed ^ mix(uint64(streamGossip)<<56|n<<48|uint64(m.i)<<24|uint64(x.i)))
		d += gossipTakes.Min + time.Duration(k%uint64(gossipTakes.Max-gossipTakes.Min))
		if float64(mix(k)>>11)/(1<<53) >= x.book.loss {
			break
		}
	}
	return min(d, 8*gossipTakes.Max)
}

// met reports whether an agent has another one's certificate, and so can tell
// its signature.
func (m *machine) met(x *machine) bool {
	asked := time.Duration(1+x.i/meetBatch) * meetEvery
	return m == x || m.knows(x) && m.w.now >= m.book.joined+asked
}
