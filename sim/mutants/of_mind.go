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
		Name:   "leader-trusts-its-clock",
		Breaks: "a leader dates facts by its wall clock, also after that has jumped",
		Ought:  "S8",
		Edits:  []Edit{{"mind/clock.go", "return c.set.Round(0).Add(now.Sub(c.set) - c.ahead)", "return now"}},
	},
	{
		Name:   "quorum-loss-unnoticed",
		Breaks: "an agent that sees no council goes on as if there were one",
		Ought:  "S7",
		Story:  "minority",
		Edits:  []Edit{{"mind/leading.go", "if m.led.Quorum && m.now.Sub(m.quorumAt) >= m.cfg.IsolatedAfter {", "if m.led.Quorum && m.now.Before(m.quorumAt) {"}},
	},
}
