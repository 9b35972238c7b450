package consensus

import "time"

// TallyForProfile gives the numbers of a timing profile (PROTOCOL 10); the empty name
// and demo are lan.
func TallyForProfile(name string) TallyConfig {
	c := DefaultTally()
	switch name {
	case "fast":
		c.Quiet = 100 * time.Millisecond
		// Four probes 40 ms apart and a time-out of 80 ms answer a call, a silent check
		// takes 300 ms: the next call comes after both.
		c.ServiceWait, c.RollAgain, c.RollValid = 400*time.Millisecond, 450*time.Millisecond, 700*time.Millisecond
		c.Sweep = 100 * time.Millisecond
	case "cloud":
		c.Quiet, c.HoldUp = 500*time.Millisecond, 2*time.Second
		// Four probes 200 ms apart and 400 ms answer a call, a silent check takes a second.
		c.ServiceWait, c.RollAgain, c.RollValid = 1250*time.Millisecond, 1400*time.Millisecond, 2*time.Second
		c.RollCalm, c.PartialAfter, c.Unsaid = 5*time.Second, 5*time.Second, 6*time.Second
		c.Silent, c.HeardLag, c.UnheardOpen = 2*time.Second, 2*time.Second, 4*time.Second
		c.Sweep = 500 * time.Millisecond
	case "wan":
		c.Quiet, c.HoldUp = 2*time.Second, 5*time.Second
		// Four probes 500 ms apart and 1.5 s answer a call, a silent check takes three.
		c.ServiceWait, c.RollAgain, c.RollValid = 3500*time.Millisecond, 4*time.Second, 6*time.Second
		c.RollCalm, c.PartialAfter, c.Unsaid = 12*time.Second, 15*time.Second, 15*time.Second
		c.Silent, c.HeardLag, c.UnheardOpen = 5*time.Second, 4*time.Second, 10*time.Second
		c.Clean, c.Sweep = time.Minute, time.Second
	}
	return c
}

// CouncilForProfile gives raft's times. They are the same wherever a council is within
// one country: a quicker election would only be one more for each stall. In wan all is
// three times as slow.
func CouncilForProfile(name string) CouncilConfig {
	c := DefaultCouncil()
	if name == "wan" {
		c.Tick *= 3
	}
	return c
}

// timeOut is the least time after which a voter that heard a leader votes for another
// one. Raft counts whole ticks, so it is one tick shorter than it says.
func (c CouncilConfig) timeOut() time.Duration { return time.Duration(c.ElectionTicks-1) * c.Tick }
