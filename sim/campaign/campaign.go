package campaign

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Config says what a campaign plays.
type Config struct {
	Compile func(seed uint64) ([]byte, error) // the plan of a seed; the same bytes for the same seed
	From    uint64                            // the first seed
	Seeds   int                               // how many to play that the folder does not have; 0: without end
	For     time.Duration                     // deal no more after so long; 0: no limit
	Twice   float64                           // share of the seeds that are played twice and compared, 0 to 1
	Wanted  []string                          // what has to happen sometimes, in at least one seed
	Crew    Crew
	Folder  *Folder        // keeps the results; nil: they are summed up and gone
	Plans   string         // folder to save failing plans in, without Folder; must exist
	Name    string         // of the scenario, for the names of files
	Tell    func(Progress) // is told how it goes, after every seed and at least every second; may be nil
	Each    func(Record)   // is told what became of each seed of this slice, as it ends; may be nil
}

// Progress is how far a campaign has come.
type Progress struct {
	Done, Seeds int // of this slice; Seeds is 0 if there is no end
	Broken      int // of the whole campaign
	Elapsed     time.Duration
	Left        time.Duration // estimated; below 0: cannot be told
	Events      uint64        // of this slice
}

// grace is how long seeds that are being played may go on after an interrupt.
const grace = 2 * time.Second

// Run plays a campaign, or one slice of the one in Folder. The summary, which
// covers all slices, is there with an error too, as far as things went.
//
// When ctx ends, no more is dealt, what is being played may end shortly, and
// the summary says that it was interrupted. That is no error.
func Run(ctx context.Context, cfg Config) (*Summary, error) {
	r := &runner{cfg: cfg, tally: newTally(), began: time.Now(), tasks: make(chan Task), ends: make(chan ending)}
	if cfg.Folder != nil {
		for _, x := range cfg.Folder.records {
			r.tally.add(x)
		}
		r.tally.wall = cfg.Folder.wall
	}
	r.before = r.tally.wall
	err := r.run(ctx)
	return r.summary(), err
}

// runner deals seeds out and books what comes back. One goroutine owns it.
type runner struct {
	cfg    Config
	tally  *tally
	before time.Duration // the wall time of earlier slices
	began  time.Time
	tasks  chan Task
	ends   chan ending

	seed        uint64 // to look at next
	dealt, done int
	events      uint64
	saved       int  // plans
	stopped     bool // before all seeds were dealt
	err         error
}

// ending is what came of a task.
type ending struct {
	task   Task
	answer Answer
	err    error
	took   time.Duration
}

func (r *runner) run(ctx context.Context) error {
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	var crew sync.WaitGroup
	for range max(1, r.cfg.Crew.Workers) {
		crew.Go(func() { r.work(hard) })
	}
	defer crew.Wait()
	defer close(r.tasks)
	r.seed = r.cfg.From
	next := r.draw()
	var over, grown <-chan time.Time
	if r.cfg.For > 0 {
		timer := time.NewTimer(r.cfg.For)
		defer timer.Stop()
		over = timer.C
	}
	interrupt := ctx.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for running := 0; next != nil || running > 0; {
		var deal chan Task
		var task Task
		if next != nil {
			deal, task = r.tasks, *next
		}
		select {
		case deal <- task:
			running++
			next = r.draw()
		case e := <-r.ends:
			running--
			if err := r.book(e); err != nil {
				r.fail(err)
				next = nil
				kill() // what cannot be booked need not be played
			}
		case <-over:
			next, over = nil, nil
		case <-interrupt:
			r.stopped = r.stopped || next != nil
			next, interrupt = nil, nil
			timer := time.NewTimer(grace)
			defer timer.Stop()
			grown = timer.C
		case <-grown:
			r.stopped = true
			kill()
		case <-tick.C:
		}
		r.tell()
	}
	return r.err
}

// work plays tasks until there are no more.
func (r *runner) work(ctx context.Context) {
	w := worker{crew: r.cfg.Crew}
	defer func() { _ = w.end("") }()
	for t := range r.tasks {
		began := time.Now()
		a, err := w.do(ctx, t)
		r.ends <- ending{t, a, err, time.Since(began)}
	}
}

// draw makes the task of the next seed that was not played yet, nil if there is
// none.
func (r *runner) draw() *Task {
	if r.cfg.Seeds > 0 && r.dealt == r.cfg.Seeds {
		return nil
	}
	for r.tally.seen[r.seed] {
		r.seed++
	}
	plan, err := r.cfg.Compile(r.seed)
	if err != nil {
		r.fail(fmt.Errorf("plan of seed %d: %w", r.seed, err))
		return nil
	}
	t := &Task{Seed: r.seed, Plan: plan, Twice: again(r.seed, r.cfg.Twice)}
	r.seed++
	r.dealt++
	return t
}

// again draws whether a seed is played twice. It is drawn from the seed alone,
// so that slices and workers change nothing.
func again(seed uint64, share float64) bool {
	x := seed * 0x9e3779b97f4a7c15
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	return float64((x^x>>32)>>11)/(1<<53) < share
}

// book adds an ending to the tally. An error means that there is no use in going
// on.
func (r *runner) book(e ending) error {
	x := Record{
		Seed: e.task.Seed, WallMS: time.Since(r.began).Milliseconds(), TookMS: e.took.Milliseconds(),
		Peak: e.answer.Peak, Result: e.answer.Result,
	}
	var crash *Crash
	switch {
	case e.err == nil, errors.As(e.err, &crash):
	case errors.Is(e.err, context.Canceled):
		return nil // we ended it, so it says nothing
	default:
		return e.err
	}
	if crash != nil {
		x.Crash, x.Said = crash.How, crash.Said
	}
	r.done++
	if x.Result != nil {
		r.events += x.Result.Events
	}
	var err error
	if x.Broken() {
		err = r.save(&x, e.task.Plan)
	}
	r.tally.add(x)
	if r.cfg.Each != nil {
		r.cfg.Each(x)
	}
	if r.cfg.Folder != nil {
		err = errors.Join(err, r.cfg.Folder.keep(x))
	}
	return err
}

// savedPlans is how many failing plans a slice saves. Where more fail, these
// will do, and any other can be made anew from its seed.
const savedPlans = 25

const planExt = ".plan.json"

// save writes the plan of a broken seed to a file, and what a worker said that
// crashed with it to another.
func (r *runner) save(x *Record, plan []byte) error {
	if r.saved++; r.saved > savedPlans {
		return nil
	}
	dir := r.cfg.Plans
	if r.cfg.Folder != nil {
		dir = r.cfg.Folder.dir
	}
	base := filepath.Join(dir, fmt.Sprintf("%s-seed-%d", r.cfg.Name, x.Seed))
	path, err := WriteOnce(base, planExt, plan)
	if err == nil {
		x.Plan = path
	}
	if err == nil && x.Said != "" {
		said := strings.TrimSuffix(path, planExt) + ".crash.txt"
		if err = WriteNew(said, []byte(x.Said)); errors.Is(err, fs.ErrExist) {
			err = nil // the same plan has crashed before
		}
	}
	return err
}

// fail keeps the first error.
func (r *runner) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *runner) tell() {
	if r.cfg.Tell == nil {
		return
	}
	p := Progress{Done: r.done, Seeds: r.cfg.Seeds, Broken: len(r.tally.sum.Failures), Elapsed: time.Since(r.began), Left: -1, Events: r.events}
	if r.done > 0 && r.cfg.Seeds > 0 {
		p.Left = time.Duration(float64(p.Elapsed) / float64(r.done) * float64(r.cfg.Seeds-r.done))
	}
	if r.cfg.For > 0 && (p.Left < 0 || r.cfg.For-p.Elapsed < p.Left) {
		p.Left = max(0, r.cfg.For-p.Elapsed)
	}
	r.cfg.Tell(p)
}

func (r *runner) summary() *Summary {
	r.tally.wall = r.before + time.Since(r.began)
	s := r.tally.summary(r.cfg.Wanted)
	s.Scenario, s.Interrupted = r.cfg.Name, r.stopped
	return s
}
