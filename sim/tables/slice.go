package tables

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Slice is a part of a measurement: some seeds of some settings, as many as
// the time allows.
type Slice struct {
	Settings []Setting
	From     uint64    // the first seed, at least 1
	Runs     int       // seeds per setting, 0: each setting's own number
	Until    time.Time // no world begins after it; zero: no end
	Mine     int       // of so many Workers, this one
	Workers  int
}

// Job is one world to play.
type Job struct {
	Setting Setting
	Seed    uint64
}

// Jobs lists the worlds of a slice, all workers' together, in the order in which
// they are played: the first seed of all settings, then the second one, so that a
// slice that is cut off has a little of everything.
func (s Slice) Jobs() []Job {
	most := s.Runs
	for _, x := range s.Settings {
		if s.Runs == 0 {
			most = max(most, x.Runs)
		}
	}
	var jobs []Job
	for k := range most {
		for _, x := range s.Settings {
			if k < s.Runs || s.Runs == 0 && k < x.Runs {
				jobs = append(jobs, Job{x, s.From + uint64(k)})
			}
		}
	}
	return jobs
}

// mine lists this worker's jobs. A job belongs to one worker by its place alone,
// so workers need not talk; the turn changes with the seed, for some settings take
// longer than others.
func (s Slice) mine() []Job {
	order := map[string]int{}
	for i, x := range s.Settings {
		order[x.ID] = i
	}
	return slices.DeleteFunc(s.Jobs(), func(j Job) bool {
		return (order[j.Setting.ID]+int(j.Seed))%s.Workers != s.Mine
	})
}

// Play plays this worker's worlds that are not done yet, and hands over the row
// of each.
func (s Slice) Play(done Results, now func() time.Time, emit func(Row)) {
	for _, j := range s.mine() {
		if done.Has(j.Setting.ID, j.Seed) {
			continue
		}
		if !s.Until.IsZero() && now().After(s.Until) {
			return
		}
		emit(j.Setting.Play(j.Seed))
	}
}

// Results holds the rows of single runs, each once.
type Results struct {
	rows map[string]map[uint64]Row
}

// Has reports whether a setting's seed was played.
func (r Results) Has(setting string, seed uint64) bool {
	_, ok := r.rows[setting][seed]
	return ok
}

// Put takes a run's row in; one that is there already stays.
func (r *Results) Put(row Row) {
	if r.rows == nil {
		r.rows = map[string]map[uint64]Row{}
	}
	if r.rows[row.Setting] == nil {
		r.rows[row.Setting] = map[uint64]Row{}
	}
	if seed := row.Seeds[0]; !r.Has(row.Setting, seed) {
		r.rows[row.Setting][seed] = row
	}
}

// Row adds up what was played of a setting; false if nothing was.
func (r Results) Row(setting string) (Row, bool) {
	runs := r.rows[setting]
	seeds := make([]uint64, 0, len(runs))
	for seed := range runs {
		seeds = append(seeds, seed)
	}
	slices.Sort(seeds)
	var sum Row
	for _, seed := range seeds {
		sum.Add(runs[seed])
	}
	return sum, len(seeds) > 0
}

// ReadResults takes in JSON lines; lines of other programs between them are
// passed over. A last line without its end was cut off when its writer was killed:
// its world is played again.
func (r *Results) ReadResults(from io.Reader) error {
	in := bufio.NewReader(from)
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("results: %w", err)
		}
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var row Row
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			return fmt.Errorf("results: line %d: %w", n, err)
		}
		if row.Setting == "" || len(row.Seeds) != 1 {
			return fmt.Errorf("results: line %d: not the row of one run", n)
		}
		r.Put(row)
	}
}
