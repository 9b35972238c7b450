package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// The load is open: each request goes out at its own time, whatever became of
// those before it, as visitors do. 200 a second is what the promises speak of.
const (
	loadRate    = 200
	loadTimeout = 2 * time.Second
)

// load sends steady requests through the gateway and counts.
type load struct {
	url    string
	every  time.Duration
	client *http.Client
	heard  func(start, at time.Time, a answer) // each good answer; must not block

	stop     context.CancelFunc
	pacing   sync.WaitGroup
	requests sync.WaitGroup

	mu     sync.Mutex
	sent   int
	unsent int // because this machine stood still when it was their time
	failed []failure
}

// failure is one request that its visitor would have noticed.
type failure struct {
	start time.Time
	err   error
}

// startLoad begins at once and goes on until end, also after ctx: who counts
// failures must not make them.
func startLoad(ctx context.Context, url string, rate int, timeout time.Duration, heard func(start, at time.Time, a answer)) *load {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &load{
		url: url, every: time.Second / time.Duration(rate), heard: heard, stop: stop,
		client: &http.Client{Timeout: timeout, Transport: &http.Transport{
			DialContext: (&net.Dialer{Timeout: timeout}).DialContext,
			// As many as can be under way, so that connections are kept alive
			// through the worst two seconds.
			MaxIdleConnsPerHost: rate * int(timeout/time.Second+1), IdleConnTimeout: 10 * time.Second,
		}},
	}
	l.pacing.Go(func() { l.pace(ctx) })
	return l
}

// stoodStill is how late a request's time may come before it is this machine that
// stood still, and not merely busy.
const stoodStill = 50 * time.Millisecond

// pace sends at fixed times from the start, and catches up if the machine was busy.
// If it stood still, what was missed is left out: a launcher that was starved for a
// second and then sends two hundred requests at one moment, each over a connection
// of its own, starves itself for the next one, and what its visitors lose in that
// is no failure of the fleet. It is counted, and told.
func (l *load) pace(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for due := time.Now(); ; due = due.Add(l.every) {
		timer.Reset(time.Until(due))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if late := time.Since(due); late > stoodStill {
			due = due.Add(late.Truncate(l.every))
			l.mu.Lock()
			l.unsent += int(late / l.every)
			l.mu.Unlock()
		}
		l.requests.Go(l.one)
	}
}

// one sends a request and books it. It is not bound to the load's end: a
// request that was sent is waited for, since whoever cuts it makes a failure.
func (l *load) one() {
	start := time.Now()
	l.mu.Lock()
	l.sent++
	l.mu.Unlock()
	a, err := l.ask()
	if err != nil {
		l.mu.Lock()
		l.failed = append(l.failed, failure{start, err})
		l.mu.Unlock()
		return
	}
	l.heard(start, time.Now(), a)
}

func (l *load) ask() (answer, error) {
	res, err := l.client.Get(l.url) //nolint:noctx // the client's time-out bounds it, and nothing else may cut it
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err != nil {
		return answer{}, err
	}
	if res.StatusCode != http.StatusOK {
		return answer{}, refusal(res.Status, body)
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return answer{}, fmt.Errorf("answer of no service: %w", err)
	}
	return a, nil
}

// refusal is an answer that is no good one, with what the gateway says about it.
func refusal(status string, body []byte) error {
	var problem struct {
		Title string `json:"title"`
	}
	if err := json.Unmarshal(body, &problem); err != nil || problem.Title == "" {
		return fmt.Errorf("answer %s", status)
	}
	return fmt.Errorf("answer %s: %s", status, problem.Title)
}

// tally is how it went so far. A request that is under way counts as sent and
// not as failed.
type tally struct {
	Requests int
	Unsent   int       // left out because this machine stood still
	Failed   []failure // in the order in which they were noticed
}

// since counts the failures of requests that began after t.
func (t tally) since(at time.Time) int {
	n := 0
	for _, f := range t.Failed {
		if f.start.After(at) {
			n++
		}
	}
	return n
}

// reason is why some requests failed, and when the first and the last of them were sent.
type reason struct {
	what        string
	n           int
	first, last time.Time
}

// reasons sums the failures up, the most frequent reason first.
func (t tally) reasons() []reason {
	known := map[string]int{}
	var all []reason
	for _, f := range t.Failed {
		err := f.err
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // the address is the same for all
		}
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = fmt.Errorf("%s: %w", op.Op, op.Err) // without the ports, which never are
		}
		at, ok := known[err.Error()]
		if !ok {
			at = len(all)
			known[err.Error()] = at
			all = append(all, reason{what: err.Error(), first: f.start, last: f.start})
		}
		r := &all[at]
		r.n++
		if f.start.Before(r.first) {
			r.first = f.start
		}
		if f.start.After(r.last) {
			r.last = f.start
		}
	}
	slices.SortStableFunc(all, func(a, b reason) int { return b.n - a.n })
	return all
}

func (l *load) tally() tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	return tally{Requests: l.sent, Unsent: l.unsent, Failed: append([]failure(nil), l.failed...)}
}

// end stops sending, waits for the requests under way (at most their time-out)
// and gives the final count.
func (l *load) end() tally {
	l.stop()
	l.pacing.Wait()
	l.requests.Wait()
	l.client.CloseIdleConnections()
	return l.tally()
}
