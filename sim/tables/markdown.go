package tables

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// column is one column of a table.
type column struct {
	head string
	cell func(Setting, Row) string
}

// table is how an experiment is shown.
type table struct {
	title   string
	columns []column
	notes   string
}

// WriteTables writes the tables of some settings in Markdown: one row for each
// that was played, and below each table which promises it misses.
func WriteTables(w io.Writer, settings []Setting, r Results) {
	for len(settings) > 0 {
		name := settings[0].Experiment()
		n := 0
		for n < len(settings) && settings[n].Experiment() == name {
			n++
		}
		tableOf(name).write(w, settings[:n], r)
		settings = settings[n:]
	}
}

func (t table) write(w io.Writer, settings []Setting, r Results) {
	fmt.Fprintf(w, "\n### %s\n\n", t.title)
	var heads, rules []string
	for _, c := range t.columns {
		heads, rules = append(heads, c.head), append(rules, "---")
	}
	line := func(cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	line(heads)
	line(rules)
	var short []string
	for _, s := range settings {
		row, ok := r.Row(s.ID)
		if !ok {
			continue
		}
		var cells []string
		for _, c := range t.columns {
			cells = append(cells, c.cell(s, row))
		}
		line(cells)
		for _, b := range s.Bars(row) {
			short = append(short, s.ID+": "+b)
		}
	}
	fmt.Fprintf(w, "\n%s Each row is remade by `make bench-detect ONLY=row FROM=1 RUNS=worlds`.\n", t.notes)
	if len(short) == 0 {
		fmt.Fprintf(w, "No promise is missed.\n")
	}
	for _, s := range short {
		fmt.Fprintf(w, "* **Missed** %s\n", s)
	}
}

func tableOf(experiment string) table {
	switch experiment {
	case "crash":
		return table{
			title: "From a crash to the committed verdict",
			columns: with(
				column{"crashes", func(_ Setting, r Row) string { return fmt.Sprint(r.Faults) }},
				detect("Moonwatch p50", ours, 50), detect("p99", ours, 99), detect("max", ours, 100),
				detect("naive p50", naive, 50), detect("p99", naive, 99), detect("max", naive, 100),
				healthy(),
				quote("memberlist", memberlistCrash)),
			notes: "One crash after the other, 10 s long, at random moments, never the leader unless the row says so. memberlist: median until all knew, as measured on real sockets.",
		}
	case "loss":
		return table{
			title: "Uniform loss, nobody at fault",
			columns: with(
				column{"member-days", func(_ Setting, r Row) string { return fmt.Sprintf("%.1f", r.MemberDays()) }},
				column{"Moonwatch condemned", func(_ Setting, r Row) string { return fmt.Sprint(r.Ours.Healthy) }},
				column{"below (95 %), per member-day", func(_ Setting, r Row) string { return fmt.Sprintf("%.2g", r.Bound(&r.Ours)) }},
				column{"told as partial", func(_ Setting, r Row) string { return fmt.Sprint(r.Ours.Told) }},
				column{"naive condemned", func(_ Setting, r Row) string { return fmt.Sprint(r.Naive.Healthy) }},
				column{"replaced", func(_ Setting, r Row) string { return fmt.Sprint(r.Naive.Replaced) }},
				column{"worlds that ran out of spares", func(_ Setting, r Row) string { return fmt.Sprint(r.Naive.Dry) }},
				quote("memberlist", memberlistLoss)),
			notes: "A healthy member that is condemned is condemned falsely. The naive policy gives a member that it called dead back after 30 s in which no two members called it dead; where that never happens, it stops counting.",
		}
	case "stalls":
		return table{
			title: "Members that stand still and go on, again and again",
			columns: with(
				column{"stalls", func(_ Setting, r Row) string { return fmt.Sprint(r.Faults) }},
				column{"Moonwatch: healthy condemned", func(_ Setting, r Row) string { return fmt.Sprint(r.Ours.Healthy) }},
				column{"stalled condemned", func(_ Setting, r Row) string { return fmt.Sprint(r.Ours.Condemned - r.Ours.Healthy) }},
				column{"replaced", func(_ Setting, r Row) string { return fmt.Sprint(r.Ours.Replaced) }},
				column{"naive: healthy condemned", func(_ Setting, r Row) string { return fmt.Sprint(r.Naive.Healthy) }},
				column{"stalled condemned", func(_ Setting, r Row) string { return fmt.Sprint(r.Naive.Condemned - r.Naive.Healthy) }},
				column{"replaced", func(_ Setting, r Row) string { return fmt.Sprint(r.Naive.Replaced) }},
				quote("SWIM / Lifeguard: healthy condemned", lifeguardStalls)),
			notes: "100 members, two minutes of equal stalls with pauses of 1 to 4 s, then a quiet minute. SWIM and Lifeguard: false failure events at healthy members under exhausted processors, read from the paper's figure 1 (5 %).",
		}
	case "rapid":
		return table{
			title: "Ten crashes at once, links that flap, links that lose 80 % one way",
			columns: with(
				column{"faulty members", func(_ Setting, r Row) string { return fmt.Sprint(r.Faults) }},
				column{"Moonwatch: verdicts", func(_ Setting, r Row) string { return fmt.Sprint(r.Ours.Decisions) }},
				column{"found", func(_ Setting, r Row) string { return fmt.Sprint(len(r.Ours.DetectMS)) }},
				detect("p50", ours, 50), detect("max", ours, 100),
				column{"healthy", func(_ Setting, r Row) string { return fmt.Sprint(r.Ours.Healthy) }},
				column{"naive: verdicts", func(_ Setting, r Row) string { return fmt.Sprint(r.Naive.Decisions) }},
				column{"found", func(_ Setting, r Row) string { return fmt.Sprint(len(r.Naive.DetectMS)) }},
				detect("p50", naive, 50), detect("max", naive, 100),
				column{"healthy", func(_ Setting, r Row) string { return fmt.Sprint(r.Naive.Healthy) }},
				quote("memberlist", memberlistRapid)),
			notes: "One member in a hundred has the bad link; found: condemned within 30 s, the flapping link within its first 20 s.",
		}
	default:
		panic("tables: no table is called " + experiment)
	}
}

// with puts what every row carries before and behind.
func with(columns ...column) []column {
	head := []column{
		{"row", func(s Setting, _ Row) string { return "`" + s.ID + "`" }},
		{"what", func(s Setting, _ Row) string { return s.What }},
		{"worlds", func(_ Setting, r Row) string { return fmt.Sprint(r.Runs()) }},
		{"seeds", func(_ Setting, r Row) string { return seeds(r.Seeds) }},
	}
	return append(head, columns...)
}

func ours(r *Row) *Score  { return &r.Ours }
func naive(r *Row) *Score { return &r.Naive }

func detect(head string, of func(*Row) *Score, pct int) column {
	return column{head, func(_ Setting, r Row) string {
		if d := of(&r).Detect(pct); d > 0 {
			return fmt.Sprintf("%.2f s", d.Round(10*time.Millisecond).Seconds())
		}
		return "never"
	}}
}

func healthy() column {
	return column{"healthy condemned, Moonwatch / naive", func(_ Setting, r Row) string {
		return fmt.Sprintf("%d / %d", r.Ours.Healthy, r.Naive.Healthy)
	}}
}
