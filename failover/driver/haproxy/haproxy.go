// Package haproxy is the driver of a door: it tells HAProxy, over the Runtime
// API of its admin socket, of a drain, an undrain or a cutover.
//
// Slots are servers declared beforehand in one backend, named as the slots are;
// a cutover changes the server's address, so nothing is reloaded, and added
// servers, which a reload forgets, are not needed. Beside each slot stands its
// mark in a map of HAProxy, slot epoch and occupant. The mark is set first: a
// step that ends half-way is seen, and a late copy of an older one is refused.
// configs/haproxy/slots.cfg shows what HAProxy has to be told in its own file.
//
// HAProxy answers in prose, so no answer proves anything but what is read back
// afterwards with "show servers state" and "show map".
//
// What the driver does not promise: reading the mark and setting it are two
// commands, for the Runtime API knows no condition. Two executors that act at
// the same instant are kept apart by the ledger, not here. And a HAProxy that is
// started anew or reloaded comes back with what its files say; the driver writes
// them for an instance of its own machine, and Observe tells of any other.
package haproxy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/member"
)

// Config says which HAProxy serves the slots of a pool, and as what.
type Config struct {
	// Instances are all that serve the slots; each is told and read back.
	Instances []Instance
	// Backend holds the slots, one server for each.
	Backend string
	// Map is the file of marks as HAProxy's configuration names it.
	Map string
	// KeepSessions lets clients that a cookie binds to a drained slot go on
	// using it (state drain). Without it nobody is sent there (state maint).
	KeepSessions bool
	// AnswerWithin bounds one question, so that an instance that hangs does not
	// hold up the others. An answer takes about half a millisecond.
	AnswerWithin time.Duration
	// Address is where a member serves; false for one that is not in the roster.
	Address func(member.ID) (netip.AddrPort, bool)
}

// Instance is one HAProxy.
type Instance struct {
	Name string
	// Socket is the admin socket: a path, or host:port.
	Socket string
	// StateFile is what HAProxy loads as server-state-file. Once a step is done
	// the driver writes it and the map's file, so that a restart keeps what was
	// set. It is empty for an instance on another machine.
	StateFile string
}

// DefaultAnswerWithin is patient with a busy machine.
const DefaultAnswerWithin = time.Second

// word is what may stand in a command: a space or a semicolon would begin
// something else.
var word = regexp.MustCompile(`^[A-Za-z0-9_.:/-]+$`)

// Validate lists every mistake.
func (c Config) Validate() error {
	var mistakes []error
	wrong := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	if len(c.Instances) == 0 {
		wrong("instances are missing: want the admin socket of at least one")
	}
	seen := map[string]bool{}
	for i, in := range c.Instances {
		switch {
		case in.Name == "":
			wrong("instances[%d].name is empty", i)
		case seen[in.Name]:
			wrong("instances[%d].name is %q, as another one's", i, in.Name)
		}
		seen[in.Name] = true
		if in.Socket == "" {
			wrong("instances[%d].socket is empty, want a path or host:port", i)
		}
		if in.StateFile != "" && !filepath.IsAbs(in.StateFile) {
			wrong("instances[%d].state_file is %q, want a path from the root", i, in.StateFile)
		}
		if in.StateFile != "" && !filepath.IsAbs(c.Map) {
			wrong("map is %q, want a path from the root: it is written beside %s", c.Map, in.StateFile)
		}
	}
	if !word.MatchString(c.Backend) {
		wrong("backend is %q, want a name of letters, digits and _.:-", c.Backend)
	}
	if !word.MatchString(c.Map) {
		wrong("map is %q, want a path of letters, digits and _.:/-", c.Map)
	}
	if c.AnswerWithin <= 0 {
		wrong("answer_within is %v, want more than 0s", c.AnswerWithin)
	}
	if c.Address == nil {
		wrong("address is missing: nobody says where a member serves")
	}
	return errors.Join(mistakes...)
}

// Driver tells all instances that serve a pool.
type Driver struct {
	config Config
	files  sync.Mutex // the state files and maps on this machine's disk
}

var _ driver.Driver = (*Driver)(nil)

// New drives the instances of a config.
func New(c Config) (*Driver, error) {
	if c.AnswerWithin == 0 {
		c.AnswerWithin = DefaultAnswerWithin
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("haproxy: %w", err)
	}
	return &Driver{config: c}, nil
}

// Observe is Done if every instance treats the slot as the step wants, and
// InProgress if one does and finds the occupant down by its own check. Unknown
// is an instance that is half-way, or differs from the others, or cannot be
// asked.
func (d *Driver) Observe(ctx context.Context, req driver.Request) driver.Result {
	aim, err := d.aim(req)
	if err != nil {
		return driver.Permanent.Because("%v", err)
	}
	ctx, cancel := context.WithDeadline(ctx, req.Deadline)
	defer cancel()
	looks := d.look(ctx, aim)
	return d.together(aim, looks)
}

// Plan names the commands that would be given to each instance.
func (d *Driver) Plan(req driver.Request) (string, error) {
	aim, err := d.aim(req)
	if err != nil {
		return "", fmt.Errorf("plan %w", err)
	}
	ctx, cancel := context.WithDeadline(context.Background(), req.Deadline)
	defer cancel()
	return d.plan(aim, d.look(ctx, aim))
}

// Apply gives every instance the commands that it lacks and reads back, and then
// keeps what was set beyond a restart; Took is the time until it was read back. If
// one of them knows a newer slot epoch, none is changed. One that cannot be asked
// does not keep the others from being told.
func (d *Driver) Apply(ctx context.Context, req driver.Request) driver.Result {
	began := time.Now()
	aim, err := d.aim(req)
	if err != nil {
		return driver.Permanent.Because("%v", err)
	}
	if err := req.TooLate(ctx, began); err != nil {
		return driver.Retryable.Because("%s: not done: %v", req, err)
	}
	ctx, cancel := context.WithDeadline(ctx, req.Deadline)
	defer cancel()
	looks := d.look(ctx, aim)
	if refused(looks) {
		return d.together(aim, looks)
	}
	if req.DryRun {
		return d.rehearse(aim, looks)
	}
	d.each(func(i int) { d.bring(ctx, aim, &looks[i]) })
	took := time.Since(began) // from here on clients are served as they should be; the disk may be slow
	d.each(func(i int) { d.keepFor(ctx, &looks[i]) })
	result := d.together(aim, looks)
	result.Took = took
	return result
}

// Compensate turns a drain into an undrain and back. A cutover is not taken
// back: the occupant before it is fenced.
func (d *Driver) Compensate(ctx context.Context, req driver.Request) driver.Result {
	back, err := driver.TakeBack(req)
	if err != nil {
		return driver.Refused.Because("undo %s: %v", req, err)
	}
	return d.Apply(ctx, back)
}

// aim is a request with the address that it means.
type aim struct {
	req     driver.Request
	address netip.AddrPort
}

func (d *Driver) aim(req driver.Request) (aim, error) {
	if err := req.Validate(); err != nil {
		return aim{}, fmt.Errorf("tell haproxy: %w", err)
	}
	if !word.MatchString(string(req.Slot)) {
		return aim{}, fmt.Errorf("%s: the slot's name is %q, which cannot be a server's: want letters, digits and _.:-", req, req.Slot)
	}
	address, known := d.config.Address(req.Member)
	if !known {
		// An older request may name a member that is gone: the mark refuses it.
		return aim{req: req}, nil
	}
	return aim{req: req, address: netip.AddrPortFrom(address.Addr().Unmap(), address.Port())}, nil
}

// each does something with all instances at a time.
func (d *Driver) each(do func(i int)) {
	var all sync.WaitGroup
	for i := range d.config.Instances {
		all.Go(func() { do(i) })
	}
	all.Wait()
}
