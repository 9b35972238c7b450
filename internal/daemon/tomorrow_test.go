package daemon

import (
	"testing"

	"moonwatch/sim/mutants"
)

// kindOfTomorrow is a kind of facts that this build does not know.
const kindOfTomorrow = "note-of-tomorrow"

// fieldRead is what an agent of tomorrow says once, on standard error, when it reads a
// field that this build does not write.
const fieldRead = "the field of tomorrow was read"

// tomorrow is this program, later: it knows one kind of facts more, which people give,
// and its probe answers have one field more, at their end.
var tomorrow = mutants.Mutant{Name: "tomorrow", Edits: []mutants.Edit{
	{File: "consensus/kinds.go", Old: "\tKindDisk, KindCouncil, KindRefound,\n", New: "\tKindDisk, KindCouncil, KindRefound, \"" + kindOfTomorrow + "\",\n"},
	{File: "consensus/kinds.go", Old: "case KindGenesis, KindFleet,", New: "case \"" + kindOfTomorrow + "\", KindGenesis, KindFleet,"},
	{File: "mind/throttles.go", Old: "return failover.OfPeople(k) ||", New: "return k == \"" + kindOfTomorrow + "\" || failover.OfPeople(k) ||"},
	{File: "internal/wire/encode.go", Old: "return append(b, byte(m.Report)), nil", New: "return binary.AppendUvarint(append(b, byte(m.Report)), 4711), nil"},
	{File: "internal/wire/decode.go", Old: "func (d *decoder) probeAnswer(", New: "var told bool\n\nfunc (d *decoder) probeAnswer("},
	{File: "internal/wire/decode.go", Old: "\t\ta.Report = r\n\t}\n", New: "\t\ta.Report = r\n\t}\n" + `
	if len(d.rest) > 0 {
		switch {
		case d.uvarint() != 4711:
			d.fail()
		case !told:
			told = true
			println("` + fieldRead + `")
		}
	}
`},
}}

// nowAlone is this program of before, which tells what its observer sees, and whoever asks
// what it saw then is told that as well.
var nowAlone = mutants.Mutant{Name: "now-alone", Edits: []mutants.Edit{
	{File: "consensus/link/sightings.go", Old: "if text := r.URL.Query().Get(momentKey); text", New: "if text := r.URL.Query().Get(\"no\" + momentKey); text"},
}}

// untold is this program of long before, which nobody could ask what it sees.
var untold = mutants.Mutant{Name: "untold", Edits: []mutants.Edit{
	{File: "consensus/link/server.go", Old: "\tmux.Handle(\"GET \"+pathSightings, l.handle(l.serveSightings))\n", New: ""},
}}

// TestProgramsOfOtherDaysFitToday in each run: the real one builds them.
func TestProgramsOfOtherDaysFitToday(t *testing.T) {
	for _, m := range []mutants.Mutant{tomorrow, nowAlone, untold} {
		if _, err := m.Mutated("../.."); err != nil {
			t.Error(err)
		}
	}
}
