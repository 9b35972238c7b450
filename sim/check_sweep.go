package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"moonwatch/mind"
)

// sweeps is what the checker remembers between two of its sweeps.
type sweeps struct {
	next   time.Duration // the next one
	head   uint64        // up to which everything was compared
	turn   int           // whose ledger is compared next
	folded uint64        // head of the digest below
	digest [sha256.Size]byte
	same   *byte         // the snapshot that was compared last
	quorum time.Duration // when most councillors last reached each other
	kept   map[uint64]written
}

// written is the digest of a whole ledger at one fact, and whose it was.
type written struct {
	by     string
	digest [sha256.Size]byte
}

func newSweeps() sweeps { return sweeps{kept: map[uint64]written{}} }

// compareEvery is how many sweeps lie between two whole ledgers that are compared:
// writing one down is the most expensive thing that a checker does.
const compareEvery = 10

// sweep is the look at everything, once per virtual second.
func (c *checker) sweep() {
	w := c.w
	c.sweeps.next = w.now + time.Second
	if w.quorumAtTimes() {
		c.sweeps.quorum = w.now
	}
	w.outlied()
	w.noticeSweep()
	c.kept()
	c.bounds()
	c.sent()
	c.abandoned()
	if head := c.fold.Head(); head != c.sweeps.head {
		c.sweeps.head = head
		c.compareAll()
	}
	if c.sweeps.turn++; c.sweeps.turn%compareEvery == 0 && c.fold.Head() > 0 {
		m := w.machines[c.sweeps.turn/compareEvery%len(w.machines)]
		if m.mind != nil && m.mind.Ledger().Head() == c.fold.Head() {
			c.sameLedger(m)
		}
	}
}

// quorumLost reports since when most councillors cannot reach each other.
func (c *checker) quorumLost() (since time.Duration, lost bool) {
	return c.sweeps.quorum, !c.w.quorumAtTimes()
}

// bounds checks S10: an agent's own queue of commands, and what waits for it.
func (c *checker) bounds() {
	c.look(ruleBounds)
	for _, m := range c.w.machines {
		if m.mind != nil {
			c.queued(m, m.mind.Wants())
		}
	}
}

func (c *checker) queued(m *machine, wants int) {
	if wants > mostWants {
		c.fail(ruleBounds, "%s wants %d commands in the ledger, at most %d", m.id, wants, mostWants)
	}
}

// mostWants is what one agent may want in the ledger at once: as many commands
// of others as it takes on, and its own for a whole fleet in trouble.
const mostWants = 2048

// sameLedger checks S3: an agent that knows as many facts as the fold has the
// same state.
func (c *checker) sameLedger(m *machine) {
	c.look(ruleAgree)
	if c.sweeps.folded != c.fold.Head() {
		b, err := c.fold.Snapshot()
		if err != nil {
			c.fail(ruleAudit, "%v", err)
			return
		}
		c.sweeps.folded, c.sweeps.digest, c.sweeps.same = c.fold.Head(), digest(b), nil
	}
	b, err := m.mind.Ledger().Snapshot()
	if err != nil {
		c.fail(ruleAudit, "%v", err)
		return
	}
	if c.sweeps.same == &b[0] {
		return // the very bytes that were compared last: agents share what they fold
	}
	c.sweeps.same = &b[0]
	if digest(b) != c.sweeps.digest {
		c.fail(ruleAgree, "the ledger of %s at fact %d differs from that of the facts applied again", m.id, c.fold.Head())
	}
}

// keeps compares the whole ledgers that agents write down by themselves.
func (c *checker) keeps(m *machine, e mind.KeepSnapshot) {
	if e.Whole {
		c.w.seldom("snapshot-installed")
	}
	c.look(ruleAgree)
	d := digest(e.Ledger)
	if o, known := c.sweeps.kept[e.Head]; known && o.digest != d {
		c.fail(ruleAgree, "the snapshots of %s and %s at fact %d differ", m.id, o.by, e.Head)
	} else if !known {
		c.sweeps.kept[e.Head] = written{string(m.id), d}
	}
}

// digest is a ledger's content. How far a councillor has read raft's log is none:
// repeated commands leave entries there and no facts.
func digest(snapshot []byte) [sha256.Size]byte {
	var s struct {
		State map[string]json.RawMessage `json:"state"`
		Parts map[string]json.RawMessage `json:"parts"`
	}
	if err := json.Unmarshal(snapshot, &s); err != nil {
		panic(fmt.Sprintf("sim: snapshot: %v", err))
	}
	delete(s.State, "raft")
	var b bytes.Buffer
	for _, m := range []map[string]json.RawMessage{s.State, s.Parts} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(&b, "%s %s\n", k, m[k])
		}
	}
	return sha256.Sum256(b.Bytes())
}
