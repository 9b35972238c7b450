package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"moonwatch/failover"
	"moonwatch/internal/client"
	"moonwatch/member"
	"moonwatch/status"
)

func (x *moving) vacate(ctx context.Context, name string) error {
	agent, page, s, err := x.begin(ctx, name, true)
	if err != nil {
		return err
	}
	defer agent.Close()
	if s.Occupant == "" {
		return withCode(exitRefused, fmt.Errorf("%s is vacant already", s.ID))
	}
	p := failover.VacateOrdered{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch, Reason: x.reason}
	if x.dryRun {
		return x.rehearse(ctx, agent, "vacate", p)
	}
	o, err := x.send(ctx, agent, page, failover.KindVacated, p)
	if err != nil {
		return err
	}
	next := fmt.Sprintf("Take it out of fleet.yaml and 'moonwatch apply' that, or 'moonwatch fill %s'.", s.ID)
	if x.detach {
		return x.tell(o, fmt.Sprintf("%s is vacant since fact %d, and %s is told to stop it. %s", s.ID, o.Fact, s.Occupant, next))
	}
	fmt.Fprintf(x.app.errw, "%s is vacant since fact %d; waiting until %s has stopped it\n", s.ID, o.Fact, s.Occupant)
	if err := x.stopped(ctx, agent, s.ID, s.Occupant); err != nil {
		return err
	}
	return x.tell(o, fmt.Sprintf("%s is vacant, and stopped on %s. %s", s.ID, s.Occupant, next))
}

// stopped waits until a member has said that it stopped a slot that it has no more. An
// agent that restarts meanwhile is asked again.
func (x *moving) stopped(ctx context.Context, agent *client.Client, slot member.SlotID, former member.ID) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		a, err := agent.Get(ctx, client.PageDocument)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("no longer waiting: %s stays vacant, and %s stops it; 'moonwatch explain %s' tells how far that is", slot, former, former)
		case err == nil && !has(a.Page, slot, former):
			return nil
		case err != nil && !errors.Is(err, client.ErrUnreachable) && !errors.Is(err, client.ErrStarting):
			return err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// has reports that a member holds a slot, or may still run it.
func has(page status.Page, slot member.SlotID, id member.ID) bool {
	return slices.ContainsFunc(page.Slots, func(s status.Slot) bool { return s.ID == slot && s.Occupant == id }) ||
		slices.ContainsFunc(page.Members, func(m status.Member) bool { return m.ID == id && slices.Contains(m.Leftover, slot) })
}

func (x *moving) fill(ctx context.Context, name string) error {
	agent, page, s, err := x.begin(ctx, name, true)
	if err != nil {
		return err
	}
	defer agent.Close()
	p := failover.FillOrdered{Slot: s.ID, Epoch: s.Epoch, Reason: x.reason}
	if x.dryRun {
		return x.rehearse(ctx, agent, "fill", p)
	}
	o, err := x.send(ctx, agent, page, failover.KindFilled, p)
	if err != nil {
		return err
	}
	return x.tell(o, fmt.Sprintf("%s is filled since fact %d: 'moonwatch slots' shows by whom, and when it serves.", s.ID, o.Fact))
}
