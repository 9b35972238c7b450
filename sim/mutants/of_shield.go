package mutants

// ofShield are the faults of the doors' votes.
var ofShield = []Mutant{
	{
		Name:   "every-vote-is-one-to-stop",
		Breaks: "a door that leads counts a vote to challenge as one to stop",
		Ought:  "S9",
		Story:  "flooded",
		Edits:  []Edit{{"shield/lead.go", "if b.Rung >= rung {", "if b.Rung >= rung || rung == Stop {"}},
	},
	{
		Name:   "everybody-heard-has-voted",
		Breaks: "a door that leads counts every door that it hears as one that votes",
		Ought:  "S9",
		Story:  "flooded",
		Edits:  []Edit{{"shield/lead.go", "doors = append(doors, b.Door)", "doors = slices.Clone(s.fleet.Live)"}},
	},
}
