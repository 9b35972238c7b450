package mind

import "time"

// Listening is a follower's patience with whoever feeds it. A councillor whose own
// disk hangs, or one that is cut off from the others, keeps its streams open and has
// nothing to tell: the follower leaves it for the next one. The zero value is ready.
type Listening struct {
	heard    time.Time // of a quorum, here; or when it began to listen here
	patience time.Duration
}

// listenFor is how long a feeder may say nothing of a quorum; with each one that is
// left it is twice as long, up to listenMost, for then it is the quorum that is gone
// and nobody knows more than the others.
const (
	listenFor  = 2 * time.Second
	listenMost = 30 * time.Second
)

// Begin tells that the follower listens to another feeder from now on.
func (l *Listening) Begin(now time.Time) { l.heard = now }

// Quorum tells that the feeder has spoken of a quorum.
func (l *Listening) Quorum(now time.Time) { l.heard, l.patience = now, 0 }

// Over reports that the follower should listen to the next one.
func (l *Listening) Over(now time.Time) bool {
	patience := max(l.patience, listenFor)
	if now.Sub(l.heard) < patience {
		return false
	}
	l.patience = min(2*patience, listenMost)
	return true
}
