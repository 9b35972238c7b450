package shield

import (
	"fmt"
	"slices"
	"time"
)

// accept takes the report of another door in.
func (s *Shield) accept(now time.Time, r Report) error {
	if mark := MarkOf(s.cfg.Salt); r.Mark != mark {
		return fmt.Errorf("report %d of %s: %w (%08x, this door's is %08x)", r.Seq, r.Door, ErrOtherSalt, r.Mark, mark)
	}
	if err := s.merge.Accept(now, r); err != nil {
		return err
	}
	if r.Floors < mostFloors {
		s.floorsHeard = max(s.floorsHeard, r.Floors)
	}
	return nil
}

// mostFloors is a version that no fleet comes to: what claims to be younger is not
// followed, or there would be none after it.
const mostFloors = 1 << 48

// believeFloors refuses floors of who is no door, and those that no leader makes.
func (s *Shield) believeFloors(f Floors) error {
	if !slices.Contains(s.doors, f.By) {
		return fmt.Errorf("floors %d of %s: %w", f.Version, f.By, ErrUnknownDoor)
	}
	return f.Validate(s.cfg.Floors)
}
