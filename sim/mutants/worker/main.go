// Command worker plays the seeds of one story until a promise breaks, and
// writes one line of JSON for each. The hunt for mutants builds it once per
// mutant; it knows nothing of them.
package main

import (
	"encoding/json"
	"errors"
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
		r := play(s, i, *told)
		if err := out.Encode(r); err != nil {
			fmt.Fprintf(os.Stderr, "worker: %v\n", err)
			os.Exit(1)
		}
		if r.Promise != "" {
			return
		}
	}
}

// play plays a story with a seed to the end, or to the first broken promise.
func play(s story, n uint64, told bool) seed.Played {
	cfg, faults := s.of(n)
	cfg.Seed = n
	w, err := sim.New(cfg)
	if err != nil {
		return broken(n, err)
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
		return broken(n, err)
	}
	troubles := w.Unsettled()
	for len(troubles) > 0 && w.Now() < s.storm+settle {
		if err := w.Run(10 * time.Second); err != nil {
			return broken(n, err)
		}
		troubles = w.Unsettled()
	}
	if err := w.Audit(); err != nil {
		return broken(n, err)
	}
	if len(troubles) > 0 {
		return seed.Played{Seed: n, Promise: troubles[0].Name, Words: troubles[0].Text}
	}
	return seed.Played{Seed: n}
}

// broken is a story that a promise has ended.
func broken(n uint64, err error) seed.Played {
	var b *sim.Broken
	if errors.As(err, &b) {
		return seed.Played{Seed: n, Promise: b.Promise, Words: fmt.Sprintf("at %v: %s", b.At, b.Text)}
	}
	return seed.Played{Seed: n, Promise: "none of these", Words: err.Error()}
}
