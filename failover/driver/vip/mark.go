package vip

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"moonwatch/failover/driver"
	"moonwatch/internal/whole"
	"moonwatch/member"
)

// record is what is kept of a slot, beside its address: how it is to be treated,
// and what was put where. It stands in memory: after a boot it is gone, and so is
// the address.
type record struct {
	route driver.Route
	put   placed // zero: nothing is here that is ours
}

// placed is an address that this driver put on an interface. Any other one is
// people's, and is not touched.
type placed struct {
	address netip.Prefix
	on      string
}

// markEnd ends the names of the files of marks. Beside a mark that names an interface
// stands a file with its number, which it keeps when it is renamed; a build that does
// not know that file reads the mark as ever.
const (
	markEnd = ".vip"
	linkEnd = ".link"
)

func (d *Driver) markPath(slot member.SlotID) string {
	return filepath.Join(d.config.Folder, url.PathEscape(string(slot))+markEnd)
}

// mark writes down what this member is about to do.
func (d *Driver) mark(r record) error {
	if err := os.MkdirAll(d.config.Folder, 0o755); err != nil {
		return fmt.Errorf("mark slot: %w", err)
	}
	return r.write(d.markPath(r.route.Slot))
}

func (r record) write(path string) error {
	text := r.route.Mark() + "\n"
	if r.put != (placed{}) {
		text += fmt.Sprintf("put %s %s\n", r.put.address, r.put.on)
		if err := r.put.number(path); err != nil {
			return fmt.Errorf("mark slot: %w", err)
		}
	}
	if err := whole.ReplaceForNow(path, []byte(text), 0o644); err != nil { // in memory: gone with a boot, like the address
		return fmt.Errorf("mark slot: %w", err)
	}
	return nil
}

func (d *Driver) readMark(slot member.SlotID) (record, bool, error) {
	return readMark(d.markPath(slot), slot)
}

func readMark(path string, slot member.SlotID) (record, bool, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, false, nil
	}
	if err != nil {
		return record{}, false, fmt.Errorf("read mark: %w", err)
	}
	mark, rest, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	r := record{}
	if r.route, err = driver.ParseMark(slot, mark); err != nil {
		return record{}, false, fmt.Errorf("%w: %s: %w", errSetup, path, err)
	}
	if rest == "" {
		return r, true, nil
	}
	fields := strings.Fields(rest)
	if len(fields) != 3 || fields[0] != "put" {
		return record{}, false, fmt.Errorf("%w: %s: second line is %q, want put, address and interface", errSetup, path, rest)
	}
	if r.put.address, err = netip.ParsePrefix(fields[1]); err != nil {
		return record{}, false, fmt.Errorf("%w: %s: %w", errSetup, path, err)
	}
	r.put.on = fields[2]
	r.put.on = r.put.called(path)
	return r, true, nil
}

// number writes down which interface it is by number, beside the mark at path. One that
// is not there has none.
func (p placed) number(path string) error {
	link, err := net.InterfaceByName(p.on)
	if err != nil {
		return nil //nolint:nilerr // whoever uses the interface next says what is wrong with it
	}
	return whole.ReplaceForNow(path+linkEnd, fmt.Appendf(nil, "%s %s %d\n", p.address, p.on, link.Index), 0o644)
}

// called is what the interface of the mark at path is called now: another name if it was
// renamed since, also if another interface has its old name. One that was made anew has
// another number, and is another one; without a number that is known the name has to do.
func (p placed) called(path string) string {
	text, err := os.ReadFile(path + linkEnd)
	if err != nil {
		return p.on
	}
	var address, on string
	var number int
	if _, err := fmt.Sscanf(string(text), "%s %s %d\n", &address, &on, &number); err != nil || address != p.address.String() || on != p.on {
		return p.on // of an earlier mark
	}
	link, err := net.InterfaceByIndex(number)
	if err != nil {
		return p.on
	}
	return link.Name
}

// Leave takes away what was put here for slots that keep does not keep any more: a
// door of another name or none, a slot that has gone, a member that has left its
// pool. It says what it took away. Root holds a folder for each door.
func Leave(root string, keep func(folder string, slot member.SlotID) bool) (left []string, err error) {
	machine.Lock()
	defer machine.Unlock()
	marks, err := filepath.Glob(filepath.Join(root, "*", "*"+markEnd))
	if err != nil {
		return nil, fmt.Errorf("leave addresses: %w", err)
	}
	var mistakes []error
	for _, path := range marks {
		name, err := url.PathUnescape(strings.TrimSuffix(filepath.Base(path), markEnd))
		slot := member.SlotID(name)
		if err != nil || keep(filepath.Dir(path), slot) {
			continue
		}
		r, _, err := readMark(path, slot)
		if err == nil && r.put != (placed{}) {
			if err = take(r.put); err == nil {
				left = append(left, fmt.Sprintf("%s of slot %s from %s", r.put.address, slot, r.put.on))
			}
		}
		if err == nil {
			err = os.Remove(path)
			_ = os.Remove(path + linkEnd) // without its mark it means nothing
		}
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("leave address of slot %s: %w", slot, err))
		}
	}
	return left, errors.Join(mistakes...)
}
