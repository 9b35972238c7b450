package remote

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"moonwatch/shield/count"
	"moonwatch/shield/orders"
)

// run asks and tells until ctx ends. All orders are one goroutine's, so they come one
// after another.
func (d *Door) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer d.leave(context.WithoutCancel(ctx))
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.room.Changed():
			if !d.down { // it is told when it answers again
				d.judge(ctx, d.command(ctx, time.Now()))
			}
		case <-timer.C:
			timer.Reset(d.round(ctx))
		}
	}
}

// round is one question. It gives the time to the next one.
func (d *Door) round(ctx context.Context) time.Duration {
	began := time.Now()
	err := d.command(ctx, began)
	d.judge(ctx, err)
	took := time.Since(began)
	pause := max(d.cfg.Every-took, 0)
	if err != nil {
		pause = max(pause, min(d.cfg.AnswerWithin/4, lease/4)) // who is in trouble is not pressed
	}
	d.room.Closes(count.Tick{At: time.Now(), Every: took + pause})
	return pause
}

// command tells the program what it has to do, and books what it counted. One that
// answers that it has another set of measures is told this one at once.
func (d *Door) command(ctx context.Context, now time.Time) error {
	order := d.order(now)
	if d.last.Has == order.Set {
		order.Set = ""
	}
	if err := d.ask(ctx, order); err != nil {
		return err
	}
	if d.last.Has == d.setName() {
		return nil
	}
	if err := d.ask(ctx, d.order(now)); err != nil {
		return err
	}
	if d.last.Has != d.setName() {
		return fmt.Errorf("the door at %s does not take over what it is told: %d measures", d.cfg.Address, len(d.holds))
	}
	return nil
}

func (d *Door) setName() string { return d.life + "-" + strconv.Itoa(d.set) }

// order is what the program should be doing at a moment. A set that differs from the one
// before has another name.
func (d *Door) order(now time.Time) orders.Order {
	o := orders.Order{Lease: lease, Seed: d.seed()}
	o.Want, o.Learn = d.room.Wanted()
	var holds []orders.Hold
	for _, m := range d.room.Holds(now) {
		if sayable(m.Name) {
			holds = append(holds, orders.HoldOf(m.Name, m.Measure))
		}
	}
	if !slices.Equal(holds, d.holds) {
		d.holds = holds
		d.set++
	}
	o.Set, o.Hold = d.setName(), d.holds
	return o
}

// sayable reports that a name can stand in a line.
func sayable(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
}

func (d *Door) ask(ctx context.Context, order orders.Order) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, d.cfg.AnswerWithin)
	defer cancel()
	c, err := d.post(ctx, order.Encode())
	if err != nil {
		return fmt.Errorf("ask the door at %s: %w", d.cfg.Address, err)
	}
	d.metrics.seconds.Observe(time.Since(began).Seconds())
	d.book(c)
	return nil
}

func (d *Door) post(ctx context.Context, order []byte) (orders.Counts, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://moonwatch-door/", bytes.NewReader(order))
	if err != nil {
		return orders.Counts{}, err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	if d.cfg.Key != "" {
		req.Header.Set("Authorization", "Bearer "+d.cfg.Key)
	}
	res, err := d.client.Do(req)
	if err != nil {
		return orders.Counts{}, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(res.Body, 200)) // what it says helps people, and is not needed
		return orders.Counts{}, fmt.Errorf("it says %s: %.100q%s", res.Status, strings.TrimSpace(string(said)), hints[res.StatusCode])
	}
	return orders.ReadCounts(res.Body)
}

// hints say how people mend what only they can.
var hints = map[int]string{
	http.StatusForbidden:             ": want the key of door.key_file in agent.yaml at both ends",
	http.StatusNotFound:              ": want in door.address the place where the program listens for the agent",
	http.StatusRequestEntityTooLarge: ": want room for an order of 2 MiB, see configs/nginx/moonwatch.conf",
}

// book takes in what the program counted. What it counted while nobody looked is nobody's tick.
func (d *Door) book(c orders.Counts) {
	was := d.last
	d.last = c
	a := count.Answer{Hosts: c.Hosts, Known: c.Known, Full: c.Full}
	if was.Life == c.Life {
		a.Grown = count.Total{Asked: count.Grown(c.Asked, was.Asked), Refused: count.Grown(c.Refused, was.Refused), Served: count.Grown(c.Served, was.Served)}
		// As at the gateway: one answer in twenty, and at least three.
		busy := count.Grown(c.Busy, was.Busy)
		a.Trouble = busy >= 3 && busy*20 >= a.Grown.Asked-min(a.Grown.Asked, a.Grown.Refused)
	}
	d.room.Book(a)
}

// judge notes whether the program does as it is told, and says so when that changes.
func (d *Door) judge(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // it was not given the time to answer
	}
	text := ""
	if err != nil {
		text = err.Error()
		d.metrics.errors.Inc()
	}
	d.room.Say(text)
	switch {
	case err != nil && !d.down:
		d.metrics.up.Set(0)
		d.cfg.Log.Warn("the door does not do as it is told: its traffic passes unheld", zap.String("address", d.cfg.Address), zap.Error(err))
	case err == nil && !d.up:
		d.metrics.up.Set(1)
		d.cfg.Log.Info("the door does as it is told", zap.String("address", d.cfg.Address), zap.String("program", d.last.Program))
	}
	if err == nil {
		d.metrics.held.Set(float64(len(d.holds)))
	}
	d.up, d.down = err == nil, err != nil
}

// leave lets everybody in: who decides no more, holds nobody.
func (d *Door) leave(ctx context.Context) {
	d.room.LetIn()
	if err := d.command(ctx, time.Now()); err != nil {
		d.cfg.Log.Info("the door was left as it is: its lease ends by itself", zap.Error(err))
	}
}
