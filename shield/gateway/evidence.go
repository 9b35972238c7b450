package gateway

import (
	"time"

	"moonwatch/member"
)

// Kind of evidence.
type Kind uint8

// The kinds. Only Answered speaks for the occupant.
const (
	Answered Kind = iota // an answer that is no server error, also a late one
	Refused              // no connection within ConnectTimeout
	Late                 // no answer within the bound
	Broken               // the connection ended before the answer did
	kinds
)

func (k Kind) String() string {
	return [...]string{"answered", "refused", "late", "broken"}[k]
}

// Evidence is what the gateway saw of an occupant while it served. It is the
// gateway's own word about the service, not about the agent.
type Evidence struct {
	Pool      string
	Slot      member.SlotID
	SlotEpoch member.SlotEpoch
	Member    member.ID
	At        time.Time
	Kind      Kind
	OK        bool // Kind is Answered
}

const (
	// evidenceQueue holds what 5 occupants can say in 10 s of all kinds.
	evidenceQueue = 2048
	// evidenceInterval: one word per occupant and kind is enough for a vote that
	// is renewed every second.
	evidenceInterval = 100 * time.Millisecond
)

// Evidence is the stream of what was seen, at most one word per occupant and
// kind in 100 ms. It is never closed; what nobody takes is dropped and counted.
func (g *Gateway) Evidence() <-chan Evidence { return g.evidence }

func (g *Gateway) offer(o *occupant, kind Kind, now time.Time) {
	last, t := o.told[kind].Load(), now.UnixNano()
	if t-last < int64(evidenceInterval) || !o.told[kind].CompareAndSwap(last, t) {
		return
	}
	select {
	case g.evidence <- Evidence{
		Pool: o.pool, Slot: o.slot, SlotEpoch: o.slotEpoch, Member: o.member,
		At: now, Kind: kind, OK: kind == Answered,
	}:
	default:
		g.metrics.dropped.Inc()
	}
}
