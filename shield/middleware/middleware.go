// Package middleware makes a server of your own a door of the shield: it counts the
// requests of each subdomain and, while there are more than the server can serve, lets in
// of a flooded one what is its fair share, so that the others do not feel the flood.
//
//	guard, err := middleware.New(middleware.Config{Capacity: 500})
//	if err != nil {
//		return err
//	}
//	defer guard.Close()
//	return http.ListenAndServe(":8080", guard.Wrap(handler))
//
// Alone it decides by what it counts itself. With a Socket it is led by the Moonwatch
// agent of its machine, together with all other doors of the fleet: the agent asks at the
// socket what was counted, and says what to do. Nothing waits for that, and who does not
// hear from an agent for two seconds lets everybody in.
//
// A refused request gets 429 with a Retry-After, a page for people or a problem
// (RFC 9457) for programs, and never reaches the handler. The same clients are refused
// for ten seconds, so that the others' sessions work as a whole.
package middleware

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/admit"
	"moonwatch/shield/count"
)

// Config of a guard. The zero value learns what the server can serve.
type Config struct {
	// Capacity is how many requests a second the server can serve. 0: it is learned when
	// the server first says that it has too much to do, with answers of 503; until then
	// nobody is held. The agent's fleet.yaml says it if there is a Socket.
	Capacity float64
	// Shadow decides and logs everything, and holds nobody. A good beginning.
	Shadow bool
	// Socket is the path of a unix socket that is made for the agent of this machine
	// (door.address in agent.yaml). Empty: the guard decides alone.
	Socket string
	// Hosts is how many subdomains are counted alone, at 48 bytes each; further ones are
	// counted together with their siblings. 10,000 by default.
	Hosts int
	// Client tells clients apart: a request's client is named by it. nil: by the address
	// that the connection comes from, an IPv6 one by its /64. Behind a proxy that is the
	// proxy's, and then nobody can be let in but everybody: name the header that your own
	// proxy sets, and none that clients can.
	Client func(*http.Request) string
	// Log is told who is held, and why. slog.Default() if nil.
	Log *slog.Logger
}

// Validate lists every mistake.
func (c Config) Validate() error {
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	want(c.Capacity >= 0 && c.Capacity <= math.MaxInt32, "Capacity is %v, want requests a second, or 0 to learn it", c.Capacity)
	want(c.Hosts >= 0 && c.Hosts <= 10_000_000, "Hosts is %d, want 1 to 10,000,000, or 0 for 10,000", c.Hosts)
	want(c.Socket == "" || c.Capacity == 0, "Capacity is %v and Socket is %s, want one of them: the fleet's capacity is shield.capacity in fleet.yaml", c.Capacity, c.Socket)
	want(c.Socket == "" || !c.Shadow, "Shadow is true and Socket is %s, want one of them: the fleet's is shield.mode in fleet.yaml", c.Socket)
	want(len(c.Socket) <= 107, "Socket has %d bytes, want at most 107: no unix socket has a longer path", len(c.Socket))
	return errors.Join(errs...)
}

// Guard holds flooded subdomains in front of a handler. Its methods may be called from
// any goroutine.
type Guard struct {
	cfg     Config
	counter *count.Counter
	salt    uint64
	gate    *admit.Gate
	strain  *admit.Strain

	leading sync.Mutex // what the agent says, one order at a time
	holds   holds

	stop context.CancelFunc
	done sync.WaitGroup
	shut func() error // of the socket
}

// New begins to count and to decide.
func New(cfg Config) (*Guard, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("new guard: %w", err)
	}
	if cfg.Hosts == 0 {
		cfg.Hosts = 10_000
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	var salt [8]byte
	_, _ = rand.Read(salt[:]) // it never fails
	g := &Guard{cfg: cfg, salt: binary.LittleEndian.Uint64(salt[:])}
	var err error
	if g.counter, err = count.New(count.Config{Hosts: cfg.Hosts, Salt: g.salt, Learn: cfg.Hosts}); err != nil {
		return nil, fmt.Errorf("new guard: %w", err)
	}
	var ctx context.Context
	ctx, g.stop = context.WithCancel(context.Background())
	if cfg.Socket != "" {
		err = g.listen()
	} else {
		err = g.alone(ctx)
	}
	if err != nil {
		g.stop()
		return nil, fmt.Errorf("new guard: %w", err)
	}
	return g, nil
}

// Close lets everybody in from now on, and waits for what the guard started. Handlers
// that were made by Wrap go on.
func (g *Guard) Close() error {
	g.stop()
	var err error
	if g.shut != nil {
		err = g.shut()
	}
	g.done.Wait()
	g.gate.Enforce(nil)
	return err
}

// Held says who is held at present, and why; in shadow, who would be.
func (g *Guard) Held() []shield.Measure {
	now := time.Now()
	return slices.DeleteFunc(slices.Clone(g.gate.Measures().List()), func(m shield.Measure) bool { return now.After(m.Until) })
}

// Wrap gives a handler that passes on what is let in. One guard may wrap several
// handlers of one server: they share its capacity.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host // a handler may change it
		ref := g.gate.Count(host)
		if why, held := g.gate.Judge(ref, r); why != admit.LetIn && why != admit.Would {
			ref.Refuse()
			g.gate.Refuse(w, r, why, held)
			return
		}
		a := &answer{ResponseWriter: w}
		began := time.Now()
		defer func() { // also when the handler panics; then there was no answer
			if a.status != 0 {
				g.strain.Answer(a.status)
			}
			g.gate.Answered(ref, host, a.status, time.Since(began))
		}()
		next.ServeHTTP(a, r)
		a.begins(http.StatusOK) // it has said nothing, which means this
	})
}
