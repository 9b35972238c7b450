package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
	// A disk that hangs hangs whoever writes to it: nobody waits for it longer than
	// the test may take.
	wrote := make(chan error, 1)
	go func() { wrote <- writeTest(filepath.Join(d.cfg.Agent.DataDir, testFile(pool.Name))) }()
	select {
	case err := <-wrote:
		if err != nil {
			errs = append(errs, err)
		}
	case <-time.After(time.Until(deadline)):
		errs = append(errs, fmt.Errorf("disk: no answer within %v", failover.TestDeadline))
	case <-ctx.Done():
		errs = append(errs, context.Cause(ctx))
	}
	return errors.Join(errs...)
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
