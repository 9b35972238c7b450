// Command worker plays the seeds of one story until a promise breaks, and
// writes one line of JSON for each. The hunt for mutants builds it once per
// mutant; it knows nothing of them.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"moonwatch/sim"
	"moonwatch/sim/mutants/seed"
)

// settle is how long everything may take to come right after a storm: a budget
// window and a cascade's end.
const settle = 12 * time.Minute

func main() {
	name := flag.String("story", "swarm", "which story to play")
	from := flag.Uint64("from", 1, "its first seed")
	n := flag.Uint64("seeds", 1, "how many seeds, at most")
	told := flag.Bool("tell", false, "tell on standard error what happens")
	flag.Parse()
	s, ok := stories[*name]
	if !ok {
		fmt.Fprintf(os.Stderr, "worker: story %q is unknown\n", *name)
		os.Exit(2)
	}
	out := json.NewEncoder(os.Stdout)
	for i := *from; i < *from+*n; i++ {
		r := seed.Played{Seed: i, Broken: play(s, i, *told)}
		if err := out.Encode(r); err != nil {
			fmt.Fprintf(os.Stderr, "worker: %v\n", err)
			os.Exit(1)
		}
		if r.Broken != "" {
			return
		}
	}
}

// play says which promise a story breaks with a seed, empty for none.
func play(s story, seed uint64, told bool) string {
	cfg, faults := s.of(seed)
	cfg.Seed = seed
	w, err := sim.New(cfg)
	if err != nil {
		return err.Error()
	}
	if w.Verbose = told; told {
		defer func() {
			for _, l := range w.Lines() {
				fmt.Fprintln(os.Stderr, l)
			}
		}()
	}
	w.Strike(faults...)
	if err := w.Run(s.storm); err != nil {
		return err.Error()
	}
	var troubles []string
	for w.Now() < s.storm+settle {
		if err := w.Run(10 * time.Second); err != nil {
			return err.Error()
		}
		if troubles = w.Troubles(); len(troubles) == 0 {
			return ""
		}
	}
	return "liveness: " + troubles[0]
}
