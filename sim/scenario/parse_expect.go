package scenario

import (
	"math"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/internal/strict"
)

var expectKeys = []string{
	"detect_p50", "detect_p99", "recover_max", "verdicts", "verdict", "false_verdicts", "failovers", "restarts", "destructive",
	"mode_max", "modes", "occupant_changed", "occupant_kept", "served_by", "failed_requests_max", "quorum", "facts", "never",
	"others_served", "others_worst_second", "innocents", "first_reject_max", "fleet_shaped_max", "released_max", "comings", "overloads", "browsers_served", "browsers_at_once",
}

// expect reads what is expected of the story.
func (r *reader) expect(top object) {
	v, ok := top.Get("expect", "a mapping of expectations")
	if !ok {
		return
	}
	o := r.object("expect", v, expectKeys...)
	e := &r.s.Expect
	limit := func(key string) Duration { return Duration(o.duration(key, 0, time.Millisecond, longest)) }
	e.DetectP50, e.DetectP99, e.RecoverMax = limit("detect_p50"), limit("detect_p99"), limit("recover_max")
	e.Verdicts, e.FalseVerdicts = o.wanted("verdicts"), o.wanted("false_verdicts")
	e.Failovers, e.Restarts, e.Destructive = o.wanted("failovers"), o.wanted("restarts"), o.wanted("destructive")
	e.ModeMax = failover.Mode(o.word("mode_max", modeNames()...))
	for _, x := range o.texts("modes", strict.Words(modes, "or")) {
		if !slices.Contains(modeNames(), x.Text) {
			r.Wrong(x.At, "expect.modes has %q, %s", x.Text, strict.Meant(x.Text, modes))
		}
		e.Modes = append(e.Modes, failover.Mode(x.Text))
	}
	r.wantedVerdicts(o)
	e.OccupantChanged, e.OccupantKept = r.places(o, "occupant_changed"), r.places(o, "occupant_kept")
	r.servers(o)
	if o.Has("failed_requests_max") {
		n := o.Integer("failed_requests_max", 0, 0, math.MaxInt32)
		e.FailedRequestsMax = &n
		if len(r.s.Load) == 0 {
			r.Wrong(o.Pairs["failed_requests_max"].At, "expect.failed_requests_max: no load comes for any host")
		}
	}
	e.Quorum = o.word("quorum", quorumKept, quorumLost)
	r.wantedOfShield(o)
	const lines = "texts that stand in the transcript"
	for _, x := range o.texts("facts", lines) {
		e.Facts = append(e.Facts, x.Text)
	}
	for _, x := range o.texts("never", lines) {
		e.Never = append(e.Never, x.Text)
	}
}

func modeNames() []string {
	var all []string
	for _, m := range modes {
		all = append(all, string(m))
	}
	return all
}

// wantedVerdicts reads {victim: down, member:m-3: none}.
func (r *reader) wantedVerdicts(o object) {
	const want = "whom and the kind of verdict: {victim: down}"
	kinds := append(slices.Clone(verdictKinds), noVerdict)
	for _, p := range o.pairs("verdict", want) {
		whom, ok := r.key(p, "expect.verdict")
		if !ok {
			continue
		}
		if p.Value.Shape != strict.Text || !slices.Contains(kinds, consensus.VerdictKind(p.Value.Text)) {
			r.Wrong(p.Value.At, "expect.verdict.%s is %s, %s", p.Key, p.Value.Found(), strict.Meant(p.Value.Text, kinds))
			continue
		}
		r.s.Expect.Verdict = append(r.s.Expect.Verdict, WantedVerdict{whom, consensus.VerdictKind(p.Value.Text)})
	}
}

// key reads a selector that stands as a key: the name of a step does without
// its @ there.
func (r *reader) key(p strict.Pair, path string) (Selector, bool) {
	written := p.Key
	if _, ok := r.named[written]; ok {
		written = "@" + written
	}
	if slices.Contains(prefixed, selectorKind(written+":")) {
		r.Wrong(p.At, `%s: a selector with a colon stands in quotes here: "%s:NAME"`, path, written)
		return Selector{}, false
	}
	s, err := ParseSelector(written)
	if err != nil {
		r.Wrong(p.At, "%s: %v", path, err)
		return s, false
	}
	if s.draws() {
		r.Wrong(p.At, "%s: %s is drawn by chance, want somebody who is known", path, s)
		return s, false
	}
	r.there(p.At, path, s)
	return s, true
}

// places reads slots: by their names, or by who holds them at the time.
func (r *reader) places(o object, key string) []Selector {
	var all []Selector
	for _, x := range o.texts(key, "slots, or @names of their occupants") {
		written := x.Text
		if !strings.ContainsAny(written, ":@ ") && written != string(everybody) {
			written = string(bySlot) + written
		}
		s, err := ParseSelector(written)
		switch {
		case err != nil:
			r.Wrong(x.At, "%s: %v", o.Join(key), err)
			continue
		case s.kind != bySlot && s.kind != byStep && s.kind != everybody && s.kind != byMember:
			r.Wrong(x.At, "%s: %q, want a slot, a member, all, or a @name", o.Join(key), x.Text)
			continue
		}
		r.there(x.At, o.Join(key), s)
		all = append(all, s)
	}
	return all
}

// servers reads {web-3: spares}.
func (r *reader) servers(o object) {
	const want = "slots and by whom they are served at the end: {web-3: spares}"
	for _, p := range o.pairs("served_by", want) {
		slot := Selector{kind: bySlot, name: strings.TrimPrefix(p.Key, string(bySlot))}
		r.there(p.At, "expect.served_by", slot)
		by, err := ParseSelector(p.Value.Text)
		if err != nil || p.Value.Shape != strict.Text {
			r.Wrong(p.Value.At, "expect.served_by.%s is %s, want a selector", p.Key, p.Value.Found())
			continue
		}
		r.there(p.Value.At, "expect.served_by."+p.Key, by)
		r.s.Expect.ServedBy = append(r.s.Expect.ServedBy, Server{slot, by})
	}
}
