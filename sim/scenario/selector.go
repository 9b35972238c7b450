package scenario

import (
	"fmt"
	"strconv"
	"strings"

	"moonwatch/internal/strict"
	"moonwatch/member"
)

// Selector says in words which members are meant: "member:web-3", "leader",
// "random:10% of pool:web". It is kept as it was written.
type Selector struct {
	kind  selectorKind
	name  string    // of a member, failure domain, pool, slot or step
	count int       // of random
	share float64   // of random and half
	of    *Selector // of random and half: among whom; of observers-of: whose
}

type selectorKind string

const (
	byMember    selectorKind = "member:"
	byDomain    selectorKind = "failure-domain:"
	byPool      selectorKind = "pool:"
	bySlot      selectorKind = "slot:"
	byStep      selectorKind = "@"
	byObserving selectorKind = "observers-of:"
	byChance    selectorKind = "random:"
	halfOf      selectorKind = "half"
	everybody   selectorKind = "all"
	theLeader   selectorKind = "leader"
	theCouncil  selectorKind = "council"
	minority    selectorKind = "council:minority"
	majority    selectorKind = "council:majority"
	followers   selectorKind = "followers"
	theSpares   selectorKind = "spares"
	theClaimed  selectorKind = "claimed"
	occupants   selectorKind = "occupants"
)

// prefixed are the kinds that something follows.
var prefixed = []selectorKind{byObserving, byMember, byDomain, byPool, bySlot, byChance, byStep}

// single are the kinds that stand alone.
var single = []selectorKind{everybody, theLeader, theCouncil, minority, majority, followers, theSpares, theClaimed, occupants}

// selectorWords is what a selector may begin with, for people.
var selectorWords = []string{
	"member:NAME", "failure-domain:NAME", "pool:NAME", "slot:NAME", "leader", "council", "council:minority", "council:majority",
	"followers", "observers-of:WHOM", "spares", "claimed", "occupants", "all", "half", "random:3", "random:10%", "@name",
}

// ParseSelector reads a selector. Whether there is such a member is not known
// here.
func ParseSelector(s string) (Selector, error) {
	for _, k := range single {
		if s == string(k) {
			return Selector{kind: k}, nil
		}
	}
	if rest, ok := strings.CutPrefix(s, string(halfOf)); ok && (rest == "" || strings.HasPrefix(rest, " ")) {
		of, err := among(rest)
		return Selector{kind: halfOf, share: 0.5, of: of}, err
	}
	for _, k := range prefixed {
		if rest, ok := strings.CutPrefix(s, string(k)); ok {
			return parsePrefixed(k, rest)
		}
	}
	if near := strict.Nearest(s, selectorWords); near != "" {
		return Selector{}, fmt.Errorf("%q selects nobody, did you mean %s?", s, near)
	}
	return Selector{}, fmt.Errorf("%q selects nobody, want %s", s, strict.Words(selectorWords, "or"))
}

func parsePrefixed(k selectorKind, rest string) (Selector, error) {
	s := Selector{kind: k}
	switch k {
	case byObserving:
		of, err := ParseSelector(rest)
		s.of = &of
		return s, err
	case byChance:
		amount, tail, _ := strings.Cut(rest, " ")
		if tail != "" {
			tail = " " + tail
		}
		digits, percent := strings.CutSuffix(amount, "%")
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 || percent && n > 100 {
			return s, fmt.Errorf("random:%s selects nobody, want a count from 1 or a share from 1%% to 100%%", amount)
		}
		if percent {
			s.share = float64(n) / 100
		} else {
			s.count = n
		}
		s.of, err = among(tail)
		return s, err
	default:
		if rest == "" || strings.ContainsAny(rest, " ,()") {
			return s, fmt.Errorf("%s%s selects nobody, want one name behind %s", k, rest, k)
		}
		s.name = rest
		return s, nil
	}
}

// among reads the rest of a selector that draws: nothing, or " of WHOM".
func among(rest string) (*Selector, error) {
	if rest == "" {
		return nil, nil
	}
	whom, ok := strings.CutPrefix(rest, " of ")
	if !ok {
		return nil, fmt.Errorf("%q is not understood, want of and another selector", strings.TrimSpace(rest))
	}
	of, err := ParseSelector(whom)
	return &of, err
}

// String is the selector as it is written.
func (s Selector) String() string {
	text := string(s.kind) + s.name
	switch {
	case s.kind == byChance && s.count > 0:
		text += strconv.Itoa(s.count)
	case s.kind == byChance:
		text += strconv.Itoa(int(s.share*100+0.5)) + "%"
	}
	switch {
	case s.of == nil:
	case s.kind == byObserving:
		text += s.of.String()
	default:
		text += " of " + s.of.String()
	}
	return text
}

// MarshalText writes the selector into a plan.
func (s Selector) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads it from a plan.
func (s *Selector) UnmarshalText(b []byte) (err error) {
	*s, err = ParseSelector(string(b))
	return err
}

// isMember is the selector of one member.
func isMember(id member.ID) Selector { return Selector{kind: byMember, name: string(id)} }

// draws reports whether chance decides.
func (s Selector) draws() bool {
	return s.kind == byChance || s.kind == halfOf || s.kind == minority || s.kind == majority
}
