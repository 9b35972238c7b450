package demo

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// crowd are the visitors of several subdomains. Each request comes from an address
// of its own, drawn from many, as a flood's do, and over a connection of its own.
// Like a load it is open: no request waits for another one.
type crowd struct {
	urls    []string // of the doors; each visitor takes the next one
	network [2]byte  // of the visitors' addresses, 127.A.B.0
	came    func(visit)
	client  *http.Client
	turn    atomic.Uint64

	stop   context.CancelFunc
	ctx    context.Context //nolint:containedctx // of the sending, which streams join later
	pacing sync.WaitGroup
	under  sync.WaitGroup
}

// visit is one request and what came of it.
type visit struct {
	Host   string
	Door   int // by its place in the crowd's list
	Start  time.Time
	End    time.Time
	Status int // 0: no answer
}

func (v visit) good() bool { return v.Status == http.StatusOK }
func (v visit) shed() bool { return v.Status == http.StatusTooManyRequests }

// visitorsPatience is how long a visitor waits. It is longer than that of the load,
// for this story is about being let in, and not about a lost machine.
const visitorsPatience = 5 * time.Second

// visitors is how many addresses there are. What is admitted is a fraction of the
// clients, so many of them make it exact.
const visitors = 2000

type visitorKey struct{}

// newCrowd makes a crowd without visitors; came is told of each visit when it is
// over, by several goroutines at once.
func newCrowd(ctx context.Context, urls []string, launcher netip.Addr, came func(visit)) *crowd {
	at := launcher.As4()
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	return &crowd{
		urls: urls, network: [2]byte{at[1], at[2]}, came: came, ctx: ctx, stop: stop,
		client: &http.Client{Timeout: visitorsPatience, Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				from, _ := ctx.Value(visitorKey{}).(net.IP)
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
				return d.DialContext(ctx, network, addr)
			},
		}},
	}
}

// visit sends requests for a host, so many a second, until stop or the crowd's end.
func (c *crowd) visit(host string, rate int) (stop func()) {
	ctx, cancel := context.WithCancel(c.ctx)
	every := time.Second / time.Duration(rate)
	c.pacing.Go(func() {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for due := time.Now().Add(rand.N(every)); ; due = due.Add(every) {
			timer.Reset(time.Until(due))
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			c.under.Go(func() { c.one(host) }) //nolint:contextcheck // a visit that was begun is waited for
		}
	})
	return cancel
}

// address is one visitor's.
func (c *crowd) address() net.IP {
	n := rand.IntN(visitors)
	return net.IPv4(127, c.network[0], c.network[1]+byte(1+n/200), byte(20+n%200)) // not of the member's own network
}

func (c *crowd) one(host string) {
	v := visit{Host: host, Door: int(c.turn.Add(1) % uint64(len(c.urls))), Start: time.Now()}
	v.Status = c.ask(c.urls[v.Door], host)
	v.End = time.Now()
	c.came(v)
}

// ask gives the status of the answer, 0 for none.
func (c *crowd) ask(url, host string) int {
	ctx := context.WithValue(context.Background(), visitorKey{}, c.address())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	req.Host = host
	res, err := c.client.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 4<<10)); err != nil {
		return 0
	}
	return res.StatusCode
}

// end sends nothing more and waits for the visits under way.
func (c *crowd) end() {
	c.stop()
	c.pacing.Wait()
	c.under.Wait()
}

// tenantHost is what a tenant's subdomain is called.
func tenantHost(i int) string { return fmt.Sprintf("tenant-%02d.demo.example", i+1) }
