package audit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// difference is one field in which two whole ledgers differ.
type difference struct {
	record   string // in an operator's words
	field    string // empty: the record as a whole
	found    string
	expected string
	weight   int // the lowest is told first
}

// listed is a part of a whole ledger, or a list of parts.
type listed struct{ path, words string }

// records are the parts of a whole ledger, by where they stand in it, in the order in which
// they are told of: first who holds what. Where the words have a place for it, the next
// name on the way is the record's.
var records = []listed{
	{"parts/failover/slots", "slot %s"},
	{"parts/failover/uses", "member %s"},
	{"state/seats", "the council"},
	{"state/standing", "the verdict on %s"},
	{"state/fleet_at", "the fleet.yaml that was applied"},
	{"state/fleet", "the fleet.yaml that was applied"},
	{"state/revoked", "the keys that were withdrawn"},
	{"parts/failover/holds", "hold %s"},
	{"parts/failover/requests", "request R-%s"},
	{"parts/failover/cases", "case C-%s"},
	{"parts/failover/brake", "the brake"},
	{"parts/failover/spent", "the budget's replacements"},
	{"parts/failover/dead", "the replacements that died soon"},
	{"parts/failover/retired", "retired member %s"},
	{"parts/failover/enforcers", "the enforcer of %s"},
	{"parts/failover/fencers", "the fence device of %s"},
	{"parts/failover/doors", "door %s"},
	{"parts/failover/scores", "the record of what was done or would have been"},
	{"parts/failover", "failover"},
	{"parts/shield/by", "the rung of subdomain %s"},
	{"parts/shield", "shield"},
	{"state/genesis", "the founding of the cluster"},
	{"state/records", "the earlier verdicts on %s"},
	{"state/disks", "the disk of %s"},
	{"state/refounding", "the refounding of the council"},
	{"state/commands", "the commands that count as repeated"},
	{"state", "the ledger itself"},
}

// differences are all fields in which what was found is not what was expected, those that
// tell most first.
func differences(found, expected any) []difference {
	var out []difference
	differ(found, expected, nil, func(path []string, a, b any) { out = append(out, differenceAt(path, a, b)) })
	slices.SortStableFunc(out, func(a, b difference) int { return cmp.Compare(a.weight, b.weight) })
	return out
}

// differenceAt says in words where two values differ.
func differenceAt(path []string, found, expected any) difference {
	d := difference{record: strings.Join(path, "."), found: short(found), expected: short(expected), weight: len(records)}
	for i, r := range records {
		rest, of := cutPrefix(path, strings.Split(r.path, "/"))
		switch named := strings.Contains(r.words, "%s"); {
		case !of || named && len(rest) == 0:
			continue
		case named:
			d.record, rest = fmt.Sprintf(r.words, rest[0]), rest[1:]
		default:
			d.record = r.words
		}
		d.field, d.weight = strings.ReplaceAll(strings.Join(rest, "."), "_", " "), i
		break
	}
	return d
}

func cutPrefix(path, prefix []string) (rest []string, of bool) {
	if len(path) < len(prefix) || !slices.Equal(path[:len(prefix)], prefix) {
		return nil, false
	}
	return path[len(prefix):], true
}

// differ walks through two values at once, and tells of each place at which they differ.
// What is empty is the same as what is not there. A record that one of them does not have
// is one difference, and not one for each of its fields.
func differ(a, b any, path []string, tell func(path []string, a, b any)) {
	if empty(a) && empty(b) || reflect.DeepEqual(a, b) {
		return
	}
	below := func(name string, a, b any) { differ(a, b, append(slices.Clone(path), name), tell) }
	x, y, named := pairOf[map[string]any](a, b, holdsRecords(path))
	if named {
		for _, name := range namesOf(x, y) {
			below(name, x[name], y[name])
		}
		return
	}
	v, w, lists := pairOf[[]any](a, b, false)
	if !lists {
		tell(path, a, b)
		return
	}
	for i := range max(len(v), len(w)) {
		below(fmt.Sprint(i+1), nth(v, i), nth(w, i))
	}
}

// holdsRecords reports that records stand below this place, and no fields: one without any
// of them may be missing as a whole.
func holdsRecords(path []string) bool {
	return slices.ContainsFunc(records, func(r listed) bool {
		_, leads := cutPrefix(strings.Split(r.path, "/"), path)
		return leads && strings.Contains(r.words, "%s")
	})
}

// pairOf is two values of one kind; with missing, one of them may be none.
func pairOf[T any](a, b any, missing bool) (x, y T, are bool) {
	x, isX := a.(T)
	y, isY := b.(T)
	return x, y, (isX || missing && a == nil) && (isY || missing && b == nil)
}

func namesOf(x, y map[string]any) []string {
	all := map[string]any{}
	maps.Copy(all, x)
	maps.Copy(all, y)
	return slices.Sorted(maps.Keys(all))
}

func nth(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

func empty(x any) bool {
	switch x := x.(type) {
	case nil:
		return true
	case map[string]any:
		return len(x) == 0
	case []any:
		return len(x) == 0
	default:
		return false
	}
}

// shown is how much of a value people are told.
const shown = 80

func short(x any) string {
	if empty(x) {
		return "nothing"
	}
	b, err := json.Marshal(x)
	if err != nil {
		return fmt.Sprint(x)
	}
	if text := []rune(string(b)); len(text) > shown {
		return string(text[:shown]) + "..."
	}
	return string(b)
}
