package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"moonwatch/internal/pki"
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

// LoadFleet reads a fleet.yaml. The error is [Mistakes] if the file could be
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
// file. The error is always [Mistakes], and then there are no warnings: half of
// them would follow from the mistakes.
func ParseFleet(name string, b []byte) (*member.Fleet, []Mistake, error) {
	r := &fleetReader{notes: notes{file: name}, lines: map[member.ID]place{}, pools: map[string]object{}}
	if root := readTree(&r.notes, b); root != nil {
		r.read(root)
		r.noSecrets(root)
		r.crossCheck()
		slices.SortFunc(r.fleet.Pools, func(a, b member.Pool) int { return cmp.Compare(a.Name, b.Name) })
		if err := r.fleet.Validate(); err != nil && len(r.mistakes) == 0 {
			r.wrong(root.at, "%v", err) // the ledger has the last word
		}
	}
	if err := r.err(); err != nil {
		return nil, nil, err
	}
	inOrder(r.warnings)
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
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes, want at most %d", filepath.Clean(path), info.Size(), maxFile)
	}
	return os.ReadFile(path)
}

// fleetReader turns the file into a fleet and keeps the places that
// cross-checks speak of.
type fleetReader struct {
	notes

	fleet  member.Fleet
	roster place               // of the key members
	lines  map[member.ID]place // of the members' pools
	pools  map[string]object
}

func (r *fleetReader) read(root *node) {
	top := r.object("", root, "version", "members", "pools", "brake", "never_stop", "profile")
	r.fleet.Version = 1
	if top.integer("version", 0, 1, 1); !top.has("version") {
		top.missing("version", "1")
	}
	r.fleet.Profile = top.text("profile", "lan", "lan or demo", oneOf("lan", "demo"))
	r.members(top)
	if v, ok := top.get("pools", "the pools by name"); ok {
		for _, p := range r.named(v, "pools", "pool") {
			r.fleet.Pools = append(r.fleet.Pools, r.pool(p))
		}
	}
	r.brake(top)
	r.fleet.NeverStop = textsOf(top.texts("never_stop", "DNS names", isHost))
}

// named is a mapping whose keys are names of somebody's choice.
func (r *fleetReader) named(v *node, path, what string) []pair {
	if v.shape != mapping {
		r.wrong(v.at, "%s is %s, want a mapping from the name of a %s", path, v.found(), what)
		return nil
	}
	var good []pair
	for _, p := range v.pairs {
		if err := checkName(p.key); err != nil {
			r.wrong(p.at, "%s: %v", path, err)
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
		return fmt.Errorf("name %s has %d characters, want at most %d", quoted(name), len(name), member.MaxNameLength)
	}
	return pki.CheckName(name)
}

func isName(s string) bool { return checkName(s) == nil }

func (r *fleetReader) members(top object) {
	const want = "the members by name, each with its failure_domain"
	v, ok := top.get("members", want)
	if !ok {
		if !top.has("members") {
			top.missing("members", want)
		}
		return
	}
	r.roster = top.pairs["members"].at
	for _, p := range r.named(v, "members", "member") {
		if len(r.fleet.Members) == maxSlots {
			r.wrong(p.at, "members: more than %d", maxSlots)
			return
		}
		o := r.object("members."+p.key, p.value, "failure_domain", "pool", "council")
		o.at = p.at
		m := member.Member{ID: member.ID(p.key)}
		const domain = "the name of what fails together with it: a rack, a zone"
		m.Domain = member.FailureDomain(o.text("failure_domain", "", domain, isName))
		if !o.has("failure_domain") && p.value.shape == mapping {
			o.missing("failure_domain", domain)
		}
		m.Pool = o.text("pool", "", "the name of a pool", isName)
		m.Council = o.text("council", "", "allowed, or no such key", oneOf("allowed")) == "allowed"
		r.fleet.Members = append(r.fleet.Members, m)
		r.lines[m.ID] = o.where("pool")
	}
	if len(v.pairs) == 0 && v.shape == mapping {
		r.wrong(v.at, "members is empty, want %s", want)
	}
}

func (r *fleetReader) brake(top object) {
	r.fleet.Brake = defaultBrake
	v, ok := top.get("brake", "guarded and cascade")
	if !ok {
		return
	}
	o := r.object("brake", v, "guarded", "cascade")
	r.threshold(o, "guarded", &r.fleet.Brake.Guarded)
	r.threshold(o, "cascade", &r.fleet.Brake.Cascade)
	g, c := r.fleet.Brake.Guarded, r.fleet.Brake.Cascade
	if g.Min > c.Min {
		r.wrong(o.where("guarded"), "brake.guarded.min is %d, want at most brake.cascade.min (%d): guarded comes before cascade", g.Min, c.Min)
	}
	if g.Share > c.Share {
		r.wrong(o.where("guarded"), "brake.guarded.share is %v%%, want at most brake.cascade.share (%v%%): guarded comes before cascade",
			percent(g.Share), percent(c.Share))
	}
}

func (r *fleetReader) threshold(brake object, key string, t *member.Threshold) {
	v, ok := brake.get(key, "min and share")
	if !ok {
		return
	}
	o := r.object(brake.join(key), v, "min", "share")
	t.Min = o.integer("min", t.Min, 2, maxSlots) // one member alone is no mass failure
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
