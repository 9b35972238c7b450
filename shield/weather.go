package shield

import (
	"fmt"
	"time"
)

// weather notes when pressure and overload begin and end. Pressure is over when
// it has been below the line for a while, so that a report more or less does not
// make news.
func (s *Shield) weather(now time.Time) []Effect {
	var out []Effect
	text := fmt.Sprintf("demand is %.0f %% of the capacity of %.0f", 100*s.shares.Pressure, s.cfg.Capacity.InUnit(s.capacity.Value()))
	switch above := s.shares.Pressure > s.cfg.Shares.Pressure; {
	case s.shares.Pressed && !s.pressed:
		s.pressed, s.relaxed = true, time.Time{}
		out = append(out, Note{What: PressureBegan, Text: text})
	case above:
		s.relaxed = time.Time{}
	case s.pressed && s.relaxed.IsZero():
		s.relaxed = now
	case s.pressed && now.Sub(s.relaxed) >= time.Second:
		s.pressed = false
		out = append(out, Note{What: PressureEnded, Text: text})
	}
	if !s.shares.Overload {
		s.blameless = time.Time{}
	} else if s.blameless.IsZero() || now.Before(s.blameless) {
		s.blameless = now
	}
	if s.shares.Overload && !s.overloaded && now.Sub(s.blameless) >= s.cfg.Window { // the end of a flood looks like one until the window has forgotten it
		s.overloaded = true
		out = append(out, Note{What: OverloadBegan, Text: text + ", and nobody in particular is to blame"})
	}
	if s.overloaded && !s.pressed {
		s.overloaded = false
		out = append(out, Note{What: OverloadEnded, Text: text})
	}
	return out
}
