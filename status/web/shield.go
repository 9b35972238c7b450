package web

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"moonwatch/member"
	"moonwatch/shield"
	"moonwatch/status"
)

// How much of each list the page of the shield shows: the rest is counted, and in the
// JSON. With these it stays below 30 KB while as many subdomains are held as can be.
const (
	shownSubdomains = 20
	shownHeld       = 30
	shownThrottles  = 30
	shownNotes      = 20
)

// shieldModel is what one agent knows of the shield, arranged for the eye.
type shieldModel struct {
	frame
	status.ShieldDocument
	Above     float64 // where pressure begins
	Shown     []status.ShieldLine
	More      int
	Holding   []status.ShieldHeld
	HeldMore  int
	Written   []status.ShieldThrottle
	WroteMore int
	News      []status.ShieldNote // the newest first
}

func shieldOf(t *tongue, cluster string, d status.ShieldDocument) shieldModel {
	m := shieldModel{
		frame: frameOf(t, t.Say("Shield"), "/shield", "", cluster), ShieldDocument: d, Above: shield.DefaultShareRules().Pressure,
		Shown: d.Top[:min(len(d.Top), shownSubdomains)], Holding: d.Held[:min(len(d.Held), shownHeld)],
		Written: d.Throttles[:min(len(d.Throttles), shownThrottles)],
	}
	m.Script = "again.js"
	m.More, m.HeldMore, m.WroteMore = len(d.Top)-len(m.Shown), len(d.Held)-len(m.Holding), len(d.Throttles)-len(m.Written)
	for i := len(d.Notes) - 1; i >= max(0, len(d.Notes)-shownNotes); i-- {
		m.News = append(m.News, d.Notes[i])
	}
	return m
}

// Means says what the mode does.
func (m shieldModel) Means() string {
	switch {
	case m.Door == "":
		return m.L.Say("This agent has no door: it shows what the ledger says. The doors themselves show what they count.")
	case m.Mode == member.ShieldEnforce:
		return m.L.Say("Whoever asks for more than its share, while all ask for too much, is held to it.")
	case m.Mode == member.ShieldShadow:
		return m.L.Say("Everything is decided and nothing is done: whoever is listed would be held.")
	default:
		return m.L.Say("Everything is counted, and nobody is held.")
	}
}

// Tone is how the shield stands.
func (m shieldModel) Tone() string {
	switch {
	case m.Problem != "", m.Overload:
		return "bad"
	case m.Pressure > m.Above, len(m.Held) > 0:
		return "mind"
	case m.Door == "", m.Mode == member.ShieldOff:
		return "calm"
	default:
		return "good"
	}
}

// Word is the page's one sentence.
func (m shieldModel) Word() string {
	would, held := 0, 0
	for _, x := range m.Held {
		if x.Shadow {
			would++
		} else {
			held++
		}
	}
	switch {
	case m.Overload:
		return m.L.Say("Too much is asked for, and nobody in particular is to blame")
	case held > 0:
		return m.L.Say("Subdomains held: %d", held)
	case would > 0:
		return m.L.Say("Subdomains that would be held: %d", would)
	case m.Pressure > m.Above:
		return m.L.Say("More is asked for than there should be, and nobody is held")
	default:
		return m.L.Say("Nobody is held")
	}
}

// Part is a part of something in per cent.
func (m shieldModel) Part(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*x)
}

// LetIn is what of a subdomain's clients is let in.
func (m shieldModel) LetIn(permille int) string {
	return fmt.Sprintf("%.1f %%", 100*float64(permille)/shield.Whole)
}

// OfAll is a rate's part of everything that is asked for.
func (m shieldModel) OfAll(rate float64) string {
	if m.Asked <= 0 {
		return "–"
	}
	return m.Part(rate / m.Asked)
}

// Silent are the doors that are not heard.
func (m shieldModel) Silent() []member.ID {
	return slices.DeleteFunc(slices.Clone(m.AllDoors), func(id member.ID) bool { return m.Door == "" || slices.Contains(m.Doors, id) })
}

// Rate is a number of requests a second.
func (m shieldModel) Rate(x float64) string { return fmt.Sprintf("%.0f", x) }

// AtOnce reports that the capacity counts requests at once, and not a second.
func (m shieldModel) AtOnce() bool { return m.Unit == member.ShieldTime }

// Some is a number in the capacity's unit.
func (m shieldModel) Some(x float64) string {
	if m.AtOnce() {
		return fmt.Sprintf("%.1f", x)
	}
	return m.Rate(x)
}

// Host names a subdomain.
func (m shieldModel) Host(name string) string {
	if name == "" {
		return m.L.Say("(a name that this door has not seen)")
	}
	return name
}

// Rung is how hard somebody is held.
func (m shieldModel) Rung(x status.ShieldHeld) string {
	if x.Shadow {
		return m.L.Say("would be: %s", m.L.Word(x.Rung))
	}
	return m.L.Word(x.Rung)
}

// Voice says by whose word a subdomain is held.
func (m shieldModel) Voice(x status.ShieldHeld) string {
	switch rung, _ := shield.RungOf(x.Rung); {
	case x.By != "":
		return m.L.Say("operator %s", x.By)
	case rung.Voted():
		return m.L.Say("votes of %s", strings.Join(x.Doors, ", "))
	case rung == shield.ShapeFleet:
		return m.L.Say("all doors, seen by %s", strings.Join(x.Doors, ", "))
	default:
		return m.L.Say("this door alone")
	}
}

// Stands says by whose word something stands in the ledger.
func (m shieldModel) Stands(x status.ShieldThrottle) string {
	if x.By != "" {
		return m.L.Say("operator %s", x.By)
	}
	return m.L.Say("votes of %s", joined(x.Doors))
}

// Names lists members.
func (m shieldModel) Names(ids []member.ID) string { return joined(ids) }

func joined(ids []member.ID) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words, ", ")
}

// Wrote is the rung that the ledger says.
func (m shieldModel) Wrote(x status.ShieldThrottle) string {
	if x.Rung == shield.Observe.String() {
		return m.L.Say("left alone")
	}
	return m.L.Word(x.Rung)
}

// Clock is a time of day, and the day where it is another one.
func (m shieldModel) Clock(x time.Time) stamp { return m.L.At(m.Now, x) }

// Ago is how long something has lasted.
func (m shieldModel) Ago(x time.Time) string { return m.L.Span(max(0, m.Now.Sub(x))) }

// shieldPage answers with what this agent knows of the shield now. A door says something
// new every half second.
func (s *Server) shieldPage(w http.ResponseWriter, r *http.Request) {
	d := status.ShieldDocument{Now: time.Now().UTC()}
	if s.cfg.Shield != nil {
		d = s.cfg.Shield()
	}
	cluster, mode := "", (*banner)(nil)
	if v := s.current(); v != nil {
		cluster, mode = v.page.Cluster, v.banner()
	}
	t := tongueOf(r)
	m := shieldOf(t, cluster, d)
	m.Banner = mode
	answerIn(w, r, s.kept.page(s.now(), "shield "+t.Code, nil, m, func() []byte { return squeeze(render("shield", m)) }))
}
