package agent

import (
	"time"

	"moonwatch/member"
)

// Renewal is the occupant's request that its lease of an exclusive slot begin
// anew. It is signed, sent to the leader or to all councillors, and never logged.
type Renewal struct {
	Holder member.ID
	Life   member.Incarnation
	Seq    uint64 // grows with every renewal of this life
	Slot   member.SlotID
	Epoch  member.SlotEpoch
	// Sent is when it was sent, since the holder's machine was booted, on a clock
	// that goes on while the machine sleeps. To everybody else it is a number to be
	// given back.
	Sent time.Duration
	Wide bool // it went to all councillors: the way to or from the leader may be broken
}

// Grant is the leader's answer: the renewal, given back with the terms that the
// leader counts by. The holder takes those: its own ledger may be behind.
type Grant struct {
	Renewal Renewal
	Terms   member.LeaseTerms
}

// Lease is what the holder hands to its enforcer: run the slot until Sent + S.
type Lease struct {
	Slot  member.SlotID
	Epoch member.SlotEpoch
	Sent  time.Duration
	Terms member.LeaseTerms
}

// Tenancy is what a member may run under a lease, as its ledger shows it; the zero
// value: no exclusive slot.
type Tenancy struct {
	Slot        member.SlotID
	Epoch       member.SlotEpoch
	Terms       member.LeaseTerms
	Councillors []member.ID // who relay renewals
	Leader      member.ID   // empty: none known
}

// HolderEffect is what a Holder wants done. The set is closed.
type HolderEffect interface{ isHolderEffect() }

// SendRenewal asks for a renewal to be stamped with the time of its sending,
// signed and sent.
type SendRenewal struct {
	Renewal Renewal
	To      []member.ID
}

// HandLease asks for a lease to be handed to the enforcer.
type HandLease struct{ Lease Lease }

func (SendRenewal) isHolderEffect() {}
func (HandLease) isHolderEffect()   {}

// Holder is one member's side of its lease: when to renew it, which grants
// count, and whether there is time left. It ends nothing itself: the enforcer
// does, which outlives it.
type Holder struct {
	self member.ID
	life member.Incarnation
	seq  uint64

	has     Tenancy
	awaited []awaited     // renewals without a grant, oldest first
	from    time.Time     // when the last renewal was sent that was granted; zero: none for this slot epoch
	stop    time.Duration // S of that grant
	sent    time.Time     // when the last renewal was sent
}

// awaited is a renewal on its way, and when it left as this process saw it.
type awaited struct {
	seq uint64
	at  time.Time
}

// maxAwaited bounds what is remembered: more than is sent within one S.
const maxAwaited = 64

// NewHolder makes the holder of one life of an agent. It knows of no lease: one
// that an earlier life had goes on at the enforcer, and is renewed at once.
func NewHolder(self member.ID, life member.Incarnation) *Holder {
	return &Holder{self: self, life: life}
}

// Tell brings what the ledger shows now, and renews at once when that is
// something new.
func (h *Holder) Tell(now time.Time, t Tenancy) []HolderEffect {
	if t.Slot != h.has.Slot || t.Epoch != h.has.Epoch {
		h.awaited, h.from, h.sent = nil, time.Time{}, time.Time{}
	}
	h.has = t
	return h.Woken(now)
}

// Woken renews when it is time to.
func (h *Holder) Woken(now time.Time) []HolderEffect {
	if h.has.Slot == "" || now.Before(h.Wake()) {
		return nil
	}
	r := Renewal{Holder: h.self, Life: h.life, Slot: h.has.Slot, Epoch: h.has.Epoch, Wide: h.troubled(now)}
	to := []member.ID{h.has.Leader}
	if r.Wide {
		to = h.has.Councillors
	}
	h.seq++
	r.Seq = h.seq
	h.sent = now
	h.awaited = append(h.awaited, awaited{seq: r.Seq, at: now})
	if len(h.awaited) > maxAwaited {
		h.awaited = h.awaited[1:]
	}
	return []HolderEffect{SendRenewal{Renewal: r, To: to}}
}

// hurry is how many renewals go out in place of one while none is granted: S
// bears the loss of two regular ones, a lossy network takes more than that.
const hurry = 4

// troubled reports that the straight way cannot be trusted: there is no leader, or
// the last regular renewal has not been granted.
func (h *Holder) troubled(now time.Time) bool {
	return h.has.Leader == "" || h.from.IsZero() || now.Sub(h.from) > h.has.Terms.Renew+h.has.Terms.Renew/(2*hurry)
}

// Wake is when a renewal is due; the zero time: never, for there is nothing to
// renew.
func (h *Holder) Wake() time.Time {
	switch {
	case h.has.Slot == "":
		return time.Time{}
	case h.sent.IsZero():
		return h.sent // at once: see Woken
	case h.from.Equal(h.sent):
		return h.sent.Add(h.has.Terms.Renew)
	default: // not granted yet
		return h.sent.Add(h.has.Terms.Renew / hurry)
	}
}

// Granted takes a grant. One for a renewal of another life, of another slot epoch,
// or one that is not awaited any more, is nobody's: a lease only ever grows
// younger.
func (h *Holder) Granted(g Grant) []HolderEffect {
	r := g.Renewal
	if r.Holder != h.self || r.Life != h.life || r.Slot != h.has.Slot || r.Epoch != h.has.Epoch {
		return nil
	}
	for i, a := range h.awaited {
		if a.seq != r.Seq {
			continue
		}
		h.awaited = h.awaited[i+1:] // older ones would only be older leases
		h.from, h.stop = a.at, g.Terms.Stop
		return []HolderEffect{HandLease{Lease: Lease{Slot: r.Slot, Epoch: r.Epoch, Sent: r.Sent, Terms: g.Terms}}}
	}
	return nil
}

// Left is for how long the slot may still be run at this slot epoch, 0 if not at
// all. By this clock, which may stand still while the machine sleeps: it is for
// beginning things, never for letting them go on.
func (h *Holder) Left(now time.Time, slot member.SlotID, epoch member.SlotEpoch) time.Duration {
	if slot != h.has.Slot || epoch != h.has.Epoch || h.from.IsZero() {
		return 0
	}
	return max(0, h.from.Add(h.stop).Sub(now))
}
