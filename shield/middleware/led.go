package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/admit"
	"moonwatch/shield/count"
	"moonwatch/shield/orders"
)

// holds is what the agent has said last.
type holds struct {
	life string // of this guard's counters
	set  string // the agent's name of the measures
	list []orders.Hold

	told map[string]int // who is told of, and for how many more answers
}

// Who was asked for much, or has become known, is told of for as many answers as there are
// in a second: what came last is told, too. No more than mostTold at once.
const (
	toldFor  = 10
	mostTold = 1024
)

// listen makes the socket at which the agent asks and says what to do.
func (g *Guard) listen() error {
	g.gate, g.strain = admit.New(admit.Config{Counter: g.counter, Client: g.cfg.Client}), new(admit.Strain)
	l, err := listenAt(g.cfg.Socket)
	if err != nil {
		return err
	}
	g.holds.life, g.holds.told = strconv.FormatUint(g.salt, 36), map[string]int{}
	server := &http.Server{
		Handler: http.HandlerFunc(g.obey), ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(g.cfg.Log.Handler(), slog.LevelDebug),
	}
	g.done.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			g.cfg.Log.Error("the shield's socket is closed: everybody is let in", slog.Any("error", err))
		}
	})
	g.shut = server.Close
	return nil
}

// listenAt listens at a path, also if a process that crashed has left its socket there.
// Of the machine's users, this one and its group may connect.
func listenAt(path string) (net.Listener, error) {
	ctx := context.Background()
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if errors.Is(err, syscall.EADDRINUSE) {
		var other net.Conn
		if other, err = new(net.Dialer).DialContext(ctx, "unix", path); err == nil {
			other.Close()
			return nil, fmt.Errorf("listen at %s: another process does, want a path of this one's own", path)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fmt.Errorf("listen at %s: %w", path, err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSocket {
			return nil, fmt.Errorf("listen at %s: something else is there, want a free path", path)
		}
		if err = os.Remove(path); err != nil {
			return nil, fmt.Errorf("listen at %s: remove what is left there: %w", path, err)
		}
		l, err = new(net.ListenConfig).Listen(ctx, "unix", path)
	}
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// obey takes an order and answers with what was counted.
func (g *Guard) obey(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "want a POST with an order of a moonwatch agent", http.StatusMethodNotAllowed)
		return
	}
	order, err := orders.ReadOrder(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	counts := g.carryOut(time.Now(), order)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(counts.Encode()) // an agent that is gone needs no answer
}

func (g *Guard) carryOut(now time.Time, order orders.Order) orders.Counts {
	g.leading.Lock()
	defer g.leading.Unlock()
	h := &g.holds
	if order.Set != "" && order.Set != h.set {
		h.set, h.list = order.Set, order.Hold
		g.cfg.Log.Debug("the agent holds", slog.Int("subdomains", len(h.list)))
	}
	g.gate.Choose(order.Seed)
	var list []shield.Measure
	for _, hold := range h.list {
		if key, ok := g.keyOf(hold.Name); ok {
			list = append(list, hold.Measure(key, now.Add(order.Lease)))
		}
	}
	g.gate.Enforce(shield.NewMeasures(list))
	total, hot := g.counter.Rotate(order.Learn)
	counts := orders.Counts{
		Program: "moonwatch/shield/middleware", Life: h.life, Has: h.set,
		Asked: total.Asked, Refused: total.Refused, Served: total.Served, Busy: g.strain.Busy(),
		Known: g.counter.Known(), Full: g.counter.Full(),
	}
	lately := make(map[string]uint64, len(hot))
	for _, x := range hot {
		if x.Name == "" || x.Key == shield.Nameless {
			x.Name = "-"
		}
		lately[x.Name] = x.Asked
		g.tell(x.Name)
	}
	for more := true; more; {
		select {
		case host := <-g.gate.Learned():
			g.tell(host)
		default:
			more = false
		}
	}
	for _, name := range order.Want {
		g.tell(name)
	}
	for name, left := range h.told {
		if h.told[name] = left - 1; left <= 1 {
			delete(h.told, name)
		}
		if key, ok := g.keyOf(name); ok {
			x := g.counter.Read(key)
			counts.Hosts = append(counts.Hosts, count.Reading{Name: name, Asked: uint64(x.Total), Refused: uint64(x.Refused), Lately: max(x.Asked, lately[name])})
		}
	}
	return counts
}

func (g *Guard) tell(name string) {
	if _, is := g.holds.told[name]; is || len(g.holds.told) < mostTold {
		g.holds.told[name] = toldFor
	}
}

// keyOf is under which key a subdomain of the agent's is counted here.
func (g *Guard) keyOf(name string) (shield.Key, bool) {
	if name == "-" {
		return shield.Nameless, true
	}
	plain, bucket := strings.CutPrefix(name, "*")
	if bucket {
		plain = "x" + plain
	}
	normal, ok := shield.Normalise(make([]byte, 0, shield.HostRoom), plain)
	if !ok {
		return 0, false
	}
	if bucket {
		return shield.ParentKeyOf(g.salt, normal)
	}
	return shield.KeyOf(g.salt, normal), true
}
