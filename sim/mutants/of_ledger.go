package mutants

// ofLedger are the faults of council and ledger.
var ofLedger = []Mutant{
	{
		Name:   "commit-before-persist",
		Breaks: "a councillor promises what its disk does not have yet",
		Ought:  "S7",
		Edits: []Edit{{"consensus/council_ready.go", "\t\tout = append(out, p)\n\t}", `		out = append(out, p)
		c.writing = nil
		out = c.release(rd, out)
	}`}},
	},
	{
		Name:   "fsync-skipped",
		Breaks: "raft's log is written without being flushed",
		Ought:  "S7",
		Story:  "blackout",
		Edits:  []Edit{{"consensus/council_ready.go", "Sync: rd.MustSync || !raft.IsEmptySnap(rd.Snapshot)", "Sync: false"}},
	},
	{
		Name:   "audit-hash-skips-a-field",
		Breaks: "the audit chain does not cover the raft entry that carried a fact",
		Ought:  "S12",
		Edits:  []Edit{{"consensus/fact.go", "binary.BigEndian.PutUint64(n[8:], f.Raft)", "_ = f.Raft"}},
	},
	{
		Name:   "repeat-is-a-fact",
		Breaks: "a command that is handed in twice stands in the ledger twice",
		Ought:  "promise 5",
		Edits:  []Edit{{"consensus/ledger.go", "if l.seen[c.ID] {", "if c.ID == \"\" {"}},
	},
	{
		Name:   "refused-and-applied",
		Breaks: "a refused command is recorded as refused and has its effect",
		Ought:  "S5",
		Story:  "forger",
		Edits:  []Edit{{"consensus/ledger.go", "f.Reason = err.Error()\n\t} else {", "f.Reason = err.Error()\n\t}\n\tif f.Index > 1 || err == nil {"}},
	},
	{
		Name:   "anybody-proposes",
		Breaks: "a verdict or a step counts although no councillor stands behind it",
		Ought:  "S1",
		Story:  "forger",
		Edits:  []Edit{{"consensus/ledger_view.go", "if l.Councillor(c.Proposer) {", `if c.Proposer != "" {`}},
	},
	{
		Name:   "councillors-impersonated",
		Breaks: "raft takes a message in a councillor's name from anybody",
		Ought:  "S7",
		Story:  "forger",
		Edits:  []Edit{{"consensus/ledger_view.go", "s.ID == raft && s.Member == id", "s.ID == raft && s.Member != \"\""}},
	},
	{
		Name:   "anybody-reports",
		Breaks: "a step is done if anybody says so",
		Ought:  "S4",
		Story:  "forger-and-fence",
		Edits:  []Edit{{"failover/steps.go", "by != executor ||", "by != executor && executor == \"\" ||"}},
	},
	{
		Name:   "snapshot-forgets-the-version",
		Breaks: "whoever starts from a snapshot takes every open case for a new one",
		Ought:  "S3",
		Story:  "restarts-in-a-case",
		Edits:  []Edit{{"failover/case.go", "`json:\"version\"`", "`json:\"-\"`"}},
	},
}
