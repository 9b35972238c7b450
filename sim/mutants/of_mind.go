package mutants

// ofMind are the faults of the joined machine.
var ofMind = []Mutant{
	{
		Name:   "leader-decides-alone",
		Breaks: "a leader applies its own proposals before the council has agreed",
		Ought:  "S7",
		Edits: []Edit{{
			"mind/wants.go", "\t\t\tif m.council != nil {\n", `			if m.conduct != nil {
				m.commit(consensus.Committed{Raft: m.ledger.Raft() + 1, Entry: w.command})
			}
			if m.council != nil {
`,
		}},
	},
	{
		Name:   "jumps-unnoticed",
		Breaks: "a leader whose wall clock has jumped goes on until clocks are compared",
		Ought:  "S8",
		Story:  "clocks-jump",
		Edits:  []Edit{{"mind/clock.go", "switch off := jumped.Abs() > m.cfg.ClockMax; {", "switch off := jumped < 0 && jumped > 0; {"}},
	},
	{
		Name:   "few-clocks-for-all",
		Breaks: "the median of the clocks that can be asked is taken for the council's",
		Ought:  "S8",
		Story:  "clocks-of-a-domain-jump",
		Edits:  []Edit{{"mind/clock_median.go", "	silent := council - len(offsets)\n", "	council = len(offsets)\n	silent := 0\n"}},
	},
	{
		Name:   "restart-proves-the-clock",
		Breaks: "a councillor that has begun anew leads by its clock before anybody has compared it",
		Ought:  "S8",
		Story:  "wrong-clocks-after-a-blackout",
		Edits:  []Edit{{"mind/mind.go", "m.clock.unproven = m.ledger.Fleet() != nil", "m.clock.unproven = m.ledger.Fleet() == nil"}},
	},
	{
		Name:   "quorum-loss-unnoticed",
		Breaks: "an agent that sees no council goes on as if there were one",
		Ought:  "S7",
		Story:  "minority",
		Edits:  []Edit{{"mind/leading.go", "if m.led.Quorum && m.now.Sub(m.quorumAt) >= m.cfg.IsolatedAfter {", "if m.led.Quorum && m.now.Before(m.quorumAt) {"}},
	},
}
