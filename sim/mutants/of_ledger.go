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
		Name:   "cold-learner-is-seated",
		Breaks: "a learner takes a councillor's seat before it has caught up with raft's log",
		Ought:  "S8",
		Story:  "councillor-lost-and-learners-behind",
		Edits:  []Edit{{"consensus/care.go", "lost != \"\" || !w.warm(in)", "lost != \"\""}},
	},
	{
		Name:   "two-swaps-at-once",
		Breaks: "two lost councillors are swapped in one change",
		Ought:  "S8",
		Story:  "two-councillors-lost",
		Edits: []Edit{
			{"consensus/seats.go", "\tIn     uint64     `json:\"in,omitempty\"`", "\tOut2, In2 uint64\n\tIn     uint64     `json:\"in,omitempty\"`"},
			{"consensus/seats.go", "one(raftpb.ConfChangeAddNode, r.In)},\n", "one(raftpb.ConfChangeAddNode, r.In), one(raftpb.ConfChangeRemoveNode, r.Out2), one(raftpb.ConfChangeAddNode, r.In2)},\n"},
			{"consensus/seats.go", "\t\tslices.SortFunc(n.Voters, bySeat)\n\t\tn.Learners = without(s.Learners, r.In)\n", `		n.Learners = without(s.Learners, r.In)
		if i := seatAt(n.Learners, r.In2); i >= 0 {
			n.Voters = append(without(n.Voters, r.Out2), n.Learners[i])
			n.Learners = without(n.Learners, r.In2)
		}
		slices.SortFunc(n.Voters, bySeat)
`},
			{"consensus/care.go", "\t\treturn &Reform{Do: Swap, In: best.ID, Out: out.ID, Member: best.Member, Why: why}, \"\"\n", `		r := &Reform{Do: Swap, In: best.ID, Out: out.ID, Member: best.Member, Why: why}
		for _, x := range s.Voters {
			if also, _ := l.Lost(x); also != "" && x.ID != out.ID {
				for _, in := range s.Learners {
					if in.ID != best.ID {
						r.Out2, r.In2 = x.ID, in.ID
					}
				}
			}
		}
		return r, ""
`},
		},
	},
	{
		Name:   "old-council-goes-on",
		Breaks: "an old councillor that hears of a new council keeps its seat",
		Ought:  "L3",
		Story:  "council-founded-anew",
		Edits:  []Edit{{"mind/seat.go", "\tcase anew && m.council != nil:\n\t\tm.rise()", "\tcase anew && m.council != nil && m.broken:\n\t\tm.rise()"}},
	},
	{
		Name:   "snapshot-forgets-the-version",
		Breaks: "whoever starts from a snapshot takes every open case for a new one",
		Ought:  "S3",
		Story:  "restarts-in-a-case",
		Edits:  []Edit{{"failover/case.go", "`json:\"version\"`", "`json:\"-\"`"}},
	},
}
