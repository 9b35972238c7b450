package consensus

import (
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// weigh looks at every subject that somebody spoke about: calls the roll,
// watches the watermarks, and cuts when it is quiet.
func (t *Tally) weigh(now time.Time, out []TallyEffect) []TallyEffect {
	t.swept, t.news = now, false
	subjects := t.memory.subjects()
	for _, s := range subjects {
		for kind := range s.counts {
			s.counts[kind] = t.count(now, s, agent.Kind(kind), nil)
		}
		out = t.look(now, s, out)
		out = t.callIfAccused(now, s, out)
		t.watermark(now, s)
	}
	cut := t.cut(now, subjects)
	t.pending, t.lookAt = len(cut) > 0, time.Time{}
	waits := t.marked(cut)
	for _, s := range subjects {
		s.cut = waits.has(s.place)
		if s.cut || s.wanted || t.cascade && s.counts[agent.OfAgent].down() {
			t.lookWhenAnswered(now, s)
		}
	}
	if len(cut) > 0 && !now.Before(t.quiet) {
		if v := t.verdict(now, cut); len(v.Findings) > 0 {
			out = append(out, Decided{Verdict: v})
		}
	}
	for _, s := range subjects {
		if !waits.has(s.place) {
			out = t.aside(now, s, out)
		}
		if t.forgettable(now, s) {
			t.memory.forget(s)
		}
	}
	return out
}

// lookWhenAnswered has the tally woken when whoever is slow to answer the present roll
// call about a subject has had its time.
func (t *Tally) lookWhenAnswered(now time.Time, s *subject) {
	if at := s.calledAt.Add(t.cfg.ServiceWait); at.After(now) && (t.lookAt.IsZero() || at.Before(t.lookAt)) {
		t.lookAt, t.pending = at, true
	}
}

// forgettable subjects are those about which nothing stands any more.
func (t *Tally) forgettable(now time.Time, s *subject) bool {
	if t.verdictOn(s) != "" || s.wanted || now.Sub(s.calledAt) < t.cfg.RollValid {
		return false
	}
	for k := range s.casts {
		for i := range s.casts[k] {
			if s.casts[k][i].standing.live(now) || s.casts[k][i].fresh.live(now) {
				return false
			}
		}
	}
	// Its share of the minute's hold-up is remembered.
	return s.heldFrom.IsZero() || now.Sub(s.heldFrom) > time.Minute
}

// callIfAccused calls the roll for a subject that stands accused and about
// which nothing is decided yet, soon again while that may help, and rarely
// later.
func (t *Tally) callIfAccused(now time.Time, s *subject, out []TallyEffect) []TallyEffect {
	if s.standing(now) == 0 {
		s.calls, s.slow = 0, false
		s.accusedAt = time.Time{}
		return out
	}
	if t.verdictOn(s) == VerdictDown {
		return out
	}
	if t.cascade {
		// Thousands of roll calls would add to the trouble, and none at all
		// would leave a service that three checkers accuse undecided, and the
		// cascade without an end. So one subject after the other is asked
		// about, whoever was not for longest.
		if now.Sub(t.calmCall) < t.cfg.RollAgain || t.longestUncalled(now) != s {
			return out
		}
		t.calmCall = now
		return t.call(now, s, out)
	}
	again := t.cfg.RollAgain
	switch {
	case s.cut, t.waitsForAgent(s):
		// It is decided by what this call has brought, as soon as it is quiet and its
		// service has had its time: another call would begin that time anew.
		again = t.cfg.RollValid
	case s.calls > 4:
		again = t.cfg.RollCalm
	}
	if !s.calledAt.IsZero() && now.Sub(s.calledAt) < again {
		return out
	}
	return t.call(now, s, out)
}

// longestUncalled is the accused subject whose last roll call is oldest.
func (t *Tally) longestUncalled(now time.Time) *subject {
	var oldest *subject
	for _, s := range t.memory.subjects() {
		if s.standing(now) > 0 && (oldest == nil || s.calledAt.Before(oldest.calledAt)) && t.verdictOn(s) != VerdictDown {
			oldest = s
		}
	}
	return oldest
}

func (t *Tally) call(now time.Time, s *subject, out []TallyEffect) []TallyEffect {
	var to []member.ID
	for _, at := range t.ledger.Overlay().watchers[s.place] {
		if e := &t.memory.entries[at]; !e.silenced {
			to = append(to, e.id)
		}
	}
	t.rolls++
	s.roll = agent.RollID{Term: t.term, N: t.rolls}
	s.calledAt = now
	s.calls++
	return append(out, CallRoll{Call: agent.RollCall{ID: s.roll, Subjects: []member.ID{s.id}}, To: to})
}

// recall calls the roll because somebody wants to know.
func (t *Tally) recall(now time.Time, ev Recall, out []TallyEffect) []TallyEffect {
	s := t.memory.subject(ev.Subject)
	if s == nil {
		return out
	}
	s.wanted, s.wantAll = true, ev.All
	return t.call(now, s, out)
}

// look answers a Recall as soon as the votes allow.
func (t *Tally) look(now time.Time, s *subject, out []TallyEffect) []TallyEffect {
	if !s.wanted {
		return t.lookBack(s, out)
	}
	ac, sc := s.counts[agent.OfAgent], s.counts[agent.OfService]
	l := Looked{Subject: s.id, Agent: outcome(ac), Service: outcome(sc), At: s.calledAt, Alone: sc.alone()}
	if l.Agreed = ac.agreed(); t.verdictOn(s) == VerdictServiceDown {
		l.Agreed = sc.agreed()
	}
	waited := now.Sub(s.calledAt) >= t.cfg.RollValid
	service := !t.checked(s.id) || l.Service != agent.Abstain
	if t.verdictOn(s) == VerdictDown && l.Agent == agent.Up && now.Sub(s.calledAt) < t.cfg.ServiceWait {
		service = !t.checked(s.id) || l.Service == agent.Up // it has just come back, and its service may take longer
	}
	if !waited && !l.Alone && (l.Agent == agent.Abstain || !service || s.wantAll && !l.Agreed) {
		return out
	}
	s.wanted, s.wantAll, s.lookedAt = false, false, time.Time{}
	if l.Agent == agent.Down {
		s.lookedAt = now
		l.SilentSince = silentSince(now, t.spell(now, s, agent.OfAgent, nil).Votes)
	}
	out = append(out, l)
	if st, ok := t.ledger.Standing(s.id); ok && t.withdraws(s, st, l) {
		f := Finding{Subject: s.id, Incarnation: s.incarnation(), Kind: VerdictUp, Withdrawn: true, Agent: ac, Service: sc}
		out = t.decide(now, s, f, out)
	}
	return out
}

// lookBack takes a Looked back that said down, when the votes behind it are
// withdrawn before anybody can have acted on it: the subject has come back.
func (t *Tally) lookBack(s *subject, out []TallyEffect) []TallyEffect {
	if s.lookedAt.IsZero() || s.counts[agent.OfAgent].down() {
		return out
	}
	s.lookedAt = time.Time{}
	return append(out, Looked{Subject: s.id, At: s.calledAt})
}

// withdraws reports that a second look found the subject well before anything
// irreversible was done. That is believed at once the first time; a member that
// keeps falling and rising has to be clean for a while.
func (t *Tally) withdraws(s *subject, st Standing, l Looked) bool {
	switch {
	case st.Kind == VerdictServiceDown: // its restarts are counted elsewhere
	case st.Kind == VerdictDown && t.ledger.Record(s.id).Downs <= 1:
	default:
		return false
	}
	return l.Agent == agent.Up && (!t.checked(s.id) || l.Service == agent.Up)
}

func outcome(c Count) agent.Stance {
	switch {
	case c.down():
		return agent.Down
	case c.up():
		return agent.Up
	default:
		return agent.Abstain
	}
}

// watermark notes who crosses the low watermark: others in the same trouble
// may be about to, and a cut waits for them. One subject that crosses to and
// fro may hold up others for HoldUp per minute, no longer.
func (t *Tally) watermark(now time.Time, s *subject) {
	for kind := range s.crossed {
		c := s.counts[kind]
		over := c.Downs >= low(c.Eligible)
		if over && !s.crossed[kind] && t.undecided(s) {
			if s.heldFrom.IsZero() || now.Sub(s.heldFrom) > time.Minute {
				s.heldFrom, s.heldUp = now, 0
			}
			if s.heldUp < t.cfg.HoldUp {
				s.heldUp += t.cfg.Quiet
				if q := now.Add(t.cfg.Quiet); q.After(t.quiet) {
					t.quiet = q
				}
			}
		}
		s.crossed[kind] = over
	}
}

// undecided reports that a subject could still get a graver verdict.
func (t *Tally) undecided(s *subject) bool {
	switch k := t.verdictOn(s); k {
	case "":
		return true
	case VerdictDomainCut:
		return t.nextAnew(s)
	default:
		return k.rank() < VerdictDown.rank()
	}
}

// nextAnew reports that it is this member's turn to be voted on by itself although
// its whole failure domain is out of reach: one at a time, in the roster's order.
func (t *Tally) nextAnew(s *subject) bool {
	if t.anew == "" || t.memory.entries[s.place].domain != t.anew {
		return false
	}
	for i := range t.memory.entries[:s.place] {
		if e := &t.memory.entries[i]; e.domain == t.anew && e.verdict == VerdictDomainCut {
			return false
		}
	}
	return true
}

// verdictOn is the verdict under which a subject stands, empty for none.
func (t *Tally) verdictOn(s *subject) VerdictKind { return t.memory.entries[s.place].verdict }

// aside decides what needs no cut: service-down, partial and up.
func (t *Tally) aside(now time.Time, s *subject, out []TallyEffect) []TallyEffect {
	ac, sc := s.counts[agent.OfAgent], s.counts[agent.OfService]
	st, stands := t.ledger.Standing(s.id)
	f := Finding{Subject: s.id, Incarnation: s.incarnation(), Agent: ac, Service: sc}
	switch {
	case !stands && t.checked(s.id) && sc.down() && !ac.smeared() && !now.Before(t.quiet):
		if t.waitsForAgent(s) && now.Sub(s.calledAt) < t.cfg.ServiceWait {
			t.lookWhenAnswered(now, s)
			return out
		}
		f.Kind = VerdictServiceDown
	case !stands && t.mixed(now, s, ac, sc):
		f.Kind = VerdictPartial
	case stands:
		return t.absolve(now, s, st, f, out)
	default:
		return out
	}
	return t.decide(now, s, f, out)
}

// waitsForAgent reports that a service is down and nobody has said that its agent
// answers. Who finds that silent needs longer to say so than for a port that is closed: it
// may be the machine.
func (t *Tally) waitsForAgent(s *subject) bool {
	return t.checked(s.id) && s.counts[agent.OfService].down() && s.counts[agent.OfAgent].Ups == 0
}

// mixed is true when down votes are too many to be noise, and for so long too
// few to decide.
func (t *Tally) mixed(now time.Time, s *subject, ac, sc Count) bool {
	if !ac.smeared() && !(t.checked(s.id) && sc.smeared() && !sc.down()) {
		s.partial = time.Time{}
		return false
	}
	if s.partial.IsZero() {
		s.partial = now
	}
	return now.Sub(s.partial) >= t.cfg.PartialAfter
}

// absolve lifts a verdict after a clean while, confirmed by fresh answers.
func (t *Tally) absolve(now time.Time, s *subject, st Standing, f Finding, out []TallyEffect) []TallyEffect {
	// Below the low watermark an accusation is noise: in lossy weather somebody
	// always accuses, and a single liar could keep a verdict for ever.
	// Whoever has no service any more, as a spare that could not start one, is
	// asked about its agent alone: nobody would ever say up about the other.
	service := st.Kind == VerdictServiceDown && t.checked(s.id)
	bad := f.Agent.Downs >= low(f.Agent.Eligible) || service && f.Service.Downs >= low(f.Service.Eligible)
	if bad || t.unheard(now, &t.memory.entries[s.place]) {
		s.clean = time.Time{}
		return out
	}
	if s.clean.IsZero() {
		s.clean = now
	}
	if now.Sub(s.clean) < t.cfg.Clean {
		return out
	}
	good := f.Agent.up() && (!service || f.Service.up())
	if !good {
		if now.Sub(s.calledAt) >= t.cfg.RollAgain {
			out = t.call(now, s, out)
		}
		return out
	}
	f.Kind = VerdictUp
	return t.decide(now, s, f, out)
}

func (t *Tally) unheard(now time.Time, e *entry) bool { return now.Sub(e.heard) >= t.cfg.UnheardOpen }

// decide proposes one finding as a verdict of its own, once a second until it
// stands.
func (t *Tally) decide(now time.Time, s *subject, f Finding, out []TallyEffect) []TallyEffect {
	if !t.propose(now, s, f.Kind) {
		return out
	}
	f.Agent, f.Service = t.spell(now, s, agent.OfAgent, nil), t.spell(now, s, agent.OfService, nil)
	return append(out, Decided{Verdict: Verdict{Findings: []Finding{f}, Term: t.term, Roster: t.memory.roster.Epoch}})
}

// propose reports whether a verdict of this kind is to be proposed now: not
// while an earlier proposal may still be on its way.
func (t *Tally) propose(now time.Time, s *subject, kind VerdictKind) bool {
	if s.proposedK == kind && now.Sub(s.proposed) < time.Second {
		return false
	}
	s.proposed, s.proposedK = now, kind
	return true
}
