package sim

import (
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// askBook is a request of people as the checker remembers it: from the facts alone.
type askBook struct {
	failover.Requested

	by         member.ID
	at         time.Time
	cases      []asked
	slotAt     asked // of a failover that is forced: the slot epoch, no case yet
	opened     uint64
	announced  time.Time
	approved   time.Time
	approvedBy member.ID
	rejected   bool
}

// asked is a case that a request means, and the slot epoch at which it does.
type asked struct {
	id    uint64
	epoch member.SlotEpoch
}

// asks books a request: which cases it means is worked out once more.
func (b *books) asks(f consensus.Fact, p failover.Requested, scopes func(*caseBook) []failover.Scope) {
	a := &askBook{Requested: p, by: signedBy(f), at: f.Time}
	if s := b.slots[p.Slot]; s != nil {
		a.slotAt = asked{0, s.epoch}
	}
	for id, c := range b.cases {
		if id == p.Case || p.Case == 0 && c.state != failover.Closed && !c.planned && slices.Contains(scopes(c), p.Scope) {
			a.cases = append(a.cases, asked{id, b.slots[c.slot].epoch})
		}
	}
	b.asked[f.Index] = a
}

func signedBy(f consensus.Fact) member.ID {
	if f.Command.Warrant != nil {
		return member.ID(f.Command.Warrant.Operator)
	}
	return f.Command.Proposer
}

// answered checks the two-person rule where an answer stands: whoever asked does not
// approve, and nobody approves what has expired or was rejected.
func (c *checker) answered(f consensus.Fact, p failover.Answered) {
	c.look(ruleTwo)
	a := c.books.asked[p.Request]
	switch {
	case a == nil:
		c.fail(ruleTwo, "R-%d is answered, and nobody made it", p.Request)
	case !p.Approve:
		a.rejected = true
	case a.by == signedBy(f):
		c.fail(ruleTwo, "R-%d is approved by %s, who made it", p.Request, a.by)
	case a.rejected:
		c.fail(ruleTwo, "R-%d is approved after it was rejected", p.Request)
	case !a.Alone && f.Time.Sub(a.at) >= failover.AnswerWithin:
		c.fail(ruleTwo, "R-%d is approved %v after it was made", p.Request, f.Time.Sub(a.at))
	case p.Plan != a.Plan:
		c.fail(ruleTwo, "R-%d is for plan %s, and plan %s is approved", p.Request, a.Plan, p.Plan)
	default:
		a.approved, a.approvedBy = f.Time, signedBy(f)
	}
}

// let reports whether people have let a case do something, by two of them or by one
// after everybody could see it coming, and whether one of them named the case.
func (c *checker) let(now time.Time, act failover.Act, id uint64) (let, named bool) {
	x := c.books.cases[id]
	for _, a := range c.books.asked {
		if a.Act != act || a.rejected || !slices.Contains(a.cases, asked{id, c.books.slots[x.slot].epoch}) {
			continue
		}
		from := a.approved
		if from.IsZero() && a.Alone && !a.announced.IsZero() {
			from = a.announced.Add(failover.AloneAfter)
		}
		if !from.IsZero() && !now.Before(from) && now.Before(from.Add(a.For)) {
			let, named = true, named || a.Case == id
		}
	}
	return let, named
}

// vouched checks that two people stand behind a fence proof that is their word.
func (c *checker) vouched(f consensus.Fact, p failover.CaseStep) {
	if p.Proof != "people" {
		return
	}
	c.look(ruleTwo)
	c.w.seldom("people-allowed")
	if let, _ := c.let(f.Time, failover.ActFenced, p.Case); !let {
		c.fail(ruleTwo, "C-%d takes the word of people for a fence proof, who have not given it", p.Case)
	}
}
