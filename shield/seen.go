package shield

// Fleet is what all doors see, as of the last step.
func (s *Shield) Fleet() Fleet { return s.fleet }

// Shares are those of the last step.
func (s *Shield) Shares() Shares { return s.shares }

// Capacity in units a second, 0 while it is not known.
func (s *Shield) Capacity() float64 { return s.capacity.Value() }

// Floors that are in force here; nil: none were published yet.
func (s *Shield) Floors() *Floors { return s.floors }

// Overloaded reports that the fleet is asked for too much by everybody. The door
// then sheds the newest requests beyond what it bears, whoever they are for.
func (s *Shield) Overloaded() bool { return s.overloaded }

// Votes are this door's standing ones.
func (s *Shield) Votes() []Vote { return s.votes }

// Measures that are in force here.
func (s *Shield) Measures() *Measures { return s.measures }
