// Package vip is the driver of an address that moves with its slot: the member
// that holds the slot has the address on an interface of its own and says so to
// its neighbours; every other member takes it away.
//
// Each member drives its own kernel, and nothing else. A cutover to this member
// adds the address; a cutover to another one, or a drain, removes it. Beside the
// address stands the slot's mark, a file in /run: it is written first, so a step
// that ends half-way is seen, and a late copy of an older one is refused. It is
// gone after a boot, and so is the address.
//
// The mark says what was put where, and nothing else is ever taken away: an address
// that people wrote into fleet.yaml may be, by mistake, the one by which they reach
// the machine. One that is there already is an error that people are told of, on
// the occupant too, while its slot is served and before it has to move.
//
// Neighbours keep what they know of an address for minutes. So they are told by a
// gratuitous ARP request, or an unsolicited neighbour advertisement, three times
// at a cutover and once more at each later look: one may be lost, a switch may be
// started anew, and an old occupant may have been believed for a moment.
//
// What the driver does not promise: that the address is on one machine only. That
// is a fence's business; a member that is isolated keeps the address until its own
// agent hears of the cutover.
package vip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/member"
)

// Config says which addresses move, and where to.
type Config struct {
	// Self is this member.
	Self member.ID
	// Interface is the one that gets the addresses, by name; empty: for each the one
	// in whose network it is.
	Interface string
	// Addresses are the slots' own, with the length of their network.
	Addresses map[member.SlotID]netip.Prefix
	// Folder keeps the marks of this boot.
	Folder string
	// AnnounceEvery is how often neighbours are told of an address that is here.
	AnnounceEvery time.Duration
}

// DefaultAnnounceEvery is shorter than addresses are looked at: each look tells.
const DefaultAnnounceEvery = 5 * time.Second

// Validate lists every mistake.
func (c Config) Validate() error {
	var mistakes []error
	wrong := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	if c.Self == "" {
		wrong("self is empty")
	}
	if len(c.Interface) > 15 {
		wrong("interface is %q, want a name of at most 15 characters", c.Interface)
	}
	if len(c.Addresses) == 0 {
		wrong("addresses are missing: want one for each slot")
	}
	owner := map[netip.Addr]member.SlotID{}
	for slot, a := range c.Addresses {
		switch first, taken := owner[a.Addr()]; {
		case !a.IsValid() || a.Addr().IsUnspecified() || a.Addr().IsMulticast() || a.Addr().IsLoopback():
			wrong("addresses.%s is %s, want one as in 192.0.2.10", slot, a)
		case taken:
			wrong("addresses.%s is %s, as that of %s", slot, a, first)
		}
		owner[a.Addr()] = slot
	}
	if !filepath.IsAbs(c.Folder) {
		wrong("folder is %q, want a path from the root", c.Folder)
	}
	if c.AnnounceEvery <= 0 {
		wrong("announce_every is %v, want more than 0s", c.AnnounceEvery)
	}
	return errors.Join(mistakes...)
}

// Driver drives this member's interface.
type Driver struct {
	config    Config
	announced map[member.SlotID]time.Time // under machine
}

// machine lets one step be under way at a time, whichever driver does it: for a
// moment a slot may have two, of the fleet.yaml before and the one in force. Steps
// are short.
var machine sync.Mutex

var _ driver.Driver = (*Driver)(nil)

// New drives the addresses of a config.
func New(c Config) (*Driver, error) {
	if c.AnnounceEvery == 0 {
		c.AnnounceEvery = DefaultAnnounceEvery
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("vip: %w", err)
	}
	return &Driver{config: c, announced: map[member.SlotID]time.Time{}}, nil
}

// Observe is Done if mark and address are as the step wants, and Unknown if the
// mark is and the address is not. It tells the neighbours again when it is time,
// which changes nothing here.
func (d *Driver) Observe(_ context.Context, req driver.Request) driver.Result {
	machine.Lock()
	defer machine.Unlock()
	now, err := d.look(req)
	if err != nil {
		return d.unseen(req, err, driver.Unknown)
	}
	want, answer := d.weigh(req, now)
	return d.remind(req, now, want, answer)
}

// remind tells the neighbours again of an address that is here and stays, when it is
// time.
func (d *Driver) remind(req driver.Request, now state, want driver.Route, answer driver.Result) driver.Result {
	if answer.Outcome == driver.Done && d.here(want) {
		if err := d.announce(req.Slot, now.put.on, false); err != nil {
			answer.Detail += fmt.Sprintf(" (neighbours not told: %v)", err)
		}
	}
	return answer
}

// Plan says what would be done to the interface.
func (d *Driver) Plan(req driver.Request) (string, error) {
	machine.Lock()
	defer machine.Unlock()
	now, err := d.look(req)
	if err != nil {
		return "", fmt.Errorf("plan %s: %w", req, err)
	}
	want, answer := d.weigh(req, now)
	switch answer.Outcome {
	case driver.Done:
		return "nothing: " + answer.Detail, nil
	case driver.Refused, driver.Permanent:
		return "", fmt.Errorf("plan %s", answer.Detail)
	default:
		return d.words(now, want), nil
	}
}

func (d *Driver) words(now state, want driver.Route) string {
	switch {
	case d.here(want):
		return fmt.Sprintf("add %s to %s, marked %s, and tell the neighbours", now.address, now.on, want.Mark())
	case now.put == placed{}:
		return "mark the slot " + want.Mark()
	default:
		return fmt.Sprintf("remove %s from %s, marked %s", now.put.address, now.put.on, want.Mark())
	}
}

// Apply marks the slot, adds or removes its address, and looks again.
func (d *Driver) Apply(ctx context.Context, req driver.Request) driver.Result {
	began := time.Now()
	machine.Lock()
	defer machine.Unlock()
	now, err := d.look(req)
	if err != nil {
		return d.unseen(req, err, driver.Retryable)
	}
	want, answer := d.weigh(req, now)
	switch {
	case answer.Outcome != driver.Retryable && answer.Outcome != driver.Unknown:
		return d.remind(req, now, want, answer)
	case req.DryRun:
		return driver.Done.Because("%s: would %s", req, d.words(now, want))
	}
	if err := req.TooLate(ctx, began); err != nil {
		return driver.Retryable.Because("%s: not done: %v", req, err)
	}
	if err := d.mark(record{want, now.put}); err != nil {
		return driver.Retryable.Because("%s: not done: %v", req, err)
	}
	if err := d.bring(now, want); err != nil {
		return driver.Unknown.Because("%s: marked, and then: %v", req, err)
	}
	if now, err = d.look(req); err != nil {
		return driver.Unknown.Because("%s: told, and then: %v", req, err)
	}
	switch _, answer = d.weigh(req, now); answer.Outcome {
	case driver.Done:
	case driver.Permanent:
		return answer
	default:
		return driver.Unknown.Because("%s: told, and read back: %s", req, answer.Detail)
	}
	if d.here(want) {
		if err := d.announce(req.Slot, now.put.on, true); err != nil {
			return driver.Unknown.Because("%s: the address is here, and neighbours were not told: %v", req, err)
		}
	}
	answer.Took = time.Since(began)
	return answer
}

// bring takes away what is not to be here, and adds what is. What it puts is written
// down before, what it took away afterwards.
func (d *Driver) bring(now state, want driver.Route) error {
	target := now.target(d.here(want))
	if now.put != target && now.put != (placed{}) {
		if err := take(now.put); err != nil {
			return err
		}
	}
	if err := d.mark(record{want, target}); err != nil {
		return err
	}
	if target == (placed{}) {
		return nil
	}
	return give(target)
}

// Compensate turns a drain into an undrain and back. A cutover is not taken back:
// the occupant before it is fenced.
func (d *Driver) Compensate(ctx context.Context, req driver.Request) driver.Result {
	back, err := driver.TakeBack(req)
	if err != nil {
		return driver.Refused.Because("undo %s: %v", req, err)
	}
	return d.Apply(ctx, back)
}

// here reports whether a route means that this member has the address.
func (d *Driver) here(r driver.Route) bool { return r.Member == d.config.Self && !r.Drained }

// state is what this member has of a slot.
type state struct {
	record

	marked  bool
	address netip.Prefix // the slot's
	on      string       // the interface that gets it
	present bool         // what we put is there
	foreign string       // an interface on which it is, and not by us
}

// target is what is to be here.
func (s state) target(here bool) placed {
	if here {
		return placed{s.address, s.on}
	}
	return placed{}
}

// errSetup marks what only people can mend.
var errSetup = errors.New("this member is not set up for it")

func (d *Driver) look(req driver.Request) (state, error) {
	if err := req.Validate(); err != nil {
		return state{}, fmt.Errorf("%w: %w", errSetup, err)
	}
	var s state
	var ok bool
	if s.address, ok = d.config.Addresses[req.Slot]; !ok {
		return state{}, fmt.Errorf("%w: slot %s has no address: give it one", errSetup, req.Slot)
	}
	var err error
	if s.record, s.marked, err = d.readMark(req.Slot); err != nil {
		return state{}, err
	}
	all, err := addresses()
	if err != nil {
		return state{}, err
	}
	for _, a := range all {
		switch {
		case a.on == s.put.on && a.address.Addr() == s.put.address.Addr():
			s.present = true
		case a.address.Addr() == s.address.Addr():
			s.foreign = a.on
		}
	}
	if s.present && d.config.Interface == "" && s.put.address == s.address {
		s.on = s.put.on // it stays where it is
		return s, nil
	}
	if req.Member == d.config.Self && req.Step != driver.StepDrain { // else no interface is wanted
		s.on, err = d.home(s.address.Addr())
	}
	return s, err
}

func (d *Driver) unseen(req driver.Request, err error, otherwise driver.Outcome) driver.Result {
	if errors.Is(err, errSetup) {
		return driver.Permanent.Because("%s: %v", req, err)
	}
	return otherwise.Because("%s: this machine's addresses cannot be seen: %v", req, err)
}

// weigh holds what is here against the request. The mark says what was begun, the
// addresses what came of it.
func (d *Driver) weigh(req driver.Request, now state) (driver.Route, driver.Result) {
	want, answer := driver.Compare(req, now.route, now.marked)
	here := d.here(want)
	has := fmt.Sprintf("%s by its mark, %s is here: %t", now.route, now.address, now.present)
	switch {
	case answer.Outcome == driver.Refused || answer.Outcome == driver.Permanent:
		return want, answer
	case here && now.foreign != "":
		return want, driver.Permanent.Because("%s: %s is on %s, and Moonwatch did not put it there, so it would stay when the slot moves: "+
			"remove it (ip address del %s dev %s), and it is put there again within half a minute", req, now.address.Addr(), now.foreign, now.address, now.foreign)
	case answer.Outcome != driver.Done:
		return want, driver.Retryable.Because("%s: %s, want %s", req, has, want)
	case now.put != now.target(here) || now.present != here:
		return want, driver.Unknown.Because("%s: half-way: %s", req, has)
	case now.foreign != "":
		return want, driver.Permanent.Because("%s: %s is on %s, Moonwatch did not put it there and does not take it away: "+
			"remove it, for two machines may answer for it", req, now.address.Addr(), now.foreign)
	default:
		return want, driver.Done.Because("%s: %s", req, has)
	}
}
