package agent

import "time"

// ForProfile gives the numbers of a timing profile (PROTOCOL 10); the empty name and
// demo, which shortens windows of the brake alone, are lan.
func ForProfile(name string) Config {
	c := Default()
	switch name {
	case "fast":
		c.fast()
	case "cloud":
		c.cloud()
	case "wan":
		c.wan()
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

// cloud is for virtual machines that share their hosts: it forgives stalls of two
// seconds, which a host that moves a neighbour away costs, and takes twice the time of
// lan for whatever waits for an answer.
func (c *Config) cloud() {
	c.ProbeInterval, c.ReprobeInterval = time.Second, 200*time.Millisecond
	c.RollPace, c.RollLife, c.RollWatch = 100*time.Millisecond, 4*time.Second, 2*time.Second
	c.TimeoutMin, c.TimeoutMax = 100*time.Millisecond, 400*time.Millisecond
	c.Patience = 3 * time.Second
	c.SlipAfter, c.SlipMemory = 600*time.Millisecond, 4*time.Second
	c.NewEdgeMax = 4 * time.Second
	c.CheckInterval, c.CheckRetry, c.CheckTimeout = 4*time.Second, 400*time.Millisecond, time.Second
	c.VoidChecks = true // a stall fails the two checks that accuse a service
	c.VoteLife, c.Renew = 6*time.Second, 2*time.Second
	c.Presence = time.Second
	c.Resend = []time.Duration{200 * time.Millisecond, 600 * time.Millisecond, 1400 * time.Millisecond}
}

// wan is for failure domains that are cities: round trips of up to 1.5 s count, and
// loss that comes and goes with somebody else's traffic for ten seconds accuses nobody.
func (c *Config) wan() {
	c.ProbeInterval, c.ReprobeInterval = 2*time.Second, 500*time.Millisecond
	c.RollPace, c.RollLife, c.RollWatch = 250*time.Millisecond, 12*time.Second, 6*time.Second
	c.TimeoutMin, c.TimeoutMax = 200*time.Millisecond, 1500*time.Millisecond
	c.Patience = 10 * time.Second
	c.SlipAfter, c.SlipMemory = 1500*time.Millisecond, 8*time.Second
	c.NewEdgeMax = 8 * time.Second
	c.CheckInterval, c.CheckRetry, c.CheckTimeout = 5*time.Second, time.Second, 3*time.Second
	c.VoidChecks = true
	c.VoteLife, c.Renew = 12*time.Second, 4*time.Second
	c.MassLife, c.MassRenew = 30*time.Second, 10*time.Second
	c.Presence = 2 * time.Second
	c.Resend = []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 3500 * time.Millisecond}
}
