package mutants

// ofAgent are the faults of the observers.
var ofAgent = []Mutant{
	{
		Name:   "votes-never-withdrawn",
		Breaks: "an observer that once met silence accuses for ever and renews its vote",
		Ought:  "L4",
		Edits:  []Edit{{"agent/observer.go", "e.silence = false", "e.goodRun = 0"}},
	},
	{
		Name:   "service-vote-never-withdrawn",
		Breaks: "an observer that once found a service down accuses it for ever",
		Ought:  "L4",
		Edits:  []Edit{{"agent/check.go", "k.accused = !c.Good && sure", "k.accused = k.accused || !c.Good && sure"}},
	},
	{
		Name:   "one-lost-probe-accuses",
		Breaks: "one lost probe is an accusation, and one fresh loss answers a roll call",
		Ought:  "S2",
		Edits: []Edit{
			{"agent/edge.go", "if e.silence || e.lostRun < run || e.fresh(now, c) {", "if e.silence || e.lostRun < 1 || e.fresh(now, c) {"},
			{"agent/edge.go", "e.silence = now.Sub(e.silentSince()) >= c.Patience", "e.silence = true"},
			{"agent/roll.go", "r.downs >= o.cfg.RollDowns && r.downs >= o.rollDowns()", "r.downs >= 1"},
		},
	},
	{
		Name:   "outage-counts-as-loss",
		Breaks: "a member that comes back from an outage stands accused of loss",
		Ought:  "S2",
		Story:  "outage-without-a-council",
		Edits:  []Edit{{"agent/edge.go", "n >= c.OutageRun {", "n < 0 {"}},
	},
	{
		Name:   "silent-check-is-a-refusal",
		Breaks: "a service check that the network lost counts like one that was refused",
		Ought:  "L4",
		Edits: []Edit{
			{"agent/check.go", "if !c.Silent {", "if c.Seq > 0 {"},
			{"agent/check.go", "case sure || !c.Silent || weather < clearWeather:", "default:"},
		},
	},
}
