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
// Neighbours keep what they know of an address for minutes. So they are told by a
// gratuitous ARP request, or an unsolicited neighbour advertisement, three times
// at a cutover and once more a minute: one may be lost, and a switch may be
// started anew.
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
	// Interface is the one that gets the addresses, by name.
	Interface string
	// Addresses are the slots' own, with the length of their network.
	Addresses map[member.SlotID]netip.Prefix
	// Folder keeps the marks of this boot.
	Folder string
	// AnnounceEvery is how often neighbours are told of an address that is here.
	AnnounceEvery time.Duration
}

// DefaultAnnounceEvery is shorter than neighbours forget.
const DefaultAnnounceEvery = time.Minute

// Validate lists every mistake.
func (c Config) Validate() error {
	var mistakes []error
	wrong := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	if c.Self == "" {
		wrong("self is empty")
	}
	if c.Interface == "" || len(c.Interface) > 15 {
		wrong("interface is %q, want a name of 1 to 15 characters", c.Interface)
	}
	if len(c.Addresses) == 0 {
		wrong("addresses are missing: want one for each slot")
	}
	owner := map[netip.Addr]member.SlotID{}
	for slot, a := range c.Addresses {
		switch first, taken := owner[a.Addr()]; {
		case !a.IsValid() || a.Addr().IsUnspecified() || a.Addr().IsMulticast() || a.Addr().IsLoopback():
			wrong("addresses.%s is %s, want one as in 192.0.2.10/24", slot, a)
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
	config Config

	mu        sync.Mutex // one step at a time: they are short
	announced map[member.SlotID]time.Time
}

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
	d.mu.Lock()
	defer d.mu.Unlock()
	now, err := d.look(req)
	if err != nil {
		return d.unseen(req, err, driver.Unknown)
	}
	want, answer := d.weigh(req, now)
	if answer.Outcome == driver.Done && d.here(want) {
		if err := d.announce(req.Slot, false); err != nil {
			answer.Detail += fmt.Sprintf(" (neighbours not told: %v)", err)
		}
	}
	return answer
}

// Plan says what would be done to the interface.
func (d *Driver) Plan(req driver.Request) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
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
		return d.words(req, want), nil
	}
}

func (d *Driver) words(req driver.Request, want driver.Route) string {
	if d.here(want) {
		return fmt.Sprintf("add %s to %s, marked %s, and tell the neighbours", d.config.Addresses[req.Slot], d.config.Interface, want.Mark())
	}
	return fmt.Sprintf("remove %s from %s, marked %s", d.config.Addresses[req.Slot], d.config.Interface, want.Mark())
}

// Apply marks the slot, adds or removes its address, and looks again.
func (d *Driver) Apply(ctx context.Context, req driver.Request) driver.Result {
	began := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	now, err := d.look(req)
	if err != nil {
		return d.unseen(req, err, driver.Retryable)
	}
	want, answer := d.weigh(req, now)
	switch {
	case answer.Outcome != driver.Retryable && answer.Outcome != driver.Unknown:
		return answer
	case req.DryRun:
		return driver.Done.Because("%s: would %s", req, d.words(req, want))
	}
	if err := req.TooLate(ctx, began); err != nil {
		return driver.Retryable.Because("%s: not done: %v", req, err)
	}
	if err := d.mark(want); err != nil {
		return driver.Retryable.Because("%s: not done: %v", req, err)
	}
	if err := d.bring(req.Slot, d.here(want)); err != nil {
		return driver.Unknown.Because("%s: marked, and then: %v", req, err)
	}
	if now, err = d.look(req); err != nil {
		return driver.Unknown.Because("%s: told, and then: %v", req, err)
	}
	if _, answer = d.weigh(req, now); answer.Outcome != driver.Done {
		return driver.Unknown.Because("%s: told, and read back: %s", req, answer.Detail)
	}
	if d.here(want) {
		if err := d.announce(req.Slot, true); err != nil {
			return driver.Unknown.Because("%s: the address is here, and neighbours were not told: %v", req, err)
		}
	}
	answer.Took = time.Since(began)
	return answer
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
	route   driver.Route // by its mark
	marked  bool
	present bool // the address is on the interface
}

// errSetup marks what only people can mend.
var errSetup = errors.New("this member is not set up for it")

func (d *Driver) look(req driver.Request) (state, error) {
	if err := req.Validate(); err != nil {
		return state{}, fmt.Errorf("%w: %w", errSetup, err)
	}
	address, ok := d.config.Addresses[req.Slot]
	if !ok {
		return state{}, fmt.Errorf("%w: slot %s has no address: give it one", errSetup, req.Slot)
	}
	var s state
	var err error
	if s.route, s.marked, err = d.readMark(req.Slot); err != nil {
		return state{}, err
	}
	s.present, err = d.has(address)
	return s, err
}

func (d *Driver) unseen(req driver.Request, err error, otherwise driver.Outcome) driver.Result {
	if errors.Is(err, errSetup) {
		return driver.Permanent.Because("%s: %v", req, err)
	}
	return otherwise.Because("%s: %s cannot be seen: %v", req, d.config.Interface, err)
}

// weigh holds what is here against the request. The mark says what was begun, the
// address what came of it.
func (d *Driver) weigh(req driver.Request, now state) (driver.Route, driver.Result) {
	want, answer := driver.Compare(req, now.route, now.marked)
	has := fmt.Sprintf("%s by its mark, %s is on %s: %t", now.route, d.config.Addresses[req.Slot], d.config.Interface, now.present)
	switch {
	case answer.Outcome == driver.Refused || answer.Outcome == driver.Permanent:
		return want, answer
	case answer.Outcome != driver.Done:
		return want, driver.Retryable.Because("%s: %s, want %s", req, has, want)
	case now.present != d.here(want):
		return want, driver.Unknown.Because("%s: half-way: %s", req, has)
	default:
		return want, driver.Done.Because("%s: %s", req, has)
	}
}
