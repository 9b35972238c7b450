package mutants

// ofLease are the faults of exclusive slots' leases.
var ofLease = []Mutant{
	{
		Name:   "lease-not-waited-for",
		Breaks: "a slot is given away at FENCING, while its lease still runs",
		Ought:  "S4",
		Story:  "leased",
		Edits:  []Edit{{"failover/lessor.go", "return !now.Before(at), at", "return at.After(now), at"}},
	},
	{
		Name:   "drift-ignored",
		Breaks: "the wait is L, as if the leader's clock could not be fast",
		Ought:  "S4",
		Story:  "fast-leader",
		Edits:  []Edit{{"failover/lessor.go", "return since.Add(member.Slower(length))", "return since.Add(length)"}},
	},
	{
		Name:   "granted-while-fenced",
		Breaks: "a leader grants leases of a slot that is being fenced, and waits for none of them",
		Ought:  "S4",
		Story:  "deaf-to-its-observers",
		Edits:  []Edit{{"failover/lease.go", "return u.Slot, s.Epoch, c == nil || c.FenceEpoch == 0 || c.Epoch != s.Epoch", "return u.Slot, s.Epoch, c == nil || c.ID > 0"}},
	},
	{
		Name:   "granted-without-a-quorum",
		Breaks: "a leader grants at once, and asks nobody whether it still leads",
		Ought:  "S4",
		Story:  "cut-off-with-the-leader",
		Edits: []Edit{{
			"failover/lessor.go",
			"	l.wait = append(l.wait, r)\n	return l.confirm(now)",
			"	l.asked, l.round, l.begun = []agent.Renewal{r}, l.round+1, now\n	return l.Confirmed(now, l.round)",
		}},
	},
	{
		Name:   "transfer-taken-for-an-election",
		Breaks: "a leader that was handed its office believes that its voters had waited",
		Ought:  "S4",
		Story:  "office-handed-over",
		Edits:  []Edit{{"consensus/council_confirm.go", "l.Term == c.called+1", "l.Term == c.called-1"}},
	},
	{
		Name:   "restart-not-silent",
		Breaks: "a councillor that was restarted votes at once, and has forgotten whom it follows",
		Ought:  "S4",
		Story:  "voter-restarts",
		Edits:  []Edit{{"consensus/council_start.go", "c.silent = now.Add(time.Duration(cfg.ElectionTicks) * cfg.Tick)", "c.silent = now"}},
	},
	{
		Name:   "attempt-not-fenced",
		Breaks: "a spare whose activation failed is not fenced before another one starts an exclusive slot",
		Ought:  "S4",
		Story:  "spares-do-not-answer",
		Edits:  []Edit{{"failover/steps.go", "pool, _ := st.ledger.Fleet().Pool(c.Pool); !pool.Exclusive {", "pool, _ := st.ledger.Fleet().Pool(c.Pool); pool.Name != \"\" {"}},
	},
}
