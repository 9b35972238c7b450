package failover

import (
	"fmt"

	"moonwatch/consensus"
	"moonwatch/member"
)

// What a ledger asks of this package for each command, and what it does with the ones
// that it accepts.

// Knows reports the kinds of this package.
func (st *State) Knows(kind consensus.FactKind) bool {
	switch kind {
	case KindCaseOpened, KindCaseStep, KindReport, KindBrake, KindReturned, KindEnforcer, KindFencer, KindFenceOrder, KindTold, KindCarried, KindAnnounced, KindWould,
		KindPrepare, KindRelease, KindDrillDue, KindDrillEnded, KindEarly, KindFits, KindBorrowed, KindForced, KindHeldBack, KindTakenBack, KindLoanEnded, KindStopAgain:
		return true
	default:
		return ofPeople(kind)
	}
}

// ofMembers reports whether facts of a kind are some member's own word. All others
// are the council's or an operator's.
func ofMembers(kind consensus.FactKind) bool {
	switch kind {
	case KindReport, KindEnforcer, KindFencer, KindTold, KindCarried, KindFits:
		return true
	default:
		return false
	}
}

// Check says why a command must be refused now.
func (st *State) Check(f consensus.Fact) error {
	if ofPeople(f.Command.Kind) {
		return st.checkOrder(f)
	}
	if st.Knows(f.Command.Kind) && !ofMembers(f.Command.Kind) {
		if err := st.ledger.FromCouncil(f.Command); err != nil {
			return err
		}
	}
	switch f.Command.Kind {
	case consensus.KindFleet:
		fl, err := consensus.DecodePayload[member.Fleet](f)
		if err != nil {
			return err
		}
		return st.checkFleet(&fl)
	case consensus.KindVerdict:
		v, err := consensus.DecodePayload[consensus.Verdict](f)
		if err != nil {
			return err
		}
		return st.checkAnew(v)
	case consensus.KindCouncil:
		return st.checkSwap(f)
	case KindCaseOpened:
		p, err := consensus.DecodePayload[CaseOpened](f)
		if err != nil {
			return err
		}
		return st.checkOpened(p)
	case KindCaseStep:
		p, err := consensus.DecodePayload[CaseStep](f)
		if err != nil {
			return err
		}
		return st.checkStep(f.Time, p)
	case KindReport:
		p, err := consensus.DecodePayload[Report](f)
		if err != nil {
			return err
		}
		return st.checkReport(f.Command.Proposer, p)
	case KindTold, KindCarried:
		p, err := consensus.DecodePayload[DoorsTold](f)
		if err != nil {
			return err
		}
		return st.checkTold(f.Command.Proposer, f.Command.Kind, p)
	case KindBrake:
		p, err := consensus.DecodePayload[Brakes](f)
		if now := st.s.Brake.Weighing; err == nil && p.Over != now {
			err = fmt.Errorf("brake: weighed over proposal %d of term %d; proposal %d of term %d stands", p.Over.Turn, p.Over.Term, now.Turn, now.Term)
		}
		if err != nil {
			return err
		}
		return st.checkFallen(f.Time, p)
	case KindReturned:
		p, err := consensus.DecodePayload[Returned](f)
		if err != nil {
			return err
		}
		return st.BurntIn(f.Time, p.Member)
	case KindEnforcer:
		p, err := consensus.DecodePayload[Enforcer](f)
		if err != nil {
			return err
		}
		return st.checkEnforcer(f.Command.Proposer, p)
	case KindFencer:
		p, err := consensus.DecodePayload[Fencer](f)
		if err != nil {
			return err
		}
		return st.checkFencer(f.Command.Proposer, p)
	case KindFenceOrder:
		p, err := consensus.DecodePayload[FenceOrder](f)
		if err != nil {
			return err
		}
		return st.checkFenceOrder(f.Time, p)
	case KindAnnounced:
		p, err := consensus.DecodePayload[Announced](f)
		if err != nil {
			return err
		}
		return st.checkAnnounced(p)
	case KindWould:
		p, err := consensus.DecodePayload[Would](f)
		if err != nil {
			return err
		}
		return st.checkWould(f.Time, p)
	case KindPrepare:
		p, err := consensus.DecodePayload[PrepareOrdered](f)
		if err != nil {
			return err
		}
		return st.checkPrepare(f.Time, p)
	case KindEarly:
		p, err := consensus.DecodePayload[ReturnedEarly](f)
		if err != nil {
			return err
		}
		return st.checkEarly(f.Time, p)
	case KindFits:
		p, err := consensus.DecodePayload[Fits](f)
		if err != nil {
			return err
		}
		return st.checkFits(f.Command.Proposer, p)
	case KindBorrowed:
		p, err := consensus.DecodePayload[SpareBorrowed](f)
		if err != nil {
			return err
		}
		return st.checkBorrow(f.Time, p)
	case KindLoanEnded:
		p, err := consensus.DecodePayload[LoanEnded](f)
		if err != nil {
			return err
		}
		return st.checkLoanEnded(f.Time, p)
	case KindHeldBack:
		p, err := consensus.DecodePayload[HeldBack](f)
		if err != nil {
			return err
		}
		return st.checkHeldBack(p)
	case KindTakenBack:
		p, err := consensus.DecodePayload[TakenBack](f)
		if err != nil {
			return err
		}
		return st.checkTakenBack(f.Time, p)
	case KindStopAgain:
		p, err := consensus.DecodePayload[StopAgain](f)
		if err != nil {
			return err
		}
		return st.checkStopAgain(f.Time, p)
	case KindForced:
		p, err := consensus.DecodePayload[Forced](f)
		if err != nil {
			return err
		}
		return st.checkForced(f.Time, p)
	case KindDrillDue:
		p, err := consensus.DecodePayload[DrillOrdered](f)
		if err != nil {
			return err
		}
		return st.DrillGate(f.Time, p.Member)
	case KindDrillEnded:
		p, err := consensus.DecodePayload[DrillEnded](f)
		if err != nil {
			return err
		}
		return st.checkDrillEnded(p)
	case KindRelease:
		p, err := consensus.DecodePayload[SpareReleased](f)
		if err != nil {
			return err
		}
		return st.checkRelease(p)
	default:
		return nil
	}
}

// Apply takes an accepted fact into the state.
func (st *State) Apply(f consensus.Fact) {
	st.own()
	defer st.calm(f.Time)
	if ofPeople(f.Command.Kind) {
		st.order(f)
		return
	}
	switch f.Command.Kind {
	case consensus.KindFleet:
		st.arrange(f)
	case consensus.KindRevoked:
		x, _ := consensus.DecodePayload[consensus.Revoke](f)
		st.withdraw(f, x)
	case consensus.KindVerdict:
		v, _ := consensus.DecodePayload[consensus.Verdict](f)
		for _, x := range v.Findings {
			st.judged(f, x)
		}
	case KindCaseOpened:
		p, _ := consensus.DecodePayload[CaseOpened](f)
		st.open(f, p)
	case KindCaseStep:
		p, _ := consensus.DecodePayload[CaseStep](f)
		st.step(f, p)
	case KindReport:
		p, _ := consensus.DecodePayload[Report](f)
		st.reported(f, p)
	case KindTold, KindCarried:
		p, _ := consensus.DecodePayload[DoorsTold](f)
		st.told(f, p)
	case KindBrake:
		p, _ := consensus.DecodePayload[Brakes](f)
		st.s.Brake = p
	case KindReturned:
		p, _ := consensus.DecodePayload[Returned](f)
		st.s.Uses[p.Member].again(f)
	case KindEarly:
		p, _ := consensus.DecodePayload[ReturnedEarly](f)
		st.s.Uses[p.Member].again(f)
	case KindFits:
		p, _ := consensus.DecodePayload[Fits](f)
		st.fitsSaid(f, p)
	case KindBorrowed:
		p, _ := consensus.DecodePayload[SpareBorrowed](f)
		st.borrow(f, p)
	case KindLoanEnded:
		p, _ := consensus.DecodePayload[LoanEnded](f)
		st.endLoan(f, p)
	case KindEnforcer:
		p, _ := consensus.DecodePayload[Enforcer](f)
		st.enforcerSaid(f, p)
	case KindFencer:
		p, _ := consensus.DecodePayload[Fencer](f)
		st.fencerSaid(f, p)
	case KindFenceOrder:
		p, _ := consensus.DecodePayload[FenceOrder](f)
		st.orderFence(f, p)
	case KindAnnounced:
		p, _ := consensus.DecodePayload[Announced](f)
		st.announce(f, p)
	case KindWould:
		p, _ := consensus.DecodePayload[Would](f)
		st.wouldHave(f, p)
	case KindPrepare:
		p, _ := consensus.DecodePayload[PrepareOrdered](f)
		st.prepare(f, p)
	case KindHeldBack:
		p, _ := consensus.DecodePayload[HeldBack](f)
		st.holdBack(f, p)
	case KindTakenBack:
		p, _ := consensus.DecodePayload[TakenBack](f)
		st.takeBack(f, p)
	case KindStopAgain:
		p, _ := consensus.DecodePayload[StopAgain](f)
		st.stopAgain(f, p)
	case KindForced:
		p, _ := consensus.DecodePayload[Forced](f)
		st.force(f, p)
	case KindDrillDue:
		p, _ := consensus.DecodePayload[DrillOrdered](f)
		st.drill(f, p.Member, "")
	case KindDrillEnded:
		p, _ := consensus.DecodePayload[DrillEnded](f)
		st.drilled(f, false, p.Detail)
	case KindRelease:
		p, _ := consensus.DecodePayload[SpareReleased](f)
		c := st.s.Cases[p.Case]
		c.Version++
		st.fellShort(f, c, p.Spare, p.Detail)
	default: // of other packages
	}
}
