package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"moonwatch/internal/strict"
	"moonwatch/member"
	"moonwatch/sim"
)

// stepKeys are all keys of a step; which of them a fault takes is its kind's.
var stepKeys = []string{
	"at", "on", "nth", "within", "after", "do", "whom", "except", "other", "for", "share", "delay", "every", "serve", "host", "change", "as",
}

// kindNames are the words of do.
func kindNames() []string {
	var all []string
	for _, r := range sim.Kinds() {
		all = append(all, string(r.Kind))
	}
	return append(all, string(Mend))
}

// step reads the i-th step.
func (r *reader) step(i int, v *strict.Value) Step {
	o := r.object("steps["+strconv.Itoa(i)+"]", v, stepKeys...)
	if v.Shape != strict.Mapping {
		return Step{}
	}
	var s Step
	r.when(o, &s)
	r.who(o, &s, i)
	if !o.Has("do") {
		o.Missing("do", "the name of a fault, or mend")
	} else if s.Do = sim.FaultKind(o.word("do", kindNames()...)); s.Do != "" {
		r.how(o, &s)
	}
	if s.As = o.Text("as", "", "a name of letters, digits and dashes", isName); s.As != "" {
		if before, twice := r.named[s.As]; twice {
			r.Wrong(o.Where("as"), "%s is %s, which steps[%d] is called already", o.Join("as"), s.As, before)
		}
		r.named[s.As] = i
	}
	return s
}

// when reads what a step waits for.
func (r *reader) when(o object, s *Step) {
	switch {
	case o.Has("at") && o.Has("on"):
		r.Wrong(o.Where("on"), "%s stands beside at, want one of them", o.Join("on"))
	case !o.Has("at") && !o.Has("on"):
		o.Missing("at", "when it begins, or on and what it waits for")
	}
	s.At = o.duration("at", 0, 0, longest)
	if s.At >= r.s.Duration {
		r.Wrong(o.Where("at"), "%s is %s, after the end: duration is %s", o.Join("at"), strict.Short(s.At), strict.Short(r.s.Duration))
	}
	if !o.Has("on") {
		for _, key := range []string{"nth", "within", "after"} {
			if o.Has(key) {
				r.Wrong(o.Pairs[key].At, "%s is for steps that wait: it stands without on", o.Join(key))
			}
		}
		return
	}
	text := o.Text("on", "", "what it waits for, such as crash, verdict(@victim) or case.activating", anything)
	s.Nth = o.Integer("nth", 1, 1, 1000)
	s.After = o.duration("after", 0, 0, longest)
	s.Within = o.duration("within", 0, time.Millisecond, longest)
	if text == "" {
		return
	}
	t, err := ParseTrigger(text)
	if err != nil {
		r.Wrong(o.Where("on"), "%s: %v", o.Join("on"), err)
		return
	}
	if t.Whom != nil {
		r.there(o.Where("on"), o.Join("on"), *t.Whom)
	}
	s.On = &t
}

// who reads the selectors.
func (r *reader) who(o object, s *Step, i int) {
	s.Whom = r.selectors(o, "whom")
	s.Except = r.selectors(o, "except")
	s.Other = r.selectors(o, "other")
	if o.Has("except") && !o.Has("whom") {
		r.Wrong(o.Pairs["except"].At, "%s stands without whom", o.Join("except"))
	}
	if len(s.Whom) > 0 && r.isThere(s.Whom) && r.spared(s, i) {
		r.Wrong(o.Where("whom"), "%s without except selects nobody", o.Join("whom"))
	}
}

// spared reports that except leaves nobody of whom, whoever that will be.
func (r *reader) spared(s *Step, i int) bool {
	if !slices.ContainsFunc(s.Whom, func(w Selector) bool {
		return !slices.ContainsFunc(s.Except, func(e Selector) bool { return e.String() == w.String() })
	}) {
		return true
	}
	if r.s.ground == nil {
		return false
	}
	e := eye{g: r.s.ground, struck: map[string][]member.ID{}}
	ids, known := e.whom(roll(0, i, forWhom), s.Whom, s.Except)
	return known && len(ids) == 0
}

// selectors reads one selector or a list of them.
func (r *reader) selectors(o object, key string) []Selector {
	var all []Selector
	for _, x := range o.texts(key, strict.Words(selectorWords, "or")) {
		s, err := ParseSelector(x.Text)
		if err != nil {
			r.Wrong(x.At, "%s: %v", o.Join(key), err)
			continue
		}
		r.there(x.At, o.Join(key), s)
		all = append(all, s)
	}
	return all
}

// isThere reports whether selectors name only what there is.
func (r *reader) isThere(sels []Selector) bool {
	return !slices.ContainsFunc(sels, func(s Selector) bool { return r.impossible(s) != "" })
}

// there checks that the fleet has what a selector means.
func (r *reader) there(at strict.Place, path string, s Selector) {
	if why := r.impossible(s); why != "" {
		r.Wrong(at, "%s: %s", path, why)
	}
}

// impossible says why a selector can never mean anybody, or fewer than it
// wants; empty if it can. Of a fleet with mistakes nothing is said: who is in it
// is not known.
func (r *reader) impossible(s Selector) string {
	g := r.s.ground
	if g == nil && s.kind != byStep && s.kind != byObserving {
		return ""
	}
	switch s.kind {
	case byMember:
		if _, ok := g.member(s.name); !ok {
			return fmt.Sprintf("%s is not in the fleet: %s", s, among1(s.name, g.ids()))
		}
	case byDomain:
		var known []member.FailureDomain
		for _, m := range g.fleet.Members {
			if !slices.Contains(known, m.Domain) {
				known = append(known, m.Domain)
			}
		}
		if !slices.Contains(known, member.FailureDomain(s.name)) {
			return fmt.Sprintf("%s is not in the fleet: %s", s, among1(s.name, known))
		}
	case byPool:
		if known := poolNames(g.fleet); !slices.Contains(known, s.name) {
			return fmt.Sprintf("%s is not in the fleet: %s", s, among1(s.name, known))
		}
	case bySlot:
		if known := g.slots(); !slices.Contains(known, member.SlotID(s.name)) {
			return fmt.Sprintf("%s is not in the fleet: %s", s, among1(s.name, known))
		}
	case byStep:
		if _, ok := r.named[s.name]; !ok {
			var known []string
			for _, name := range sortedKeys(r.named) {
				known = append(known, "@"+name)
			}
			if len(known) == 0 {
				return fmt.Sprintf("%s is a name that no earlier step gave with as", s)
			}
			return fmt.Sprintf("%s is a name that no earlier step gave with as: %s", s, strict.Meant(s.String(), known))
		}
	case minority:
		if len(g.council) < 3 {
			return fmt.Sprintf("%s of a council of %d is nobody", s, len(g.council))
		}
	case theSpares:
		if len(g.holds) == len(g.fleet.Members) {
			return "spares: the fleet has none"
		}
	case byObserving:
		return r.impossible(*s.of)
	case byChance, halfOf:
		return r.tooMany(s)
	default: // always somebody
	}
	return ""
}

// tooMany says if a selector draws more members than there are.
func (r *reader) tooMany(s Selector) string {
	of := Selector{kind: everybody}
	if s.of != nil {
		of = *s.of
		if why := r.impossible(of); why != "" {
			return why
		}
	}
	most, known := r.most(of)
	switch {
	case !known:
	case s.count > most:
		return fmt.Sprintf("%s wants more members than there are: %s has %d", s, of, most)
	case s.kind == halfOf && most < 2:
		return fmt.Sprintf("%s is nobody: %s has %d", s, of, most)
	}
	return ""
}

// most is how many members a selector means at the beginning.
func (r *reader) most(s Selector) (int, bool) {
	g := r.s.ground
	switch s.kind {
	case theLeader, bySlot, byMember:
		return 1, true
	case theSpares:
		return len(g.ids()) - len(g.holds), true
	case occupants:
		return len(g.holds), true
	default:
		e := eye{g: g, struck: map[string][]member.ID{}}
		ids, known := e.one(roll(0, 0, forWhom), s, nil)
		return len(ids), known
	}
}

// how reads what a fault is made of besides whom it strikes.
func (r *reader) how(o object, s *Step) {
	if s.Do == Mend {
		r.mend(o, s)
		return
	}
	rule, _ := sim.RuleOf(s.Do)
	for _, f := range []sim.Field{sim.FieldWhom, sim.FieldOther, sim.FieldShare, sim.FieldDelay, sim.FieldEvery, sim.FieldServe, sim.FieldHost, sim.FieldChange} {
		key := string(f)
		switch {
		case o.Has(key) && !rule.Has(f):
			r.Wrong(o.Pairs[key].At, "%s: a %s has no %s", o.Join(key), s.Do, key)
		case !o.Has(key) && slices.Contains(rule.Needs, f):
			r.Wrong(o.At, "%s is missing: a %s needs it", o.Join(key), s.Do)
		}
	}
	if rule.Ends {
		s.For = o.duration("for", 0, time.Millisecond, longest)
	} else if o.Has("for") {
		r.Wrong(o.Pairs["for"].At, "%s: a %s does not end by itself", o.Join("for"), s.Do)
	}
	if end := s.At + s.For; s.On == nil && s.For > 0 && s.At < r.s.Duration && end > r.s.Duration {
		r.Wrong(o.Where("for"), "%s is %s: it ends at %s, after the end of all faults: duration is %s",
			o.Join("for"), strict.Short(s.For), strict.Short(end), strict.Short(r.s.Duration))
	}
	r.fenced(o.Where("do"), o.Join("do"), s.Do)
	if rule.Has(sim.FieldShare) {
		s.Share = o.ratio("share", 0, rule.Share.Min, rule.Share.Max)
	}
	if rule.Has(sim.FieldDelay) {
		least, most := time.Microsecond, time.Hour
		if s.Do == sim.ClockJump {
			least, most = -longest, longest
		}
		s.Delay = o.duration("delay", 0, least, most)
	}
	if rule.Has(sim.FieldEvery) {
		s.Every = o.duration("every", 0, time.Millisecond, time.Hour)
	}
	s.Serve = rule.Has(sim.FieldServe) && o.Truth("serve")
	if rule.Has(sim.FieldChange) {
		r.change(o, s)
	}
	if rule.Has(sim.FieldHost) {
		s.Host = o.Text("host", "", "a DNS name", func(host string) bool { return isHost(host) || r.s.Shield.Floods(host) })
		if s.Do == sim.Flood && o.Has("whom") && s.Host != "" && !r.s.Shield.Floods(s.Host) {
			r.Wrong(o.Where("whom"), "%s: a flood has no whom without a shield: it comes through all doors", o.Join("whom"))
		}
		if s.Do == sim.Flood && o.Has("delay") && s.Host != "" && !r.s.Shield.Floods(s.Host) {
			r.Wrong(o.Where("delay"), "%s: a flood has no delay without a shield: there are no places to keep", o.Join("delay"))
		}
		var known []string
		for _, l := range r.s.Load {
			known = append(known, l.Host)
		}
		if r.s.Shield != nil {
			known = append(known, r.s.Shield.Hosts()...)
			known = append(known, sim.Everybody, sim.RandomNames, sim.Wildcard, sim.Unfinished)
		}
		if s.Host != "" && !slices.Contains(known, s.Host) {
			r.Wrong(o.Where("host"), "%s is %q, for which no load comes: %s", o.Join("host"), s.Host, among1(s.Host, known))
		}
	}
}

// fenced is a fault of fence devices, and where it stands.
type fenced struct {
	at   strict.Place
	path string
	kind sim.FaultKind
}

func (r *reader) fenced(at strict.Place, path string, kind sim.FaultKind) {
	if kind == sim.LyingFence || kind == sim.HangingFence || kind == sim.FailingFence {
		r.fences = append(r.fences, fenced{at, path, kind})
	}
}

// devices refuses the faults of fence devices where there never are any.
func (r *reader) devices() {
	if len(r.fences) == 0 || r.s.ground == nil {
		return
	}
	power := func(fence []string) bool { return slices.Contains(fence, "power") }
	if slices.ContainsFunc(r.s.ground.fleet.Pools, func(p member.Pool) bool { return power(p.Fence) }) {
		return
	}
	for _, s := range r.s.Steps {
		if s.Change == nil {
			continue
		}
		for _, p := range s.Change.Pools {
			if power(p.Fence) {
				return
			}
		}
	}
	for _, f := range r.fences {
		r.Wrong(f.at, "%s is %s, and there is no fence device: no pool has power among its fence", f.path, f.kind)
	}
}

// mend reads a step that ends what earlier ones began.
func (r *reader) mend(o object, s *Step) {
	for _, key := range []string{"except", "other", "for", "share", "delay", "every", "serve", "host", "change", "as"} {
		if o.Has(key) {
			r.Wrong(o.Pairs[key].At, "%s: mend has no %s", o.Join(key), key)
		}
	}
	if !o.Has("whom") {
		o.Missing("whom", `the name that the step to be mended gave with as: "@victim"`)
	}
	for _, x := range s.Whom {
		i, ok := r.named[x.name]
		switch {
		case x.kind != byStep:
			r.Wrong(o.Where("whom"), `%s is %s, want the name that the step to be mended gave with as: "@victim"`, o.Join("whom"), x)
		case !ok: // said already
		case r.s.Steps[i].For > 0:
			r.Wrong(o.Where("whom"), "%s is %s: that one ends by itself", o.Join("whom"), x)
		default:
			if rule, ok := sim.RuleOf(r.s.Steps[i].Do); ok && !rule.Ends {
				r.Wrong(o.Where("whom"), "%s is %s: nothing mends a %s", o.Join("whom"), x, r.s.Steps[i].Do)
			}
		}
	}
}

// among1 is what to say about a name that is not there.
func among1[T ~string](name string, known []T) string {
	if near := strict.Nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	const few = 8
	switch {
	case len(known) == 0:
		return "there is none"
	case len(known) > few:
		return fmt.Sprintf("want %s to %s", known[0], known[len(known)-1])
	}
	return "want " + strict.Words(known, "or")
}
