package tables

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// workerKey is set for a child process: its number and how many there are.
const workerKey = "MOONWATCH_WORKER"

// TestMeasure plays the experiments that MOONWATCH_MEASURE names (all; crash; or
// single rows, as in "crash/7 loss") in full, and writes one JSON line per world
// and then the tables to standard output. make bench-detect calls it.
//
// MOONWATCH_FROM (1) is the first seed, MOONWATCH_RUNS how many there are per row,
// MOONWATCH_FOR ends the slice after a while, MOONWATCH_RESULTS is a file to which
// the lines are added and whose worlds are not played again: the next slice goes on
// where the last one was cut off.
func TestMeasure(t *testing.T) {
	names := strings.Fields(os.Getenv("MOONWATCH_MEASURE"))
	if len(names) == 0 {
		t.Skip("MOONWATCH_MEASURE names no experiment")
	}
	m := measurement(t, names)
	if w := os.Getenv(workerKey); w != "" {
		if _, err := fmt.Sscanf(w, "%d/%d", &m.Mine, &m.Workers); err != nil {
			t.Fatal(err)
		}
		done, err := m.load()
		if err != nil {
			t.Fatal(err)
		}
		out := json.NewEncoder(os.Stdout)
		m.Play(done, time.Now, func(r Row) {
			if err := out.Encode(r); err != nil {
				t.Fatal(err)
			}
		})
		return
	}
	results, err := m.Run(t.Context(), os.Stdout)
	if err != nil {
		t.Error(err)
	}
	WriteTables(os.Stdout, m.Settings, results)
}

// measurement reads what is to be measured from the environment.
func measurement(t *testing.T, names []string) Measurement {
	t.Helper()
	if len(names) == 1 && names[0] == "all" {
		names = nil
	}
	settings, err := Select(names...)
	if err != nil {
		t.Fatal(err)
	}
	m := Measurement{
		Slice:    Slice{Settings: settings, From: uint64(number(t, "MOONWATCH_FROM", 1)), Runs: number(t, "MOONWATCH_RUNS", 0), Workers: runtime.GOMAXPROCS(0)},
		Results:  os.Getenv("MOONWATCH_RESULTS"),
		Progress: os.Stderr,
	}
	m.Child = func(ctx context.Context, i int) *exec.Cmd {
		c := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestMeasure$", "-test.timeout", "0")
		c.Env = append(os.Environ(), "GOGC=400", fmt.Sprintf("%s=%d/%d", workerKey, i, m.Workers))
		if !m.Until.IsZero() {
			c.Env = append(c.Env, "MOONWATCH_FOR="+time.Until(m.Until).String())
		}
		return c
	}
	if s := os.Getenv("MOONWATCH_FOR"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("MOONWATCH_FOR is %q, want a duration like 10m", s)
		}
		m.Until = time.Now().Add(d)
	}
	return m
}

func number(t *testing.T, key string, otherwise int) int {
	t.Helper()
	s := os.Getenv(key)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, want a number from 1", key, s)
	}
	return n
}

// TestASliceGoesOnWhereTheLastOneEnded plays two worlds in child processes, and
// then three of which two are done.
func TestASliceGoesOnWhereTheLastOneEnded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.jsonl")
	t.Setenv("MOONWATCH_MEASURE", "crash/5")
	t.Setenv("MOONWATCH_RESULTS", file)
	for _, c := range []struct{ runs, now int }{{2, 2}, {3, 1}} {
		t.Setenv("MOONWATCH_RUNS", strconv.Itoa(c.runs))
		m := measurement(t, []string{"crash/5"})
		var said bytes.Buffer
		m.Progress = &said
		var out bytes.Buffer
		results, err := m.Run(t.Context(), &out)
		if err != nil {
			t.Fatal(err)
		}
		row, _ := results.Row("crash/5")
		if n := strings.Count(out.String(), "\n"); n != c.now || row.Runs() != c.runs || row.Faults != 25*c.runs {
			t.Fatalf("%d worlds played and %d in all with %d crashes, want %d and %d: %s", n, row.Runs(), row.Faults, c.now, c.runs, said.String())
		}
	}
}
