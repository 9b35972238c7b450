package mutants

// ofConsensus are the faults of the leader's tally.
var ofConsensus = []Mutant{
	{
		Name:   "quorum-minus-one",
		Breaks: "a verdict needs one vote less than 60 % of the eligible",
		Ought:  "S1",
		Edits:  []Edit{{"consensus/verdict.go", "return max(2, ceilShare(eligible, 60))", "return max(2, ceilShare(eligible, 60)-1)"}},
	},
	{
		Name:   "proposers-date-facts",
		Breaks: "the ledger's time is what whoever proposed a fact takes for the time",
		Ought:  "S8",
		Edits:  []Edit{{"consensus/ledger.go", "if at.IsZero() {", "if true {"}},
	},
	{
		Name:   "one-domain-suffices",
		Breaks: "down votes of one failure domain alone are a verdict",
		Ought:  "S1",
		Story:  "cut-between-domains",
		Edits:  []Edit{{"consensus/count.go", "return c.Downs > 0 && downs.n < 2", "return false"}},
	},
	{
		Name:   "standing-up-counts",
		Breaks: "a withdrawn accusation counts as an up vote, although nobody has looked again",
		Ought:  "S1",
		Story:  "lossy-member",
		Edits: []Edit{
			{"consensus/voice.go", "c.standing = castVote{}", "c.standing = castVote{vote: v, at: now, until: now.Add(st.Life)}"},
			{"consensus/voice.go", "return agent.Down, &c.standing", "return c.standing.vote.Stance, &c.standing"},
		},
	},
	{
		Name:   "earlier-life-counts",
		Breaks: "votes about an earlier life of a member count against the present one",
		Ought:  "S1",
		Story:  "restarted-behind-a-cut",
		Edits:  []Edit{{"consensus/count.go", "said.vote.Incarnation < life {", "life == 0 {"}},
	},
	{
		Name:   "strangers-count",
		Breaks: "votes of agents that the overlay has not assigned to the subject count",
		Ought:  "S1",
		Story:  "three-liars",
		Edits: []Edit{
			{"consensus/count.go", "observers := t.ledger.Overlay().watchers[s.place]", `observers := slices.Clone(t.ledger.Overlay().watchers[s.place])
	for i := range s.casts[kind] {
		if at := int32(s.casts[kind][i].observer); !slices.Contains(observers, at) {
			observers = append(observers, at)
		}
	}
	slices.Sort(observers)`},
			{"consensus/count.go", "import (\n", "import (\n\t\"slices\"\n"},
			{"consensus/tally.go", "of >= 0 && t.ledger.Overlay().assigned(at, of) {", "of >= 0 && of != at {"},
			{"consensus/verdict.go", "if !o.Assigned(v.Observer, f.Subject) {", "if v.Observer == f.Subject {"},
		},
	},
	{
		Name:   "ups-are-not-eligible",
		Breaks: "who says that it reaches a member has no say about it: three of three condemn",
		Ought:  "S1",
		Story:  "half-are-cut-off-from-one",
		Edits:  []Edit{{"consensus/count.go", "case agent.Up:\n\t\t\tc.Ups++\n", "case agent.Up:\n\t\t\tc.Eligible--\n\t\t\tcontinue\n"}},
	},
	{
		Name:   "one-accuser-keeps-a-verdict",
		Breaks: "a verdict is not lifted as long as anybody at all accuses",
		Ought:  "L4",
		Story:  "liar",
		Edits:  []Edit{{"consensus/weigh.go", "bad := f.Agent.Downs >= low(f.Agent.Eligible) ||", "bad := f.Agent.Downs > 0 ||"}},
	},
	{
		Name:   "no-roll-in-cascade",
		Breaks: "in cascade the roll is called for nobody",
		Ought:  "L2",
		Story:  "services-in-a-cascade",
		Edits:  []Edit{{"consensus/weigh.go", "if now.Sub(t.calmCall) < t.cfg.RollAgain || t.longestUncalled(now) != s {", "if t.cascade {"}},
	},
	{
		Name:   "partial-silences",
		Breaks: "whom only some reach may no longer vote, so a deaf minority condemns the others one by one",
		Ought:  "S2",
		Story:  "deaf-third",
		Edits:  []Edit{{"consensus/verdict.go", "return k.rank() > 1 &&", "return k.rank() > 0 &&"}},
	},
}
