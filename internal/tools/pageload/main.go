// Command pageload asks the pages of a demo's fleet for themselves, so many times a
// second, until it is told to end; scripts/bench-page.sh runs it beside a fault.
//
//	pageload -dir FOLDER -rate 5000
//
// It waits for the first member's page, and then asks all members' pages by turns, each
// request at its own time whether the one before is answered or not. Whom a page refuses
// asks the next one, as behind any balancer. When it gets SIGINT or SIGTERM it prints one
// JSON object: requests that were answered in time, how many of them by another page than
// they asked first (a member that is gone answers nothing), those that nobody answered,
// those that were left out because a second's worth of them waited for a connection,
// answers' times in milliseconds from when they were due, and the processor time that the
// load itself took of the machine, which it shares with the fleet. The fleet ends before the
// load is told to: what was due after the last request that was answered counts for nothing.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"time"
)

func main() {
	dir := flag.String("dir", "", "the demo's folder")
	rate := flag.Int("rate", 5000, "requests a second, of all pages together, at least 1")
	workers := flag.Int("workers", 64, "connections at once")
	flag.Parse()
	if *rate < 1 || *workers < 1 {
		fmt.Fprintln(os.Stderr, "pageload: -rate and -workers want at least 1")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	pages := awaitPages(ctx, *dir)
	if len(pages) == 0 {
		fmt.Fprintln(os.Stderr, "pageload: no page in", *dir)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(load(ctx, pages, *rate, *workers)); err != nil {
		os.Exit(1)
	}
}

// awaitPages are the addresses (host and port) of the members' pages, as soon as one of them answers.
func awaitPages(ctx context.Context, dir string) []string {
	for ctx.Err() == nil {
		pages := pagesOf(dir)
		if a := newAsker(pages); len(pages) > 0 {
			_, err := a.askAny(ctx, 0)
			a.close()
			if err == nil {
				return pages
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

var door = regexp.MustCompile(`(?m)^http: *(\S+)`)

func pagesOf(dir string) []string {
	files, err := filepath.Glob(filepath.Join(dir, "members", "*", "agent.yaml"))
	if err != nil {
		return nil
	}
	var out []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if m := door.FindSubmatch(b); err == nil && m != nil {
			out = append(out, string(m[1]))
		}
	}
	return out
}

type result struct {
	Seconds  float64 `json:"seconds"`
	Answered int     `json:"answered"`
	Moved    int     `json:"moved"`
	Failed   int     `json:"failed"`
	LeftOut  int     `json:"left_out"`
	Rate     float64 `json:"rate"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	Own      float64 `json:"own_cpu_seconds"`
}

// request is one that is due, and whom it asks first.
type request struct {
	first int
	at    time.Time
}

func load(ctx context.Context, pages []string, rate, workers int) result {
	due := make(chan request, rate) // a load that is late catches up, and its answers are as late as they are
	var r result
	var mu sync.Mutex
	var took []time.Duration
	var last time.Time // the due time of the last request that was answered
	var failed, leftOut []time.Time
	var asking sync.WaitGroup
	for range workers {
		asking.Go(func() {
			a := newAsker(pages)
			defer a.close()
			for x := range due {
				tries, err := a.askAny(ctx, x.first)
				mu.Lock()
				switch {
				case err != nil:
					failed = append(failed, x.at)
				case tries > 1:
					r.Moved++
					fallthrough
				default:
					took = append(took, time.Since(x.at))
					if x.at.After(last) {
						last = x.at
					}
				}
				mu.Unlock()
			}
		})
	}
	begin := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	sent := 0
	for ctx.Err() == nil {
		<-tick.C
		for want := int(time.Since(begin).Seconds() * float64(rate)); sent < want; sent++ {
			x := request{sent, begin.Add(time.Duration(sent) * time.Second / time.Duration(rate))}
			select {
			case due <- x:
			default:
				leftOut = append(leftOut, x.at)
			}
		}
	}
	close(due)
	asking.Wait()
	r.Own = processorTime().Seconds()
	r.Answered = len(took)
	r.Failed, r.LeftOut = upTo(last, failed), upTo(last, leftOut)
	if r.Answered == 0 {
		return r
	}
	r.Seconds = max(last.Sub(begin), time.Second/time.Duration(rate)).Seconds()
	r.Rate = float64(r.Answered) / r.Seconds
	slices.Sort(took)
	r.P50 = took[len(took)/2].Seconds() * 1000
	r.P99 = took[len(took)*99/100].Seconds() * 1000
	return r
}

// upTo is how many of those times are not after the last one.
func upTo(last time.Time, times []time.Time) (n int) {
	for _, t := range times {
		if !t.After(last) {
			n++
		}
	}
	return n
}

// processorTime is what this process has taken of processors.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
