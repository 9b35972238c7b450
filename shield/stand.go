package shield

import "time"

// stand works out what of the ledger's throttles stands now. Those that the doors have
// voted for bind no door that hears no majority of them: it cannot hear that they are
// released, and a minority does no more than shape alone. A door that has just begun has
// heard nobody yet, and is no minority for that. One that hears most doors again has not
// heard yet what was written down meanwhile, and waits for that. What people pinned binds all. Both
// stand no higher than the rules of now allow, whatever they were when the fact was
// written down, and no longer by this door's clock than they may last.
func (s *Shield) stand(now time.Time) {
	if !s.fleet.Majority() && now.Sub(s.began) > s.cfg.Merge.LiveFor {
		s.parted = now
	}
	minority := !s.parted.IsZero() && now.Sub(s.parted) < catchUp && !now.Before(s.parted)
	s.standing = s.standing[:0]
	for _, t := range s.ruled.At(now) {
		key, ok := KeyOfHost(s.cfg.Salt, t.Host)
		t.Until = s.endOf(now, t)
		if !ok || t.By == "" && minority || !t.Until.After(now) {
			continue
		}
		if t, ok = s.cfg.Throttle.capped(t); !ok {
			continue
		}
		t.Key = key
		s.standing = append(s.standing, t)
		if s.names[key] == "" {
			s.names[key] = t.Host
		}
	}
}

// catchUp is how long the ledger of a door that was cut off is given to hear what it missed.
const catchUp = 2 * time.Second

// sighting is when this door first saw a throttle as it stands.
type sighting struct {
	rung  Rung
	by    string
	until time.Time
	at    time.Time
}

// endOf is when a throttle ends here. Its end is a time of the ledger, and this door's
// clock may be an hour behind: with no council there to release it or to let it end, it
// would stand for that hour. So it also ends when it has been seen here, unrenewed, for as
// long as it may last.
func (s *Shield) endOf(now time.Time, t Throttle) time.Time {
	x := s.seen[t.Host]
	if x.rung != t.Rung || x.by != t.By || !x.until.Equal(t.Until) {
		x = sighting{rung: t.Rung, by: t.By, until: t.Until, at: now}
		s.seen[t.Host] = x
	}
	lasts := s.cfg.Throttle.For
	if t.By != "" {
		lasts = t.Until.Sub(t.Since)
	}
	if here := x.at.Add(lasts); here.Before(t.Until) {
		return here
	}
	return t.Until
}
