package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
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

// pace sends at fixed times from the start. If the machine was busy it catches
// up: a request that was late still counts from when it was sent.
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
		return answer{}, fmt.Errorf("answer %s", res.Status)
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return answer{}, fmt.Errorf("answer of no service: %w", err)
	}
	return a, nil
}

// tally is how it went so far. A request that is under way counts as sent and
// not as failed.
type tally struct {
	Requests int
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

func (l *load) tally() tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	return tally{Requests: l.sent, Failed: append([]failure(nil), l.failed...)}
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
