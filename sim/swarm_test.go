package sim

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"moonwatch/consensus"
)

const (
	swarmMembers = 30
	swarmStorm   = 5 * time.Minute
	swarmSettle  = 12 * time.Minute // a budget window and a cascade's end
)

// swarm plays one seed's story and waits for calm. It reports what is still
// wrong then.
func swarm(seed uint64, verbose bool) (*World, []string, error) {
	cfg, faults := Swarm(seed, swarmMembers, swarmStorm)
	return tale(cfg, faults, verbose)
}

// tale plays a story and waits for calm.
func tale(cfg Config, faults []Fault, verbose bool) (*World, []string, error) {
	w, err := New(cfg)
	if err != nil {
		return nil, nil, err
	}
	w.Verbose = verbose
	w.Strike(faults...)
	if err := w.Run(swarmStorm); err != nil {
		return w, nil, err
	}
	var troubles []string
	for w.Now() < swarmStorm+swarmSettle {
		if err := w.Run(10 * time.Second); err != nil {
			return w, nil, err
		}
		if troubles = w.Troubles(); len(troubles) == 0 {
			break
		}
	}
	return w, troubles, w.Audit()
}

// seeds is which stories to play.
func seeds() (from, n uint64) {
	from, n = 1, 100
	if s, err := strconv.ParseUint(os.Getenv("MOONWATCH_SEEDS"), 10, 64); err == nil {
		n = s
	}
	if s, err := strconv.ParseUint(os.Getenv("MOONWATCH_FROM"), 10, 64); err == nil {
		from = s
	}
	if s, err := strconv.ParseUint(os.Getenv("MOONWATCH_SEED"), 10, 64); err == nil {
		from, n = s, 1
	}
	return from, n
}

// twice is how many of the stories are played a second time, on another number
// of processors: the bytes have to be the same.
const twice = 50

// TestNoSeedBreaksAPromise plays MOONWATCH_SEEDS (100) stories from
// MOONWATCH_FROM (1) on; MOONWATCH_SEED=N plays story N alone and tells it.
//
// A world owns the process's crypto/rand.Reader, so the stories are dealt out to
// child processes.
func TestNoSeedBreaksAPromise(t *testing.T) {
	from, n := seeds()
	if os.Getenv(workerKey) == "" && n > 1 {
		employ(t)
		return
	}
	mine, workers := worker()
	for seed := from; seed < from+n; seed++ {
		if seed%workers == mine {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { play(t, seed, seed-from < twice, n == 1) })
		}
	}
}

func play(t *testing.T, seed uint64, again, alone bool) {
	t.Helper()
	w, troubles, err := swarm(seed, alone)
	if err != nil || len(troubles) > 0 {
		t.Errorf("%v %q", err, troubles)
	}
	if alone {
		tell(t, w, seed)
	}
	if !again {
		return
	}
	processors := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(3 - min(2, processors)) // two, where one is usual, and one where there are more
	defer runtime.GOMAXPROCS(processors)
	if x, _, _ := swarm(seed, false); x.Trace() != w.Trace() {
		t.Errorf("trace %x, and %x when it is played again", w.Trace(), x.Trace())
	}
}

// workerKey is set for a child process: its number and how many there are.
const workerKey = "MOONWATCH_WORKER"

func worker() (mine, workers uint64) {
	workers = 1
	_, _ = fmt.Sscanf(os.Getenv(workerKey), "%d/%d", &mine, &workers)
	return mine, workers
}

// employ starts one child process per processor and waits for all of them.
func employ(t *testing.T) {
	workers := runtime.GOMAXPROCS(0)
	for i := range workers {
		t.Run(fmt.Sprintf("worker-%d", i), func(t *testing.T) {
			t.Parallel()
			c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestNoSeedBreaksAPromise$")
			c.Env = append(os.Environ(), "GOGC=400", fmt.Sprintf("%s=%d/%d", workerKey, i, workers))
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func tell(t *testing.T, w *World, seed uint64) {
	_, faults := Swarm(seed, swarmMembers, swarmStorm)
	for _, f := range faults {
		t.Log(f)
	}
	for _, l := range w.Lines() {
		t.Log(l)
	}
	for _, f := range w.factsOf(consensus.KindVerdict, 0) {
		t.Logf("verdict %d: %s", f.Index, f.Command.Payload)
	}
}
