package consensus

import (
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// Leader is who leads now, as far as this councillor knows.
func (c *Council) Leader() Led {
	s := c.node.BasicStatus()
	l := Led{Term: s.HardState.GetTerm()}
	l.Leader = c.members[s.Lead] // nobody, if there is none
	return l
}

// Leads reports whether this councillor leads.
func (c *Council) Leads() bool { return c.Leader().Leader == c.self }

// Writing is for how long the write that is under way has been asked for, 0 if there
// is none. Until it ends this councillor applies nothing and says nothing.
func (c *Council) Writing(now time.Time) time.Duration {
	if c.writing == nil {
		return 0
	}
	return now.Sub(c.asked)
}

// Seat is the one that this council member holds.
func (c *Council) Seat() Seat { return c.seat }

// Warmth is how far the others are, as a leader knows it.
func (c *Council) Warmth() Warmth {
	w := Warmth{Agreed: c.node.BasicStatus().HardState.GetCommit(), Has: map[uint64]uint64{}}
	c.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) { w.Has[id] = pr.Match })
	return w
}

// led emits a change of leader.
func (c *Council) led(out []CouncilEffect) []CouncilEffect {
	if now := c.Leader(); now != c.said {
		c.said = now
		clear(c.open) // another leader may overwrite what was not agreed
		c.answers = newAnswers()
		out = append(out, now)
	}
	return out
}

func (c *Council) noted(out []CouncilEffect) []CouncilEffect {
	for _, text := range c.notes.take() {
		out = append(out, Noted{Text: text})
	}
	return out
}
