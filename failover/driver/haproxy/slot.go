package haproxy

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"moonwatch/failover/driver"
	"moonwatch/member"
)

// The bits of srv_admin_state by which HAProxy keeps requests from a server,
// set by command, by a tracked server or by a resolver. The other bits tell
// where a state came from.
const (
	inMaintenance = 0x01 | 0x02 | 0x20 | 0x40
	inDrain       = 0x08 | 0x10
)

// slot is what one instance has for a slot.
type slot struct {
	route   driver.Route // by its mark
	marked  bool
	address netip.AddrPort // zero for a server that has none yet
	admin   uint64
	up      bool // or not checked
	named   bool // declared by name: only then the state file brings its address back
}

// read looks a slot up, server and mark in one question.
func (d *Driver) read(ctx context.Context, in Instance, id member.SlotID) (slot, error) {
	answer, err := d.ask(ctx, in, "show servers state "+d.config.Backend+"; show map "+d.config.Map)
	if err != nil {
		return slot{}, err
	}
	servers, rest, whole := section(answer)
	marks, rest, whole2 := section(rest)
	if !whole || !whole2 || rest != "" {
		return slot{}, fmt.Errorf("the answer %.40q is not whole", answer)
	}
	s, err := parseServer(servers, id)
	if err != nil {
		return slot{}, err
	}
	return s, s.parseMark(marks, id)
}

// section cuts off the lines up to the next empty one, which ends an answer.
func section(text string) (lines []string, rest string, whole bool) {
	for {
		line, after, found := strings.Cut(text, "\n")
		if !found {
			return lines, text, false
		}
		if line == "" {
			return lines, after, true
		}
		lines, text = append(lines, line), after
	}
}

func parseServer(lines []string, id member.SlotID) (slot, error) {
	if len(lines) < 2 || lines[0] != "1" || !strings.HasPrefix(lines[1], "# ") {
		return slot{}, fmt.Errorf("the answer is no server state of version 1: %.80q", lines)
	}
	columns := strings.Fields(lines[1])[1:]
	for _, line := range lines[2:] {
		values := strings.Fields(line)
		if len(values) != len(columns) {
			return slot{}, fmt.Errorf("a server state has %d columns, want %d", len(values), len(columns))
		}
		value := func(name string) string {
			if i := slices.Index(columns, name); i >= 0 {
				return values[i]
			}
			return ""
		}
		if value("srv_name") != string(id) {
			continue
		}
		admin, err1 := strconv.ParseUint(value("srv_admin_state"), 10, 32)
		op, err2 := strconv.ParseUint(value("srv_op_state"), 10, 32)
		port, err3 := strconv.ParseUint(value("srv_port"), 10, 16)
		if err1 != nil || err2 != nil || err3 != nil {
			return slot{}, fmt.Errorf("the state of server %s is not understood: %.80q", id, line)
		}
		s := slot{admin: admin, up: op != 0, named: value("srv_fqdn") != "-"}
		if addr, err := netip.ParseAddr(value("srv_addr")); err == nil {
			s.address = netip.AddrPortFrom(addr, uint16(port))
		}
		return s, nil
	}
	return slot{}, fmt.Errorf("%w: the backend has no server %s: declare one", errSetup, id)
}

// parseMark reads the slot's line of the map. Should two executors have added
// one at the same time, the newer one holds.
func (s *slot) parseMark(lines []string, id member.SlotID) error {
	for _, line := range lines {
		fields := strings.Fields(line) // a reference, the key, the value
		if len(fields) != 3 {
			return fmt.Errorf("a line of the map is not understood: %.80q", line)
		}
		if fields[1] != string(id) {
			continue
		}
		route, err := driver.ParseMark(id, fields[2])
		if err != nil {
			return fmt.Errorf("%w: %w", errSetup, err)
		}
		if !s.marked || route.SlotEpoch > s.route.SlotEpoch {
			s.route, s.marked = route, true
		}
	}
	return nil
}

// drained reports whether requests are kept from the slot.
func (s slot) drained(keepSessions bool) bool {
	if keepSessions {
		return s.admin&(inMaintenance|inDrain) != 0
	}
	return s.admin&inMaintenance != 0
}

func (s slot) serves() bool { return s.admin&(inMaintenance|inDrain) == 0 }

// has reports whether the slot is treated as its mark should say.
func (s slot) has(want driver.Route, address netip.AddrPort, keepSessions bool) bool {
	if s.address != address {
		return false
	}
	if want.Drained {
		return s.drained(keepSessions)
	}
	return s.serves()
}

// String reads as part of a sentence.
func (s slot) String() string {
	state := "serving"
	switch {
	case s.admin&inMaintenance != 0:
		state = "in maintenance"
	case s.admin&inDrain != 0:
		state = "in drain"
	case !s.up:
		state = "serving, but down by its check"
	}
	return fmt.Sprintf("%s by its mark, %s %s", s.route, s.address, state)
}

// commands are what brings a slot to want, in an order that can be cut off
// anywhere: the mark first, and no request between two occupants.
func (d *Driver) commands(now slot, want driver.Route, address netip.AddrPort) []string {
	var list []string
	give := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	server := d.config.Backend + "/" + string(want.Slot)
	switch {
	case !now.marked:
		give("add map %s %s %s", d.config.Map, want.Slot, want.Mark())
	case now.route != want:
		give("set map %s %s %s", d.config.Map, want.Slot, want.Mark())
	}
	if now.address != address {
		if now.admin&inMaintenance == 0 {
			give("set server %s state maint", server)
			now.admin |= inMaintenance
		}
		give("set server %s addr %s port %d", server, address.Addr(), address.Port())
	}
	switch {
	case !want.Drained && !now.serves():
		give("set server %s state ready", server)
	case want.Drained && !now.drained(d.config.KeepSessions) && d.config.KeepSessions:
		give("set server %s state drain", server)
	case want.Drained && !now.drained(d.config.KeepSessions):
		give("set server %s state maint", server)
	}
	return list
}
