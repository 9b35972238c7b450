package agent

import (
	"slices"
	"time"

	"moonwatch/member"
)

// post keeps what was said to the councillors: when to renew it, and which
// statements still wait for an acknowledgement.
type post struct {
	dirty   bool      // something must be said
	notYet  time.Time // but not before this
	said    Reason    // why we abstained when we last looked; unsaid before
	renewAt time.Time // when to say something again: what stands, or that we are there
	votesAt time.Time // and what stands not before this
	open    []letter
	trips   map[member.ID]time.Duration // until a councillor's acknowledgement, in good times
}

// unsaid makes the first look at what stands a change, so that a councillor
// hears from everybody at least once.
const unsaid Reason = "unsaid"

// letter is a statement that not every councillor has acknowledged.
type letter struct {
	statement Statement
	to        []member.ID
	sent      time.Time
	resends   int
	next      time.Time
}

func (p *post) due(time.Time) { p.dirty = true }

func (p *post) acknowledged(now time.Time, a Acknowledged) {
	for i := range p.open {
		l := &p.open[i]
		if l.statement.Seq == a.Seq {
			p.timed(a.By, now.Sub(l.sent))
			l.to = slices.DeleteFunc(slices.Clone(l.to), func(id member.ID) bool { return id == a.By })
		}
	}
	p.open = slices.DeleteFunc(p.open, func(l letter) bool { return len(l.to) == 0 })
}

// timed notes how long an acknowledgement took. That of a statement that was lost
// at first took longer than the way is; so less is believed at once, and more by
// and by.
func (p *post) timed(by member.ID, took time.Duration) {
	if p.trips == nil {
		p.trips = map[member.ID]time.Duration{}
	}
	if was := p.trips[by]; took > was {
		took = was + (took-was)/8
	}
	p.trips[by] = took
}

// overdue are those of to whose acknowledgement could be here by now. Where the
// way is longer than the pause, a repeat would say nothing but that.
func (p *post) overdue(to []member.ID, waited time.Duration) []member.ID {
	return slices.DeleteFunc(slices.Clone(to), func(id member.ID) bool { return p.trips[id] >= waited })
}

// Awaits reports whether a statement waits for acknowledgements.
func (o *Observer) Awaits(seq uint64) bool {
	return slices.ContainsFunc(o.post.open, func(l letter) bool { return l.statement.Seq == seq })
}

// sooner is w, or when the post has something to send before that.
func (p *post) sooner(w time.Time) time.Time {
	if !p.renewAt.IsZero() && p.renewAt.Before(w) {
		w = p.renewAt
	}
	if p.dirty && p.notYet.Before(w) {
		w = p.notYet
	}
	for i := range p.open {
		if p.open[i].next.Before(w) {
			w = p.open[i].next
		}
	}
	return w
}

// publish says what is new, renews what stands, and repeats what was not
// acknowledged.
func (o *Observer) publish(now time.Time, out []Effect) []Effect {
	p := &o.post
	if len(o.watch.Councillors) == 0 {
		// Nobody to tell yet: everything is said when the council is known.
		*p = post{dirty: p.dirty, said: unsaid, trips: p.trips}
		return out
	}
	abstains := o.doubt.word(now, &o.cfg)
	if abstains != p.said {
		p.said, p.dirty = abstains, true
	}
	renew := !p.renewAt.IsZero() && !now.Before(p.renewAt)
	switch {
	case p.dirty && !now.Before(p.notYet), renew && !now.Before(p.votesAt):
		out = o.speak(now, abstains, out)
	case renew:
		p.renewAt = earlier(p.votesAt, now.Add(o.cfg.Presence))
		out = append(out, Publish{Statement: o.statement(o.cfg.VoteLife, ""), To: o.watch.Councillors})
	}
	return o.repeat(now, out)
}

// speak puts everything that stands, what was withdrawn, and the answers to
// roll calls into statements.
func (o *Observer) speak(now time.Time, abstains Reason, out []Effect) []Effect {
	p := &o.post
	accused := 0
	var votes []Vote
	var unreachable []member.ID
	for _, e := range o.edges {
		if e.accused() {
			accused++
		}
		if abstains != "" {
			if e.silence {
				unreachable = append(unreachable, e.ID)
			}
			continue
		}
		votes = o.votesOn(now, e, votes)
	}
	mass := abstains == "" && accused > max(2, len(o.edges)/4)
	life, every := o.cfg.VoteLife, o.cfg.Renew
	if mass {
		life, every = o.cfg.MassLife, o.cfg.MassRenew
	}
	stands := len(votes) > 0 || abstains != ""
	p.renewAt, p.votesAt = time.Time{}, time.Time{}
	if stands {
		p.renewAt, p.votesAt = now.Add(every), now.Add(every)
	}
	// Votes of a mass failure are renewed so seldom that who sends nothing else
	// would be taken for silent.
	if (!stands || mass) && o.watch.Roster.Len() > o.cfg.FullMeshTo {
		p.renewAt = now.Add(o.cfg.Presence)
	}
	urgent := p.dirty
	p.dirty = false
	datagrams := 0
	for first := true; first || len(votes) > 0 || len(unreachable) > 0; first = false {
		s := o.statement(life, abstains)
		s.Acknowledge = urgent
		n := min(len(votes), MaxVotes)
		s.Votes, votes = votes[:n:n], votes[n:]
		n = min(len(unreachable), MaxVotes-n)
		s.Unreachable, unreachable = unreachable[:n:n], unreachable[n:]
		datagrams++
		out = append(out, Publish{Statement: s, To: o.watch.Councillors})
		if urgent {
			p.open = append(p.open, letter{
				statement: s, to: o.watch.Councillors,
				sent: now, next: now.Add(o.cfg.Resend[0]),
			})
		}
	}
	p.notYet = now.Add(o.cfg.Gather * time.Duration(min(datagrams, gatherMost)))
	// What is older than the last resend is either acknowledged or renewed.
	if len(p.open) > 64 {
		p.open = p.open[len(p.open)-64:]
	}
	return out
}

// gatherMost bounds how many times longer whoever says much waits before it says all of
// it again: for every datagram of the last time once, so that no number of votes makes
// more than fifty a second, until a verdict on many would come noticeably later.
const gatherMost = 5

// statement is the next one, without a vote in it.
func (o *Observer) statement(life time.Duration, abstains Reason) Statement {
	o.seq++
	s := Statement{Observer: o.self, Incarnation: o.life, Seq: o.seq, Life: life, Abstains: abstains}
	if o.watch.Roster != nil {
		s.Roster = o.watch.Roster.Epoch
	}
	return s
}

// earlier is the earlier of two times, of which a may be none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// votesOn lists this observer's votes on one subject: the standing ones, a
// withdrawal for as long as it may be news, and the answers to a roll call.
func (o *Observer) votesOn(now time.Time, e *edge, votes []Vote) []Vote {
	if e.accused() {
		votes = append(votes, o.vote(now, e, OfAgent, Down, RollID{}))
		e.told.agent = true
	} else if e.told.agent {
		votes = append(votes, o.vote(now, e, OfAgent, Up, RollID{}))
		e.told.agent = false
	}
	if e.check.accused {
		votes = append(votes, o.vote(now, e, OfService, Down, RollID{}))
		e.told.service = true
	} else if e.told.service {
		votes = append(votes, o.vote(now, e, OfService, Up, RollID{}))
		e.told.service = false
	}
	r := &e.roll
	if r.agent != Abstain {
		votes = append(votes, o.vote(now, e, OfAgent, r.agent, r.id))
	}
	if r.service != Abstain {
		votes = append(votes, o.vote(now, e, OfService, r.service, r.id))
	}
	return votes
}

func (o *Observer) vote(now time.Time, e *edge, kind Kind, s Stance, id RollID) Vote {
	v := Vote{Subject: e.ID, Incarnation: e.incarnation, Kind: kind, Stance: s, Roll: id, Reason: Answered}
	if kind == OfService {
		v.Evidence.Detail = e.check.last.Detail
		if s == Down {
			v.Reason = Refused
			if e.check.last.Silent {
				v.Reason = NoReply
			}
		}
		return v
	}
	v.Evidence = Evidence{LostRun: e.lostRun, LossPct: pct(e.lossRate()), MedianPct: pct(o.medianLoss())}
	if s == Down {
		v.Reason = Silence
		if e.accused() {
			v.Reason = e.reason()
		}
		v.Evidence.SilentFor = now.Sub(e.silentSince()).Round(time.Millisecond)
	}
	return v
}

func pct(share float64) int { return int(100*share + 0.5) }

// repeat sends again what was not acknowledged, a few times; after that the
// renewal does.
func (o *Observer) repeat(now time.Time, out []Effect) []Effect {
	p := &o.post
	if len(p.open) == 0 {
		return out
	}
	keep := p.open[:0]
	for _, l := range p.open {
		if !now.Before(l.next) {
			if l.resends >= len(o.cfg.Resend) {
				continue
			}
			if to := p.overdue(l.to, now.Sub(l.sent)); len(to) > 0 {
				out = append(out, Publish{Statement: l.statement, To: to})
			}
			l.resends++
			l.next = l.sent.Add(o.cfg.VoteLife) // until then an acknowledgement tells how long the way is
			if l.resends < len(o.cfg.Resend) {
				l.next = l.sent.Add(o.cfg.Resend[l.resends])
			}
		}
		keep = append(keep, l)
	}
	p.open = keep
	return out
}
