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
// and answers' times in milliseconds from when they were due.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
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

// awaitPages are the addresses of the members' pages, as soon as one of them answers.
func awaitPages(ctx context.Context, dir string) []string {
	for ctx.Err() == nil {
		pages := pagesOf(dir)
		for _, p := range pages {
			if ask(ctx, http.DefaultClient, p) == nil {
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
			out = append(out, "http://"+string(m[1])+"/")
		}
	}
	return out
}

func ask(ctx context.Context, c *http.Client, page string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", page, resp.Status)
	}
	return nil
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
}

// request is one that is due, and whom it asks first.
type request struct {
	first int
	at    time.Time
}

// askAny asks one page after the other until one answers, each once.
func askAny(ctx context.Context, c *http.Client, pages []string, first int) (tries int, err error) {
	for tries = 1; tries <= len(pages); tries++ {
		if err = ask(ctx, c, pages[(first+tries-1)%len(pages)]); err == nil {
			return tries, nil
		}
	}
	return tries, err
}

func load(ctx context.Context, pages []string, rate, workers int) result {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: workers, DisableCompression: true}}
	due := make(chan request, rate) // a load that is late catches up, and its answers are as late as they are
	var r result
	var mu sync.Mutex
	var took []time.Duration
	var asking sync.WaitGroup
	for range workers {
		asking.Go(func() {
			for x := range due {
				tries, err := askAny(context.WithoutCancel(ctx), client, pages, x.first)
				mu.Lock()
				switch {
				case err != nil:
					r.Failed++
				case tries > 1:
					r.Moved++
					fallthrough
				default:
					took = append(took, time.Since(x.at))
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
			select {
			case due <- request{sent, begin.Add(time.Duration(sent) * time.Second / time.Duration(rate))}:
			default:
				r.LeftOut++
			}
		}
	}
	close(due)
	asking.Wait()
	r.Seconds = time.Since(begin).Seconds()
	r.Answered = len(took)
	r.Rate = float64(r.Answered) / r.Seconds
	if len(took) > 0 {
		slices.Sort(took)
		r.P50 = took[len(took)/2].Seconds() * 1000
		r.P99 = took[len(took)*99/100].Seconds() * 1000
	}
	return r
}
