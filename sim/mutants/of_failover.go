package mutants

// ofFailover are the faults of cases, gates, spares and executors.
var ofFailover = []Mutant{
	{
		Name:   "brake-off",
		Breaks: "neither a cascade nor the number of the condemned holds anything",
		Ought:  "S6",
		Edits: []Edit{
			{"failover/gates.go", "if m.Mode == Cascade {", "if m.Mode == Isolated {"},
			{"failover/gates.go", "n >= l.cascade {", "n < l.guarded-l.cascade {"},
		},
	},
	{
		Name:   "budget-off",
		Breaks: "any number of replacements may be under way and begin",
		Ought:  "S6",
		Story:  "one-after-the-other",
		Edits: []Edit{
			{"failover/gates.go", "n >= inFlight {", "n < 0 && inFlight > 0 {"},
			{"failover/gates.go", "n >= perWindow {", "n < 0 && perWindow > 0 {"},
		},
	},
	{
		Name:   "restart-not-budgeted",
		Breaks: "any number of services of a pool restart at once",
		Ought:  "S6",
		Story:  "two-services",
		Edits:  []Edit{{"failover/gates.go", "n >= limit {", "n < 0 && limit > 0 {"}},
	},
	{
		Name:   "cascade-ends-at-once",
		Breaks: "a cascade is over as soon as fewer than half of its members are in trouble",
		Ought:  "S6",
		Story:  "small-cascade",
		Edits:  []Edit{{"failover/brake.go", "if now.Sub(since) < b.clear(old.Mode) {", "if now.Before(since) {"}},
	},
	{
		Name:   "drain-below-the-floor",
		Breaks: "a drain takes traffic away from the last who serve",
		Ought:  "promise 9",
		Edits:  []Edit{{"failover/steps.go", "return serving >= max(1, (slots+1)/2)", "return slots > 0"}},
	},
	{
		Name:   "withdrawn-verdict-goes-on",
		Breaks: "a case goes on although the verdict behind it was withdrawn",
		Ought:  "L2",
		Story:  "no-spare",
		Edits:  []Edit{{"failover/state.go", "(c.abortable() || st.stranded(c))", "c.Outcome != \"\""}},
	},
	{
		Name:   "no-fence",
		Breaks: "an exclusive slot is given away without proof that its occupant has stopped",
		Ought:  "S4",
		Story:  "exclusive",
		Edits: []Edit{
			{"failover/gates.go", `if !pool.Exclusive && (len(pool.Fence) == 0 || pool.Fence[0] == "none") {`, `if pool.Name != "" {`},
			{"failover/steps.go", `if !pool.Exclusive && (len(pool.Fence) == 0 || pool.Fence[0] == "none") {`, `if pool.Name != "" {`},
		},
	},
	{
		Name:   "spare-claimed-twice",
		Breaks: "a spare that one case has claimed is free for another",
		Ought:  "S4",
		Story:  "two-cases-one-spare",
		Edits:  []Edit{{"failover/pool.go", "u.Duty != Spare {", "u.Duty != Spare && u.Duty != Claimed {"}},
	},
	{
		Name:   "claim-ends-by-time",
		Breaks: "a spare whose activation took too long is free again, without its word that nothing runs there",
		Ought:  "S5",
		Story:  "spare-hangs",
		Edits: []Edit{
			{"failover/steps.go", `u.Duty, u.Since, u.Case, u.Slot = Quarantined, f.Time, 0, ""`, `u.Duty, u.Since, u.Case, u.Slot = Spare, f.Time, 0, ""`},
			{"failover/steps.go", "u.left(c.Slot, c.NewEpoch)", "u.LastUsed = f.Time"},
		},
	},
	{
		Name:   "dirty-spare-claimed",
		Breaks: "a victim becomes a spare without its word that its old slot is stopped",
		Ought:  "S4",
		Story:  "victim-is-the-last-spare",
		Edits:  []Edit{{"failover/steps.go", "u.left(c.Slot, c.Epoch)", "u.LastUsed = f.Time"}},
	},
	{
		Name:   "cutover-unchecked",
		Breaks: "a step from an old version of the case cuts over again: no compare-and-swap, no slot epoch",
		Ought:  "promise 5",
		Story:  "slow-council",
		Edits: []Edit{
			{"failover/steps.go", "if c.Version != p.Version {", "if c.Version < p.Version {"},
			{"failover/steps.go", "return !c.Restart && from == Verifying", "return !c.Restart && (from == Verifying || from == Settling)"},
			{"failover/steps.go", "s == nil || s.Epoch != c.Epoch {", "s == nil {"},
		},
	},
	{
		Name:   "cutover-unseen",
		Breaks: "a slot is given to a spare on its own word, and no observer looks at the service",
		Ought:  "promise 5",
		Story:  "spares-lie",
		Edits:  []Edit{{"failover/conductor.go", "if !c.st.Checked(who) {", `if who != "" {`}},
	},
	{
		Name:   "freeze-drains",
		Breaks: "the traffic of a member that people have frozen is taken away when it falls",
		Ought:  "hold",
		Story:  "frozen",
		Edits: []Edit{{
			"failover/steps.go", "h := st.stilled(f.Time, p.Subject, s.Pool); h != nil {",
			"h := st.stilled(f.Time, p.Subject, s.Pool); h != nil && s.Away != nil {",
		}},
	},
	{
		Name:   "held-case-sleeps",
		Breaks: "a case that was held is never looked at again",
		Ought:  "L2",
		Story:  "two-in-a-guarded-fleet",
		Edits: []Edit{{
			"failover/conductor.go", "if x.Planned {\n\t\treturn c.beginPlanned(now, x, out)",
			"if x.State == Held {\n\t\treturn out\n\t}\n\tif x.Planned {\n\t\treturn c.beginPlanned(now, x, out)",
		}},
	},
	{
		Name:   "slot-epoch-stands-still",
		Breaks: "a new occupant has the slot epoch of the old one",
		Ought:  "S4",
		Edits:  []Edit{{"failover/steps.go", "c.Spare, c.NewEpoch, f.Time, f.Time", "c.Spare, c.Epoch, f.Time, f.Time"}},
	},
	{
		Name:   "no-slot-epoch-check",
		Breaks: "an executor that lost its slot goes on running it",
		Ought:  "L6",
		Story:  "victim-serves-on",
		Edits: []Edit{
			{"failover/executor.go", "ok && epoch <= left {", "ok && epoch <= left && left == 0 {"},
			{"failover/executor.go", "return s.Epoch > epoch", "return s.Epoch == 0"},
		},
	},
	{
		Name:   "everybody-executes",
		Breaks: "an agent does steps that the ledger gives to another",
		Ought:  "promise 7",
		Edits:  []Edit{{"failover/executor.go", "if ok && executor == e.self {", `if ok && executor != "" {`}},
	},
	{
		Name:   "second-look-skipped",
		Breaks: "a member is replaced whatever the second roll call says",
		Ought:  "S8",
		Story:  "back-before-the-spare",
		Edits:  []Edit{{"failover/conductor.go", "if !confirms(x, look) {", "if look.Called.IsZero() {"}},
	},
	{
		Name:   "requester-approves",
		Breaks: "whoever asks for what takes two people may approve it too",
		Ought:  "two",
		Story:  "approved-by-who-asked",
		Edits:  []Edit{{"failover/request.go", "case r.by(by, key):", `case r.by(by, key) && by == "":`}},
	},
	{
		Name:   "lone-request-takes-effect-at-once",
		Breaks: "what one operator asks for alone is announced and takes effect in the same moment",
		Ought:  "S6",
		Story:  "asked-alone",
		Edits:  []Edit{{"failover/request.go", "return r.Announced.Add(AloneAfter)", "return r.Announced"}},
	},
	{
		Name:   "approval-for-any-slot-epoch",
		Breaks: "what was approved for one occupant of a slot is allowed against the next one too",
		Ought:  "S6",
		Story:  "approved-slot-is-lost-again",
		Edits: []Edit{{
			"failover/request.go", "slices.Contains(r.Cases, st.planned(act, c))",
			"slices.ContainsFunc(r.Cases, func(x PlannedCase) bool { return x.Slot == c.Slot })",
		}},
	},
}
