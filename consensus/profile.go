package consensus

import "time"

// TallyForProfile gives the numbers of a timing profile (PROTOCOL 10); the empty name
// and demo are lan. Raft's own times are the same in all profiles on one LAN: the
// leases of exclusive slots are computed with them.
func TallyForProfile(name string) TallyConfig {
	c := DefaultTally()
	if name == "fast" {
		c.Quiet = 100 * time.Millisecond
		// Four probes 40 ms apart and a time-out of 80 ms answer a call, a silent check
		// takes 300 ms: the next call comes after both.
		c.ServiceWait, c.RollAgain, c.RollValid = 400*time.Millisecond, 450*time.Millisecond, 700*time.Millisecond
		c.Sweep = 100 * time.Millisecond
	}
	return c
}
