package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// trailSchema is the version of a trail's records. It grows when a field changes its meaning
// or goes: records of another one are not read.
const trailSchema = 1

const trailHeadKey = "head"

func trailKey(number uint64) string { return fmt.Sprintf("change/%020d", number) }

// trailKept is what of a trail is on disk: the changes from one number to before another, and
// the times that stand beside them.
type trailKept struct {
	from, to     uint64
	since, noted time.Time
}

// trailHead is the record that says where a trail begins, what stood there, and until when
// it was noted.
type trailHead struct {
	Schema int           `json:"schema"`
	Since  time.Time     `json:"since"`
	Noted  time.Time     `json:"noted"`
	First  uint64        `json:"first"` // the number of the oldest change; each has a record of its own
	Base   []trailRecord `json:"base"`
}

type trailRecord struct {
	At time.Time `json:"at"`
	LiveSees
	Gone     bool         `json:"gone,omitempty"`
	Abstains agent.Reason `json:"abstains,omitempty"`
	Still    bool         `json:"still,omitempty"`
}

func (c trailed) record() trailRecord {
	return trailRecord{At: c.at, LiveSees: c.LiveSees, Gone: c.gone, Abstains: c.self.abstains, Still: c.self.still}
}

func (r trailRecord) change() trailed {
	return trailed{at: r.At, LiveSees: r.LiveSees, gone: r.Gone, self: selfSeen{abstains: r.Abstains, still: r.Still}}
}

// TrailNews is what has changed of a trail since it was kept last. It is changed by nobody,
// so that who writes it may encode it beside the loop.
type TrailNews struct {
	head     trailHead
	base     map[member.ID]trailed
	gone, to uint64 // the changes from gone to before to are forgotten
	from     uint64 // the number of changes[0]
	changes  []trailed
}

// Take hands out what has changed since the last time, to be kept whole or not at all; nil when
// nothing has. That the trail was noted on, and nothing else, is a change after rest. Kept must be
// told how it ended before the next Take.
func (t *Trail) Take(rest time.Duration) *TrailNews {
	next := trailKept{from: t.first, to: t.end(), since: t.since, noted: t.noted}
	same := next.from == t.kept.from && next.to == t.kept.to && next.since.Equal(t.kept.since)
	if t.noted.IsZero() || same && (next.noted.Equal(t.kept.noted) || next.noted.Sub(t.kept.noted) < rest) {
		return nil
	}
	// What was said not to be kept may be on disk all the same.
	gone := min(max(t.kept.to, t.tried), t.first)
	t.taken, t.taking, t.tried = next, true, max(t.tried, next.to)
	from := max(t.first, t.kept.to)
	return &TrailNews{
		head: trailHead{Schema: trailSchema, Since: t.since, Noted: t.noted, First: t.first},
		base: maps.Clone(t.base), gone: t.kept.from, to: gone,
		from: from, changes: slices.Clip(t.changes[from-t.first:]),
	}
}

// Kept tells whether what was taken last is kept. What is not is handed out again.
func (t *Trail) Kept(ok bool) {
	if ok && t.taking {
		t.kept = t.taken
	}
	t.taking = false
}

// Records are the news as they are written; nil where there are none.
func (n *TrailNews) Records() Records {
	if n == nil {
		return nil
	}
	head := n.head
	for _, id := range slices.Sorted(maps.Keys(n.base)) {
		head.Base = append(head.Base, n.base[id].record())
	}
	out := Records{trailHeadKey: record(head)}
	for i := n.gone; i < n.to; i++ {
		out[trailKey(i)] = nil
	}
	for i, c := range n.changes {
		out[trailKey(n.from+uint64(i))] = record(c.record())
	}
	return out
}

// RecallTrail makes the trail that some records are of. Without records it knows nothing.
// An error names what cannot be read.
func RecallTrail(records Records) (*Trail, error) {
	t := &Trail{}
	if len(records) == 0 {
		return t, nil
	}
	var head trailHead
	if err := json.Unmarshal(records[trailHeadKey], &head); err != nil {
		return nil, fmt.Errorf("record %s: %w", trailHeadKey, err)
	}
	if head.Schema != trailSchema {
		return nil, fmt.Errorf("record %s: schema is %d, want %d", trailHeadKey, head.Schema, trailSchema)
	}
	if n := len(records) - 1; n > trailChanges {
		return nil, fmt.Errorf("%d changes, want at most %d", n, trailChanges)
	}
	t.since, t.noted, t.first, t.base = head.Since, head.Noted, head.First, map[member.ID]trailed{}
	for _, r := range head.Base {
		r.change().into(t.base)
	}
	stood := maps.Clone(t.base)
	last := t.since
	for range len(records) - 1 {
		key := trailKey(t.end())
		var r trailRecord
		if err := json.Unmarshal(records[key], &r); err != nil {
			return nil, fmt.Errorf("record %s: %w", key, err)
		}
		if r.At.Before(last) || r.At.After(t.noted) {
			return nil, fmt.Errorf("record %s: it is of %v, want a time from %v to %v", key, r.At, last, t.noted)
		}
		last = r.At
		t.changes = append(t.changes, r.change())
		r.change().into(stood)
	}
	if t.since.IsZero() || t.noted.Before(t.since) {
		return nil, errors.New("it knows of no time")
	}
	t.self = stood[""].self
	delete(stood, "")
	for _, id := range slices.Sorted(maps.Keys(stood)) {
		t.now = append(t.now, stood[id].LiveSees)
	}
	t.kept = trailKept{from: t.first, to: t.end(), since: t.since, noted: t.noted}
	t.tried = t.kept.to
	return t, nil
}
