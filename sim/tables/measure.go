package tables

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Measurement plays a slice in child processes.
type Measurement struct {
	Slice
	Results string // a file of JSON lines: what stands there is not played again; empty: none
	// Child makes the command that plays worker i's part and writes rows to its
	// standard output, one JSON line each.
	Child    func(ctx context.Context, i int) *exec.Cmd
	Progress io.Writer // for people
}

// Run plays what is not done yet, writes each row to the results and to out as
// it comes, and gives back everything that the results hold then.
func (m Measurement) Run(ctx context.Context, out io.Writer) (done Results, err error) {
	done, err = m.load()
	if err != nil {
		return done, err
	}
	if m.Results != "" {
		f, failed := os.OpenFile(m.Results, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if failed != nil {
			return done, fmt.Errorf("results: %w", failed)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		out = io.MultiWriter(f, out)
	}
	err = m.employ(ctx, &done, out)
	return done, err
}

// employ lets the children play and takes in what they say.
func (m Measurement) employ(ctx context.Context, done *Results, out io.Writer) error {
	p := newProgress(m, *done)
	var (
		lock sync.Mutex // of all below
		errs error
		wait sync.WaitGroup
	)
	take := func(line []byte) {
		lock.Lock()
		defer lock.Unlock()
		var row Row
		if err := json.Unmarshal(line, &row); err != nil {
			errs = errors.Join(errs, fmt.Errorf("row %q: %w", line, err))
			return
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			errs = errors.Join(errs, err)
		}
		done.Put(row)
		p.played()
	}
	for i := range m.Workers {
		wait.Go(func() {
			lines := &lineWriter{take: take}
			c := m.Child(ctx, i)
			c.Stdout, c.Stderr = lines, lines // the same one: they are written by turns
			if err := c.Run(); err != nil {
				lock.Lock()
				defer lock.Unlock()
				errs = errors.Join(errs, fmt.Errorf("worker %d: %w\n%s", i, err, lines.rest.String()))
			}
		})
	}
	wait.Wait()
	p.end()
	return errs
}

// load reads the results of earlier slices.
func (m Measurement) load() (Results, error) {
	var done Results
	if m.Results == "" {
		return done, nil
	}
	b, err := os.ReadFile(m.Results)
	if errors.Is(err, os.ErrNotExist) {
		return done, nil
	}
	if err != nil {
		return done, fmt.Errorf("results: %w", err)
	}
	if n := bytes.LastIndexByte(b, '\n') + 1; n < len(b) {
		// What a killed writer left must not run into the next line.
		if err := os.Truncate(m.Results, int64(n)); err != nil {
			return done, fmt.Errorf("results: %w", err)
		}
	}
	return done, done.ReadResults(bytes.NewReader(b))
}

// lineWriter hands over rows line by line and keeps the rest, for a child that
// fails.
type lineWriter struct {
	take func([]byte)
	part []byte
	rest bytes.Buffer
}

func (l *lineWriter) Write(p []byte) (int, error) {
	l.part = append(l.part, p...)
	for {
		n := bytes.IndexByte(l.part, '\n')
		if n < 0 {
			return len(p), nil
		}
		if line := bytes.Clone(l.part[:n]); len(line) > 0 && line[0] == '{' {
			l.take(line)
		} else {
			l.rest.Write(l.part[:n+1])
		}
		l.part = l.part[n+1:]
	}
}

// progress says how far a measurement is, every few seconds.
type progress struct {
	to          io.Writer
	began, told time.Time
	total, done int
	before      int // done by earlier slices
}

const tellEvery = 5 * time.Second

func newProgress(m Measurement, done Results) *progress {
	p := &progress{to: m.Progress, began: time.Now()}
	for _, j := range m.Jobs() {
		p.total++
		if done.Has(j.Setting.ID, j.Seed) {
			p.before++
		}
	}
	p.told = p.began
	return p
}

func (p *progress) played() {
	p.done++
	if now := time.Now(); now.Sub(p.told) >= tellEvery {
		p.told = now
		p.tell()
	}
}

func (p *progress) tell() {
	spent := time.Since(p.began)
	left := time.Duration(0)
	if p.done > 0 {
		left = spent / time.Duration(p.done) * time.Duration(p.total-p.before-p.done)
	}
	fmt.Fprintf(p.to, "%d of %d worlds after %v, about %v left\n",
		p.before+p.done, p.total, spent.Round(time.Second), left.Round(time.Second))
}

func (p *progress) end() {
	fmt.Fprintf(p.to, "%d of %d worlds are done, %d of them now, in %v\n",
		p.before+p.done, p.total, p.done, time.Since(p.began).Round(time.Second))
}
