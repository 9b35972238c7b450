// Command demostat reads the JSON objects of many `moonwatch demo --once --json`
// runs on standard input and prints, per fault, how long things took and how
// often something went wrong. Each number stands as median, 99th percentile and
// maximum over the runs in which it happened.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

func main() {
	runs, err := read(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, fault := range faults(runs) {
		summarise(os.Stdout, fault, runs)
	}
}

// result is what one run printed. Fields that are no numbers are not looked at.
type result map[string]any

// number is the value of a field, and whether the run has it: null means that
// it did not happen.
func (r result) number(field string) (float64, bool) {
	n, ok := r[field].(float64)
	return n, ok
}

func read(in io.Reader) ([]result, error) {
	var runs []result
	for dec := json.NewDecoder(in); ; {
		var r result
		err := dec.Decode(&r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read run %d: %w", len(runs)+1, err)
		}
		runs = append(runs, r)
	}
	if len(runs) == 0 {
		return nil, errors.New("read runs: nothing on standard input")
	}
	return runs, nil
}

func faults(runs []result) []string {
	var names []string
	for _, r := range runs {
		names = append(names, fmt.Sprint(r["fault"]))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// row is one line of the table: how to get its number out of a run.
type row struct {
	name string
	of   func(result) (float64, bool)
}

func field(name string) row {
	return row{name, func(r result) (float64, bool) { return r.number(name) }}
}

// between is the time from one moment to a later one.
func between(name, from, to string) row {
	return row{name, func(r result) (float64, bool) {
		a, okA := r.number(from)
		b, okB := r.number(to)
		return b - a, okA && okB
	}}
}

var table = []row{
	field("accused_ms"),
	field("verdict_ms"),
	between("verdict to drained, ms", "verdict_ms", "drained_ms"),
	field("drained_ms"),
	field("serving_ms"),
	field("failovers"),
	field("restarts"),
	field("destructive_actions"),
	field("requests"),
	field("failed"),
	field("failed_after_drain"),
	field("unsent"),
}

// leases is the table of what was measured of exclusive slots.
var leases = []row{
	field("served_ms"),
	field("told_ms"),
	field("vacant_ms"),
	field("writes"),
	field("late_writes"),
	field("double_writes"),
}

// rows are the lines for a run: what it measured says which.
func (r result) rows() []row {
	if _, ok := r["vacant_ms"]; ok {
		return leases
	}
	return table
}

func summarise(out io.Writer, fault string, runs []result) {
	var all, good, doubles, overlaps int
	var rows []row
	values := make(map[string][]float64)
	for _, r := range runs {
		if fmt.Sprint(r["fault"]) != fault {
			continue
		}
		all++
		if r["ok"] == true {
			good++
		}
		late, _ := r.number("late_writes")
		double, _ := r.number("double_writes")
		if double > 0 {
			doubles++
		}
		if late+double > 0 {
			overlaps++
		}
		rows = r.rows()
		for _, row := range rows {
			if v, ok := row.of(r); ok {
				values[row.name] = append(values[row.name], v)
			}
		}
	}
	fmt.Fprintf(out, "fault %s: %d runs, %d ok\n", fault, all, good)
	fmt.Fprintf(out, "  %-24s %6s %8s %8s %8s\n", "", "runs", "p50", "p99", "max")
	for _, row := range rows {
		v := values[row.name]
		if len(v) == 0 {
			fmt.Fprintf(out, "  %-24s %6d %8s %8s %8s\n", row.name, 0, "-", "-", "-")
			continue
		}
		slices.Sort(v)
		fmt.Fprintf(out, "  %-24s %6d %8.0f %8.0f %8.0f\n", row.name, len(v), at(v, 50), at(v, 99), v[len(v)-1])
	}
	if len(values["late_writes"]) > 0 {
		fmt.Fprintf(out, "  runs with an overlap: %d at a receiver that looks at slot epochs, %d at one that does not\n", doubles, overlaps)
	}
}

// at is the percentile of sorted values by nearest rank, which is always a
// value that was measured.
func at(sorted []float64, percent int) float64 {
	rank := (percent*len(sorted) + 99) / 100
	return sorted[max(rank, 1)-1]
}
