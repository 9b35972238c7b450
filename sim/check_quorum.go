package sim

import (
	"encoding/json"
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// saying names one observer's word about one subject.
type saying struct {
	observer, subject member.ID
	kind              agent.Kind
}

// spoken is when that word was last down, and about which life of the subject
// (0: one that the observer has not met).
type spoken struct {
	at   time.Duration
	life member.Incarnation
}

// wordLife is how long an observer's down vote may count: its own life of up to
// 15 s in a mass failure, in wan of 30, and the time on its way.
func (c *checker) wordLife() time.Duration {
	if c.w.cfg.Fleet.Profile == member.ProfileWAN {
		return 32 * time.Second
	}
	return 16 * time.Second
}

// said books what an observer really said.
func (c *checker) said(m *machine, st agent.Statement) {
	for _, v := range st.Votes {
		if v.Stance != agent.Down {
			continue
		}
		k := saying{m.id, v.Subject, v.Kind}
		life := v.Incarnation
		if life > 0 { // an older statement may be sent again after a newer one
			life = max(life, c.words[k].life)
		}
		c.words[k] = spoken{c.w.now, life}
	}
}

// condemns reports whether a verdict of this kind is held against its subject.
func condemns(k consensus.VerdictKind) bool {
	return k != consensus.VerdictUp && k != consensus.VerdictPartial
}

// verdict checks S1: an observer quorum behind it, of observers that really
// said so, and S2: a member that is really in trouble.
//
// It is judged as of its proposal, whenever it is agreed on. A council that loses its
// quorum for a while may commit afterwards what its leader had proposed before; no
// ledger can tell that from a slow disk. Such a verdict is true, and late: nothing
// irreversible follows from it without a second roll call. It is counted as a false
// one, and breaks no promise.
func (c *checker) verdict(f consensus.Fact, k call, v consensus.Verdict, x consensus.Finding) {
	if !condemns(x.Kind) {
		return
	}
	c.Verdicts++
	c.borne(k, v, x)
	c.look(ruleWell)
	if slices.Contains(k.well, x.Subject) {
		c.fail(ruleWell, "%s on %s, which was well when it was proposed at %v", x.Kind, x.Subject, k.at)
	}
	if !c.wrongs(f.Command.Proposer, x) {
		return
	}
	c.counts.False++
	if c.w.now-k.at <= grace {
		c.fail(ruleWell, "%s on %s, which is well", x.Kind, x.Subject)
	}
}

// wrongs reports that a finding condemns who is well now.
func (c *checker) wrongs(proposer member.ID, x consensus.Finding) bool {
	m := c.w.machine(x.Subject)
	return condemns(x.Kind) && m.well(c.w.machine(proposer)) && (x.Kind != consensus.VerdictServiceDown || m.serves(c.books.seats[m.id]))
}

// proposes notes what is wrong with a command that a councillor writes down, if it is a
// verdict: who is well and is condemned by it, and what its counts leave out.
func (c *checker) proposes(m *machine, command []byte, k *call) {
	x, err := consensus.DecodeCommand(command)
	if err != nil || x.Kind != consensus.KindVerdict {
		return
	}
	var v consensus.Verdict
	if json.Unmarshal(x.Payload, &v) != nil {
		return // the ledger refuses it
	}
	for _, f := range v.Findings {
		if _, known := c.w.index[f.Subject]; known && c.wrongs(x.Proposer, f) {
			k.well = append(k.well, f.Subject)
		}
	}
	k.amiss = c.recount(m, x, v)
}

// borne checks that the votes which a finding names bear it.
func (c *checker) borne(k call, v consensus.Verdict, x consensus.Finding) {
	c.look(ruleQuorum)
	if k.amiss != "" {
		c.fail(ruleQuorum, "%s", k.amiss)
	}
	count, kind := x.Agent, agent.OfAgent
	if x.Kind == consensus.VerdictServiceDown {
		count, kind = x.Service, agent.OfService
	}
	if v.Roster == 0 || v.Roster > c.fold.Roster().Epoch {
		c.fail(ruleQuorum, "%s on %s under roster epoch %d, the roster is at %d", x.Kind, x.Subject, v.Roster, c.fold.Roster().Epoch)
	}
	if born := c.w.machine(x.Subject).born; x.Incarnation > born {
		c.fail(ruleQuorum, "%s on life %d of %s, which is in its life %d", x.Kind, x.Incarnation, x.Subject, born)
	}
	seen := map[member.ID]bool{}
	var seats, against sides
	downs, ups := 0, 0
	var stale member.ID
	for _, o := range count.Votes {
		if seen[o.Observer] {
			c.fail(ruleQuorum, "%s on %s counts %s twice", x.Kind, x.Subject, o.Observer)
		}
		seen[o.Observer] = true
		if !c.fold.Overlay().Assigned(o.Observer, x.Subject) {
			c.fail(ruleQuorum, "%s on %s counts %s, which does not observe it", x.Kind, x.Subject, o.Observer)
		}
		domain := c.fold.Roster().Domain(o.Observer)
		if !c.cutOff(domain) {
			seats.add(domain)
		}
		switch o.Stance {
		case agent.Down:
			downs++
			against.add(domain)
			c.cast(k, x, o.Observer, kind)
		case agent.Up:
			ups++
			if !o.Fresh {
				stale = o.Observer
			}
		case agent.Abstain:
		}
	}
	switch {
	case downs < 2 || downs*10 < count.Eligible*6:
		c.fail(ruleQuorum, "%s on %s with %d down votes of %d eligible", x.Kind, x.Subject, downs, count.Eligible)
	case ups*4 >= count.Eligible || count.Eligible <= 4 && ups > 0:
		c.fail(ruleQuorum, "%s on %s against %d up votes of %d eligible", x.Kind, x.Subject, ups, count.Eligible)
	case count.Eligible < downs+ups || count.Eligible > count.Standing || count.Standing > count.Assigned:
		c.fail(ruleQuorum, "%s on %s: %d votes, %d eligible, %d standing, %d assigned", x.Kind, x.Subject, downs+ups, count.Eligible, count.Standing, count.Assigned)
	case 2*count.Eligible < count.Standing:
		c.fail(ruleQuorum, "%s on %s with %d eligible of %d", x.Kind, x.Subject, count.Eligible, count.Standing)
	case seats.n >= 2 && against.n < 2:
		c.fail(ruleQuorum, "%s on %s by failure domain %s alone", x.Kind, x.Subject, against.first)
	case stale != "":
		c.fail(ruleQuorum, "%s on %s counts an up vote of %s that answers no roll call", x.Kind, x.Subject, stale)
	}
}

// cast checks that an observer really cast a down vote that is counted. A lone
// councillor's goes no way on which it could be heard.
func (c *checker) cast(k call, x consensus.Finding, observer member.ID, kind agent.Kind) {
	if seats := c.w.seats().Voters; len(seats) == 1 && seats[0].Member == observer {
		return
	}
	said, ok := c.words[saying{observer, x.Subject, kind}]
	switch {
	case !ok || k.at-said.at > c.wordLife():
		c.fail(ruleQuorum, "%s on %s counts a vote that %s has not cast", x.Kind, x.Subject, observer)
	case said.life != 0 && said.life < x.Incarnation:
		c.fail(ruleQuorum, "%s on life %d of %s counts a vote of %s about life %d", x.Kind, x.Incarnation, x.Subject, observer, said.life)
	}
}

// cutOff reports whether a failure domain stands under a domain-cut.
func (c *checker) cutOff(d member.FailureDomain) bool {
	for id, j := range c.books.verdict {
		if j.kind == consensus.VerdictDomainCut && c.fold.Roster().Domain(id) == d {
			return true
		}
	}
	return false
}

// sides says over how many failure domains something reaches, up to two.
type sides struct {
	first member.FailureDomain
	n     int
}

func (s *sides) add(d member.FailureDomain) {
	switch {
	case s.n == 0:
		s.first, s.n = d, 1
	case d != s.first:
		s.n = 2
	}
}
