package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"moonwatch/internal/pki"
	"moonwatch/internal/strict"
	"moonwatch/member"
)

// Defaults of fleet.yaml.
const (
	checkInterval = 2 * time.Second
	checkTimeout  = 500 * time.Millisecond

	// maxSlots bounds the slots of one name and the members of a fleet: the
	// size up to which the promises were computed, with room to grow.
	maxSlots = 10_000
)

var defaultBrake = member.BrakePolicy{
	Guarded: member.Threshold{Min: 2, Share: 0.05},
	Cascade: member.Threshold{Min: 3, Share: 0.20},
}

// LoadFleet reads a fleet.yaml. The error is [strict.Mistakes] if the file could be
// read. Who wants to show warnings calls [ParseFleet].
func LoadFleet(path string) (*member.Fleet, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read fleet: %w", err)
	}
	f, _, err := ParseFleet(path, b)
	return f, err
}

// ParseFleet reads the text of a fleet.yaml; name stands in mistakes. The
// warnings are about what works and may still surprise, in the order of the
// file. The error is always [strict.Mistakes], and then there are no warnings: half of
// them would follow from the mistakes.
func ParseFleet(name string, b []byte) (*member.Fleet, []strict.Mistake, error) {
	r := &fleetReader{reader: newReader(name), lines: map[member.ID]strict.Place{}, pools: map[string]object{}, given: map[netip.Addr]string{}}
	if root := r.Read(b); root != nil {
		r.read(root)
		r.noSecrets(root)
		r.crossCheck()
		slices.SortFunc(r.fleet.Pools, func(a, b member.Pool) int { return cmp.Compare(a.Name, b.Name) })
		if err := r.fleet.Validate(); err != nil && len(r.Mistakes) == 0 {
			r.Wrong(root.At, "%v", err) // the ledger has the last word
		}
	}
	if err := r.Err(); err != nil {
		return nil, nil, err
	}
	strict.InOrder(r.warnings)
	return &r.fleet, r.warnings, nil
}

// readFile reads a whole file, and nothing that has no end.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", filepath.Clean(path))
	}
	if info.Size() > strict.MaxFile {
		return nil, fmt.Errorf("%s has %d bytes, want at most %d", filepath.Clean(path), info.Size(), strict.MaxFile)
	}
	return os.ReadFile(path)
}

// fleetReader turns the file into a fleet and keeps the places that
// cross-checks speak of.
type fleetReader struct {
	reader

	fleet  member.Fleet
	roster strict.Place               // of the key members
	lines  map[member.ID]strict.Place // of the members' pools
	pools  map[string]object

	tellers []tellers             // of all drivers
	given   map[netip.Addr]string // addresses of slots, to the path of each
}

func (r *fleetReader) read(root *strict.Value) {
	top := r.object("", root, "version", "members", "pools", "brake", "lease", "shield", "notify", "never_stop", "profile")
	r.fleet.Version = 1
	if top.Integer("version", 0, 1, 1); !top.Has("version") {
		top.Missing("version", "1")
	}
	r.fleet.Profile = top.Text("profile", "lan", strict.Words(member.Profiles(), "or"), oneOf(member.Profiles()...))
	r.members(top)
	if v, ok := top.Get("pools", "the pools by name"); ok {
		for _, p := range r.named(v, "pools", "pool") {
			r.fleet.Pools = append(r.fleet.Pools, r.pool(p))
		}
	}
	r.brake(top)
	r.lease(top)
	r.checkLeases(top)
	r.shield(top)
	r.notify(top)
	r.fleet.NeverStop = top.texts("never_stop", "DNS names", isHost)
}

// named is a mapping whose keys are names of somebody's choice.
func (r *fleetReader) named(v *strict.Value, path, what string) []strict.Pair {
	if v.Shape != strict.Mapping {
		r.Wrong(v.At, "%s is %s, want a mapping from the name of a %s", path, v.Found(), what)
		return nil
	}
	var good []strict.Pair
	for _, p := range v.Pairs {
		if err := checkName(p.Key); err != nil {
			r.Wrong(p.At, "%s: %v", path, err)
			continue
		}
		good = append(good, p)
	}
	return good
}

// checkName is stricter than a certificate, so that sixteen names fit into a
// datagram.
func checkName(name string) error {
	if len(name) > member.MaxNameLength {
		return fmt.Errorf("name %s has %d characters, want at most %d", strict.Quoted(name), len(name), member.MaxNameLength)
	}
	return pki.CheckName(name)
}

func isName(s string) bool { return checkName(s) == nil }

func (r *fleetReader) members(top object) {
	const want = "the members by name, each with its failure_domain"
	v, ok := top.Get("members", want)
	if !ok {
		if !top.Has("members") {
			top.Missing("members", want)
		}
		return
	}
	r.roster = top.Pairs["members"].At
	for _, p := range r.named(v, "members", "member") {
		if len(r.fleet.Members) == maxSlots {
			r.Wrong(p.At, "members: more than %d", maxSlots)
			return
		}
		o := r.object("members."+p.Key, p.Value, "failure_domain", "pool", "council", "retired")
		o.At = p.At
		m := member.Member{ID: member.ID(p.Key)}
		const domain = "the name of what fails together with it: a rack, a zone"
		m.Domain = member.FailureDomain(o.Text("failure_domain", "", domain, isName))
		if !o.Has("failure_domain") && p.Value.Shape == strict.Mapping {
			o.Missing("failure_domain", domain)
		}
		m.Pool = o.Text("pool", "", "the name of a pool", isName)
		m.Council = o.Text("council", "", "allowed, or no such key", oneOf("allowed")) == "allowed"
		m.Retired = o.Truth("retired")
		r.fleet.Members = append(r.fleet.Members, m)
		r.lines[m.ID] = o.Where("pool")
	}
	if len(v.Pairs) == 0 && v.Shape == strict.Mapping {
		r.Wrong(v.At, "members is empty, want %s", want)
	}
}

func (r *fleetReader) brake(top object) {
	r.fleet.Brake = defaultBrake
	v, ok := top.Get("brake", "guarded and cascade")
	if !ok {
		return
	}
	o := r.object("brake", v, "guarded", "cascade")
	r.threshold(o, "guarded", &r.fleet.Brake.Guarded)
	r.threshold(o, "cascade", &r.fleet.Brake.Cascade)
	g, c := r.fleet.Brake.Guarded, r.fleet.Brake.Cascade
	if g.Min > c.Min {
		r.Wrong(o.Where("guarded"), "brake.guarded.min is %d, want at most brake.cascade.min (%d): guarded comes before cascade", g.Min, c.Min)
	}
	if g.Share > c.Share {
		r.Wrong(o.Where("guarded"), "brake.guarded.share is %v%%, want at most brake.cascade.share (%v%%): guarded comes before cascade",
			percent(g.Share), percent(c.Share))
	}
}

func (r *fleetReader) threshold(brake object, key string, t *member.Threshold) {
	v, ok := brake.Get(key, "min and share")
	if !ok {
		return
	}
	o := r.object(brake.Join(key), v, "min", "share")
	t.Min = o.Integer("min", t.Min, 2, maxSlots) // one member alone is no mass failure
	t.Share = o.share("share", t.Share)
}

// percent undoes the division by 100 without its rounding error.
func percent(share float64) float64 { return float64(int64(share*1e8+0.5)) / 1e6 }

// isHost accepts a DNS name in lower case, with or without a leading *.
func isHost(s string) bool {
	s = strings.TrimPrefix(s, "*.")
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}
