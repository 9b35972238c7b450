package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// testFile is what a member writes when it tests its disk for a pool: a spare that other
// pools may borrow does several tests at once.
func testFile(pool string) string { return "self-test-" + pool + ".tmp" }

// testItself finds out what only this member can: whether it could take a slot of its
// pool. It changes nothing but a file of its own.
func (d *Daemon) testItself(ctx context.Context, e mind.DoStep) {
	pool, _ := d.mind.Ledger().Fleet().Pool(e.Pool)
	d.deeds.Go(func() {
		began := time.Now()
		done := failover.StepDone{Key: e.Key, Result: failover.ResultDone, Detail: "ready, version " + Version}
		if err := d.fit(ctx, pool, e.Deadline); err != nil {
			done.Result, done.Detail = failover.ResultFailed, strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		done.Took = time.Since(began)
		d.tell(ctx, mind.StepEnded{Done: done})
	})
}

// fit names everything for which this member should not be given a slot now.
func (d *Daemon) fit(ctx context.Context, pool member.Pool, deadline time.Time) error {
	var errs []error
	for _, action := range []string{pool.Actions.Activate, pool.Actions.Prepare, pool.Actions.Unprepare, pool.Actions.Stop, pool.Actions.Restart} {
		if action == "" {
			continue
		}
		if _, err := d.actions.Find(action); err != nil {
			errs = append(errs, err)
		}
	}
	if ahead := time.Duration(d.clockAhead.Load()); ahead.Abs() > clockWarn {
		errs = append(errs, fmt.Errorf("clock: more than %v off the councillors'", clockWarn))
	}
	disk := d.diskTests.of(filepath.Join(d.cfg.Agent.DataDir, testFile(pool.Name)))
	select {
	case <-disk.ended:
		if disk.err != nil {
			errs = append(errs, disk.err)
		}
	case <-time.After(time.Until(deadline)):
		errs = append(errs, fmt.Errorf("disk: no answer within %v", failover.TestDeadline))
	case <-ctx.Done():
		errs = append(errs, context.Cause(ctx))
	}
	return errors.Join(errs...)
}

// diskTests are the writes under way with which this member tests its disk.
type diskTests struct {
	mu       sync.Mutex
	underWay map[string]*diskTest // by file
}

// diskTest is one of them, and its error when it has ended.
type diskTest struct {
	ended chan struct{}
	err   error
}

// of gives the write of a file that is under way, or begins one. A disk that hangs hangs
// whoever writes to it, and keeps the thread: nobody waits for it longer than a test may
// take, and nobody begins another write to it.
func (t *diskTests) of(path string) *diskTest {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x := t.underWay[path]; x != nil {
		return x
	}
	x := &diskTest{ended: make(chan struct{})}
	if t.underWay == nil {
		t.underWay = make(map[string]*diskTest)
	}
	t.underWay[path] = x
	go func() {
		defer close(x.ended)
		x.err = writeTest(path)
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.underWay, path)
	}()
	return x
}

// writeTest proves that the disk takes a write and keeps it.
func writeTest(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	_, err = f.Write(make([]byte, 4096))
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close(), os.Remove(path)); err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	return nil
}
