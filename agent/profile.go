package agent

import "time"

// ForProfile gives the numbers of a timing profile (PROTOCOL 10); the empty name and
// demo, which shortens windows of the brake alone, are lan.
func ForProfile(name string) Config {
	c := Default()
	if name == "fast" {
		c.fast()
	}
	return c
}

// fast is for at most 32 members of one's own hardware on one LAN. What counts probes
// counts a fifth of the time, so what has to outlast a forgiven stall of a second
// counts more of them: two stalls of 0.9 s must not look like a bad cable.
func (c *Config) fast() {
	c.ProbeInterval, c.ReprobeInterval = 100*time.Millisecond, 40*time.Millisecond
	c.RollPace, c.RollWatch = 20*time.Millisecond, 700*time.Millisecond
	c.TimeoutMin, c.TimeoutMax = 30*time.Millisecond, 80*time.Millisecond
	c.Patience = 300 * time.Millisecond
	c.LossWindow, c.LossCount = 64, 26 // 40 % of 6.4 s
	c.OutageRun = 5                    // half a second is silence, which patience has accused long before
	c.SlipAfter = 200 * time.Millisecond
	c.CheckRetry, c.CheckTimeout = 100*time.Millisecond, 300*time.Millisecond
	c.VoidChecks = true              // a stall of 0.9 s fails the two checks that accuse a service
	c.Renew = 300 * time.Millisecond // a new leader must know of all that are silent before it acts on one
	c.Resend = []time.Duration{50 * time.Millisecond, 150 * time.Millisecond, 400 * time.Millisecond}
}
