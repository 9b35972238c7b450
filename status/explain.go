package status

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moonwatch/member"
)

// Explanation answers "why?": the same as lines of text and as values. What was asked for
// is set, and what it stands on: the occupant of a slot, what a member's observers see now,
// mode and budget of what waits for them.
type Explanation struct {
	ID      string   `json:"id"`
	Lines   []string `json:"lines"`
	Verdict *Verdict `json:"verdict,omitempty"`
	Case    *Case    `json:"case,omitempty"`
	Request *Request `json:"request,omitempty"`
	Member  *Member  `json:"member,omitempty"`
	Slot    *Slot    `json:"slot,omitempty"`

	Mode     *Mode          `json:"mode,omitempty"`
	Budget   *Budget        `json:"budget,omitempty"`
	Observed *Observed      `json:"observed,omitempty"`
	Unlisted *Unlisted      `json:"unlisted,omitempty"`
	Incident *FleetIncident `json:"incident,omitempty"`

	See []string `json:"see,omitempty"` // ids that tell more
}

// ErrUnknown is the refusal to explain what the page does not hold. The error
// around it says which ids exist.
var ErrUnknown = errors.New("nothing is known by that id")

// Explain tells why things stand as they do. The id is that of a verdict
// (V-12), of a case (C-13), of a request, "mode", or the name of a member, of a slot or
// of an agent that is in no roster; a member's name wins, and a slot is explained by who
// holds it, or could.
func (p Page) Explain(id string) (Explanation, error) {
	id = strings.TrimSpace(id)
	if m, ok := p.member(member.ID(id)); ok {
		return p.explainMember(m), nil
	}
	if e, ok := p.explainSlot(member.SlotID(id)); ok {
		return e, nil
	}
	for _, u := range p.Unlisted {
		if string(u.ID) == id {
			return p.explainUnlisted(u), nil
		}
	}
	if id == modeID {
		return p.explainMode(), nil
	}
	kind, index, ok := parseID(id)
	switch {
	case ok && kind == "V":
		if v, found := p.verdict(index); found {
			return p.explainVerdict(v), nil
		}
	case ok && kind == "C":
		if c, found := p.caseAt(index); found {
			return p.explainCase(c), nil
		}
	case ok && kind == "R":
		if i := slices.IndexFunc(p.Requests, func(r Request) bool { return r.Index == index }); i >= 0 {
			return p.explainRequest(p.Requests[i]), nil
		}
	}
	return Explanation{}, p.unknown(id, kind, index)
}

// lines is text that grows line by line; deeper lines are indented.
type lines []string

func (l *lines) say(depth int, format string, args ...any) {
	l.put(depth, fmt.Sprintf(format, args...))
}

func (l *lines) put(depth int, text string) {
	*l = append(*l, strings.Repeat("  ", depth)+oneLine(text))
}

// parseID reads V-12 or c-13.
func parseID(id string) (kind string, index uint64, ok bool) {
	kind, number, cut := strings.Cut(strings.ToUpper(id), "-")
	index, err := strconv.ParseUint(number, 10, 64)
	if !cut || err != nil || kind != "V" && kind != "C" && kind != "R" {
		return "", 0, false
	}
	return kind, index, true
}

// unknown says why an id leads nowhere and which ones would lead somewhere.
func (p Page) unknown(id, kind string, index uint64) error {
	why := "no member has that name, and an id looks like V-12 or C-13"
	if id == "" {
		why = "want the id of a verdict or case, or the name of a member"
	}
	if kind != "" {
		why = p.noSuch(kind, index)
	}
	return fmt.Errorf("explain %q: %s (%s): %w", oneLine(id), why, p.known(), ErrUnknown)
}

// noSuch tells a fact of another kind from one that does not exist, and from
// one that is too old for this agent's memory.
func (p Page) noSuch(kind string, index uint64) string {
	if index == 0 || index > p.Knowledge.Head {
		return fmt.Sprintf("the ledger of %s ends with fact %d", p.Self.Name, p.Knowledge.Head)
	}
	for _, f := range p.Facts {
		if f.Index == index {
			return fmt.Sprintf("fact %d is something else: %s", index, f.Line)
		}
	}
	what := "verdict"
	switch kind {
	case "C":
		what = "case"
	case "R":
		what = "request"
	}
	return fmt.Sprintf("fact %d is no %s or is older than what %s keeps in mind", index, what, p.Self.Name)
}

// known lists which ids exist.
func (p Page) known() string {
	var ids []member.ID
	for _, m := range p.Members {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	var vs, cs []string
	for _, v := range p.Verdicts {
		vs = append(vs, v.ID)
	}
	for _, c := range p.Cases {
		cs = append(cs, c.ID)
	}
	return fmt.Sprintf("members: %s; verdicts: %s; cases: %s", orNone(ids), orNone(vs), orNone(cs))
}

func orNone[T ~string](ids []T) string {
	if len(ids) == 0 {
		return "none"
	}
	return names(ids)
}

func (p Page) member(id member.ID) (Member, bool) {
	for i := range p.Members { // by index: a Member is long, and a verdict asks for each of many
		if p.Members[i].ID == id {
			return p.Members[i], true
		}
	}
	return Member{}, false
}

func (p Page) verdict(index uint64) (Verdict, bool) {
	i := slices.IndexFunc(p.Verdicts, func(v Verdict) bool { return v.Index == index })
	if i < 0 {
		return Verdict{}, false
	}
	return p.Verdicts[i], true
}

func (p Page) caseAt(index uint64) (Case, bool) {
	i := slices.IndexFunc(p.Cases, func(c Case) bool { return c.Index == index })
	if i < 0 {
		return Case{}, false
	}
	return p.Cases[i], true
}
