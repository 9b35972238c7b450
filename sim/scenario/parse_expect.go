package scenario

import (
	"math"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
)

var expectKeys = []string{
	"detect_p50", "detect_p99", "recover_max", "verdicts", "verdict", "false_verdicts", "failovers", "restarts", "destructive",
	"mode_max", "modes", "occupant_changed", "occupant_kept", "served_by", "failed_requests_max", "quorum", "facts", "never",
}

// expect reads what is expected of the story.
func (r *reader) expect(top object) {
	v, ok := top.get("expect", "a mapping of expectations")
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
	for _, x := range o.texts("modes", words(modes, "or")) {
		if !slices.Contains(modeNames(), x.text) {
			r.wrong(x.at, "expect.modes has %q, %s", x.text, meant(x.text, modes))
		}
		e.Modes = append(e.Modes, failover.Mode(x.text))
	}
	r.wantedVerdicts(o)
	e.OccupantChanged, e.OccupantKept = r.places(o, "occupant_changed"), r.places(o, "occupant_kept")
	r.servers(o)
	if o.has("failed_requests_max") {
		n := o.integer("failed_requests_max", 0, 0, math.MaxInt32)
		e.FailedRequestsMax = &n
		if len(r.s.Load) == 0 {
			r.wrong(o.pairs["failed_requests_max"].at, "expect.failed_requests_max: no load comes for any host")
		}
	}
	e.Quorum = o.word("quorum", quorumKept, quorumLost)
	const lines = "texts that stand in the transcript"
	for _, x := range o.texts("facts", lines) {
		e.Facts = append(e.Facts, x.text)
	}
	for _, x := range o.texts("never", lines) {
		e.Never = append(e.Never, x.text)
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
	v, ok := o.get("verdict", want)
	if !ok {
		return
	}
	if v.shape != mapping {
		o.bad("verdict", v, want)
		return
	}
	kinds := append(slices.Clone(verdictKinds), noVerdict)
	for _, p := range v.pairs {
		whom, ok := r.key(p, "expect.verdict")
		if !ok {
			continue
		}
		if p.value.shape != text || !slices.Contains(kinds, consensus.VerdictKind(p.value.text)) {
			r.wrong(p.value.at, "expect.verdict.%s is %s, %s", p.key, p.value.found(), meant(p.value.text, kinds))
			continue
		}
		r.s.Expect.Verdict = append(r.s.Expect.Verdict, WantedVerdict{whom, consensus.VerdictKind(p.value.text)})
	}
}

// key reads a selector that stands as a key: the name of a step does without
// its @ there.
func (r *reader) key(p pair, path string) (Selector, bool) {
	written := p.key
	if _, ok := r.named[written]; ok {
		written = "@" + written
	}
	if slices.Contains(prefixed, selectorKind(written+":")) {
		r.wrong(p.at, `%s: a selector with a colon stands in quotes here: "%s:NAME"`, path, written)
		return Selector{}, false
	}
	s, err := ParseSelector(written)
	if err != nil {
		r.wrong(p.at, "%s: %v", path, err)
		return s, false
	}
	if s.draws() {
		r.wrong(p.at, "%s: %s is drawn by chance, want somebody who is known", path, s)
		return s, false
	}
	r.there(p.at, path, s)
	return s, true
}

// places reads slots: by their names, or by who holds them at the time.
func (r *reader) places(o object, key string) []Selector {
	var all []Selector
	for _, x := range o.texts(key, "slots, or @names of their occupants") {
		written := x.text
		if !strings.ContainsAny(written, ":@ ") && written != string(everybody) {
			written = string(bySlot) + written
		}
		s, err := ParseSelector(written)
		switch {
		case err != nil:
			r.wrong(x.at, "%s: %v", o.join(key), err)
			continue
		case s.kind != bySlot && s.kind != byStep && s.kind != everybody && s.kind != byMember:
			r.wrong(x.at, "%s: %q, want a slot, a member, all, or a @name", o.join(key), x.text)
			continue
		}
		r.there(x.at, o.join(key), s)
		all = append(all, s)
	}
	return all
}

// servers reads {web-3: spares}.
func (r *reader) servers(o object) {
	const want = "slots and by whom they are served at the end: {web-3: spares}"
	v, ok := o.get("served_by", want)
	if !ok {
		return
	}
	if v.shape != mapping {
		o.bad("served_by", v, want)
		return
	}
	for _, p := range v.pairs {
		slot := Selector{kind: bySlot, name: strings.TrimPrefix(p.key, string(bySlot))}
		r.there(p.at, "expect.served_by", slot)
		by, err := ParseSelector(p.value.text)
		if err != nil || p.value.shape != text {
			r.wrong(p.value.at, "expect.served_by.%s is %s, want a selector", p.key, p.value.found())
			continue
		}
		r.there(p.value.at, "expect.served_by."+p.key, by)
		r.s.Expect.ServedBy = append(r.s.Expect.ServedBy, Server{slot, by})
	}
}
