package mutants

// ofLedger are the faults of council and ledger.
var ofLedger = []Mutant{
	{
		Name:   "commit-before-persist",
		Breaks: "a councillor promises what its disk does not have yet",
		Ought:  "promise 2",
		Edits: []Edit{{"consensus/council.go", "\t\tout = append(out, p)\n\t}", `		out = append(out, p)
		c.writing = nil
		out = c.release(rd, out)
	}`}},
	},
	{
		Name:   "fsync-skipped",
		Breaks: "raft's log is written without being flushed",
		Ought:  "promise 2",
		Story:  "blackout",
		Edits:  []Edit{{"consensus/council.go", "Sync: rd.MustSync || !raft.IsEmptySnap(rd.Snapshot)", "Sync: false"}},
	},
	{
		Name:   "audit-hash-skips-a-field",
		Breaks: "the audit chain does not cover the raft entry that carried a fact",
		Ought:  "promise 8",
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
		Ought:  "promise 7",
		Edits:  []Edit{{"consensus/ledger.go", "f.Reason = err.Error()\n\t} else {", "f.Reason = err.Error()\n\t}\n\tif f.Index > 1 || err == nil {"}},
	},
	{
		Name:   "anybody-proposes",
		Breaks: "a verdict or a step counts although no councillor stands behind it",
		Ought:  "promise 1",
		Edits:  []Edit{{"consensus/ledger_view.go", "if l.Councillor(c.Proposer) {", `if c.Proposer != "" {`}},
	},
	{
		Name:   "snapshot-forgets-the-version",
		Breaks: "whoever starts from a snapshot takes every open case for a new one",
		Ought:  "promise 8",
		Edits:  []Edit{{"failover/case.go", "`json:\"version\"`", "`json:\"-\"`"}},
	},
}
