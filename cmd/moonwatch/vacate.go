package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	next := fmt.Sprintf("%s 'moonwatch fill %s' gives it away again.", leaving(page, s), s.ID)
	if x.detach {
		return x.tell(o, fmt.Sprintf("%s is vacant since fact %d, and %s is told to stop it. %s", s.ID, o.Fact, s.Occupant, next))
	}
	fmt.Fprintf(x.app.errw, "%s is vacant since fact %d; waiting until %s has stopped it\n", s.ID, o.Fact, s.Occupant)
	if err := x.stopped(ctx, agent, s.ID, s.Occupant); err != nil {
		return err
	}
	return x.tell(o, fmt.Sprintf("%s is vacant, and stopped on %s. %s", s.ID, s.Occupant, next))
}

// leaving says how a vacant slot leaves the fleet: fleet.yaml says how many slots of a name
// there are, so the one with the highest number goes first.
func leaving(page *status.Page, s status.Slot) string {
	name, number := slotNumber(s.ID)
	last, highest := s.ID, number
	for _, x := range page.Slots {
		if n, i := slotNumber(x.ID); x.Pool == s.Pool && n == name && i > highest {
			last, highest = x.ID, i
		}
	}
	if last == s.ID {
		return fmt.Sprintf("It leaves the fleet with a fleet.yaml that wants %s: %d.", name, number)
	}
	return fmt.Sprintf("fleet.yaml counts the slots %s-N, so %s has to leave the fleet before it.", name, last)
}

// slotNumber is a slot's name without its number, and the number.
func slotNumber(id member.SlotID) (name string, number int) {
	i := strings.LastIndexByte(string(id), '-')
	if number, err := strconv.Atoi(string(id[i+1:])); i > 0 && err == nil {
		return string(id[:i]), number
	}
	return string(id), 0
}

// stopped waits until a member has said that it stopped a slot that it has no more.
func (x *moving) stopped(ctx context.Context, agent *client.Client, slot member.SlotID, former member.ID) error {
	goesOn := fmt.Errorf("no longer waiting: %s stays vacant, and %s stops it; 'moonwatch explain %s' tells how far that is", slot, former, former)
	return askUntil(ctx, agent, client.PageDocument, goesOn, func(page status.Page) (bool, error) {
		return !has(page, slot, former), nil
	})
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
