package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"moonwatch/agent"
	"moonwatch/member"
)

// The body of a statement is
//
//	incarnation | seq | roster epoch | life | flags (1 byte) | unreachable names
//	| roll calls answered | votes
//
// where the flags hold why it abstains (4 bits) and whether an acknowledgement is
// wanted (the highest), and a vote is
//
//	head (1 byte) | subject | incarnation | roll call + 1, 0 for a standing vote | evidence, if any
//
// The head holds kind (1 bit), stance (2), reason (4) and whether evidence
// follows (1). Answers of one statement mostly belong to one roll call, so the
// calls stand once and the votes point at them.

const (
	// maxStatement leaves room for a councillor to pass the statement on: its
	// own kind and name in front.
	maxStatement = MaxBody - 1 - 1 - maxName

	// maxDetail is how much of a check's answer travels, in bytes: the
	// beginning tells enough, and sixteen of them must fit.
	maxDetail = 24

	// Bounds of evidence on the wire keep sixteen votes within maxStatement.
	// Beyond them the number says no more: three days of silence, 16,383
	// probes lost in a row, 100 % of loss.
	maxSilence = (1<<28 - 1) * time.Millisecond
	maxLostRun = 1<<14 - 1
	maxPercent = 1<<7 - 1

	headOfService  = 1
	stanceShift    = 1
	reasonShift    = 3
	headOfEvidence = 1 << 7

	flagReason      = 15
	flagAcknowledge = 1 << 7
)

// appendStatement appends the body of s. Details are cut to what fits, and
// evidence is held to its bounds.
func appendStatement(b []byte, s agent.Statement) ([]byte, error) {
	if n := len(s.Votes) + len(s.Unreachable); n > agent.MaxVotes {
		return nil, fmt.Errorf("statement %d of %s: %w: %d votes and names, want at most %d",
			s.Seq, s.Observer, ErrTooLong, n, agent.MaxVotes)
	}
	for _, id := range s.Unreachable {
		if err := checkName(id); err != nil {
			return nil, fmt.Errorf("statement %d of %s: unreachable: %w", s.Seq, s.Observer, err)
		}
	}
	for _, v := range s.Votes {
		if err := checkName(v.Subject); err != nil {
			return nil, fmt.Errorf("statement %d of %s: vote: %w", s.Seq, s.Observer, err)
		}
		if v.Stance > agent.Down || v.Kind > agent.OfService {
			return nil, fmt.Errorf("statement %d of %s: vote about %s: kind %d, stance %d: no such word",
				s.Seq, s.Observer, v.Subject, v.Kind, v.Stance)
		}
	}
	cut := maxDetail
	whole := appendBody(b, s, cut)
	for len(whole) > maxStatement && cut > 0 {
		cut--
		whole = appendBody(b, s, cut)
	}
	if len(whole) > maxStatement {
		return nil, fmt.Errorf("statement %d of %s: %w: %d bytes, want at most %d",
			s.Seq, s.Observer, ErrTooLong, len(whole), maxStatement)
	}
	return whole, nil
}

func appendBody(b []byte, s agent.Statement, cut int) []byte {
	b = binary.AppendUvarint(b, uint64(s.Incarnation))
	b = binary.AppendUvarint(b, s.Seq)
	b = binary.AppendUvarint(b, uint64(s.Roster))
	b = appendDuration(b, s.Life, math.MaxInt64)
	flags := codeOf(s.Abstains)
	if s.Acknowledge {
		flags |= flagAcknowledge
	}
	b = append(b, flags)
	b = appendNames(b, s.Unreachable)

	rolls := make([]agent.RollID, 0, agent.MaxVotes)
	for _, v := range s.Votes {
		if !v.Roll.IsZero() && !slices.Contains(rolls, v.Roll) {
			rolls = append(rolls, v.Roll)
		}
	}
	b = append(b, byte(len(rolls)))
	for _, id := range rolls {
		b = appendRollID(b, id)
	}
	b = append(b, byte(len(s.Votes)))
	for _, v := range s.Votes {
		b = appendVote(b, v, 1+slices.Index(rolls, v.Roll), cut)
	}
	return b
}

func appendVote(b []byte, v agent.Vote, roll, cut int) []byte {
	head := byte(v.Stance)<<stanceShift | codeOf(v.Reason)<<reasonShift
	if v.Kind == agent.OfService {
		head |= headOfService
	}
	seen := v.Evidence != (agent.Evidence{})
	if seen {
		head |= headOfEvidence
	}
	b = append(b, head)
	b = appendName(b, v.Subject)
	b = binary.AppendUvarint(b, uint64(v.Incarnation))
	b = append(b, byte(roll))
	if !seen {
		return b
	}
	e := v.Evidence
	b = appendDuration(b, e.SilentFor, maxSilence)
	b = binary.AppendUvarint(b, uint64(clamp(e.LostRun, maxLostRun)))
	b = append(b, byte(clamp(e.LossPct, maxPercent)), byte(clamp(e.MedianPct, maxPercent)))
	detail := shorten(e.Detail, cut)
	b = append(b, byte(len(detail)))
	return append(b, detail...)
}

func appendDuration(b []byte, d, most time.Duration) []byte {
	return binary.AppendUvarint(b, uint64(max(0, min(d, most)).Milliseconds()))
}

func clamp(n, most int) int { return max(0, min(n, most)) }

// shorten cuts text to at most n bytes and leaves no half character.
func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// statement reads what appendStatement wrote.
func (d *decoder) statement(observer member.ID) agent.Statement {
	s := agent.Statement{Observer: observer}
	s.Incarnation = member.Incarnation(d.uvarint())
	s.Seq = d.uvarint()
	s.Roster = member.RosterEpoch(d.uvarint())
	s.Life = d.duration()
	flags := d.byte()
	s.Abstains = reasonOf(flags & flagReason)
	s.Acknowledge = flags&flagAcknowledge != 0
	s.Unreachable = d.names()
	var rolls [agent.MaxVotes]agent.RollID
	n := d.count(len(rolls))
	for i := range n {
		rolls[i] = d.rollID()
	}
	votes := d.count(agent.MaxVotes)
	if votes > 0 {
		s.Votes = make([]agent.Vote, votes)
	}
	for i := range s.Votes {
		s.Votes[i] = d.vote(rolls[:n])
	}
	return s
}

func (d *decoder) vote(rolls []agent.RollID) agent.Vote {
	head := d.byte()
	v := agent.Vote{
		Stance: agent.Stance(head >> stanceShift & 3),
		Reason: reasonOf(head >> reasonShift & 15),
	}
	if head&headOfService != 0 {
		v.Kind = agent.OfService
	}
	if v.Stance > agent.Down {
		d.fail()
	}
	v.Subject = d.name()
	v.Incarnation = member.Incarnation(d.uvarint())
	if at := int(d.byte()); at > len(rolls) {
		d.fail()
	} else if at > 0 {
		v.Roll = rolls[at-1]
	}
	if head&headOfEvidence != 0 {
		v.Evidence = agent.Evidence{
			SilentFor: d.duration(), LostRun: d.count(math.MaxInt32),
			LossPct: int(d.byte()), MedianPct: int(d.byte()),
		}
		v.Evidence.Detail = string(d.take(int(d.byte())))
	}
	return v
}

func (d *decoder) duration() time.Duration {
	ms := d.uvarint()
	if ms > math.MaxInt64/uint64(time.Millisecond) {
		d.fail()
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// reasons by their code on the wire. The values are for ever; a new reason
// takes the next place, up to 14.
var reasons = [...]agent.Reason{
	0: "",
	1: agent.Silence,
	2: agent.Loss,
	3: agent.Flapping,
	4: agent.Refused,
	5: agent.NoReply,
	6: agent.Answered,
	7: agent.Stalled,
	8: agent.Smeared,
	9: agent.NewEdge,
}

// otherCode stands for a reason without a code. A reason explains, it decides
// nothing: a vote is never lost for the want of a word.
const otherCode = 15

// Other is the reason that arrives in place of one that has no code.
const Other agent.Reason = "other"

func codeOf(r agent.Reason) byte {
	if i := slices.Index(reasons[:], r); i >= 0 {
		return byte(i)
	}
	return otherCode
}

func reasonOf(code byte) agent.Reason {
	switch {
	case int(code) < len(reasons):
		return reasons[code]
	case code >= otherCode:
		return Other
	default:
		return agent.Reason(fmt.Sprintf("reason-%d", code)) // of a newer agent
	}
}
