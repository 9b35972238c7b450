package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"sync"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/shield"
	"moonwatch/status"
)

//go:embed templates
var templateFiles embed.FS

// templates escape whatever they are given: names come from other machines. They are
// read when somebody asks for a page: most agents, and most runs of a command, never are.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"tone": tone,
		"word": word,
		"dict": dict,
		"pips": pips,

		"rungtone": rungTone,
		"stance":   stanceTone,
		"runbook":  runbookOf,
	}).ParseFS(templateFiles, "templates/*.html"))
})

// render fills a template; an error is a mistake in it, and a test renders all
// of them.
func render(name string, data any) []byte {
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, data); err != nil {
		panic(fmt.Sprintf("web: template %s: %v", name, err))
	}
	return b.Bytes()
}

// dict hands several values to a template within a template.
func dict(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

// stamp is a time for machines and for people.
type stamp struct{ Machine, Human string }

// tone is how something stands: good, mind, bad, busy or calm. It picks colour
// and shape together; the word beside it says the same.
func tone(x any) string {
	switch x := x.(type) {
	case failover.Mode:
		return map[failover.Mode]string{failover.Normal: "good", failover.Guarded: "mind", failover.Cascade: "bad", failover.Isolated: "mind"}[x]
	case consensus.VerdictKind:
		switch x {
		case "", consensus.VerdictUp:
			return "good"
		case consensus.VerdictPartial, consensus.VerdictAgentLost:
			return "mind"
		default:
			return "bad"
		}
	case status.SlotState:
		switch x {
		case status.SlotServing:
			return "good"
		case status.SlotDrained:
			return "busy"
		default:
			return "bad"
		}
	case failover.CaseState:
		switch x {
		case failover.Closed, failover.Settling, failover.Cutover:
			return "good"
		case failover.Held:
			return "mind"
		case failover.Escalated:
			return "bad"
		default:
			return "busy"
		}
	case incidentRow:
		return x.tone()
	case status.Request:
		if x.Open {
			return "mind"
		}
		return "calm"
	case status.Member:
		if x.Verdict == "" && x.Trouble() {
			return "mind"
		}
		return tone(x.Verdict)
	default:
		return "calm"
	}
}

// word is what the tone's word says about a member.
func word(m status.Member) string {
	switch {
	case m.Verdict != "":
		return string(m.Verdict)
	case m.Accused:
		return "accused"
	case !m.InView:
		return "not in view"
	default:
		return "up"
	}
}

// took is how long a closed case went on until the slot was served again.
func took(c status.Case) time.Duration {
	end := c.Since
	for _, x := range c.Passages {
		if x.State == failover.Cutover {
			end = x.At
		}
	}
	return end.Sub(c.Passages[0].At)
}

// stanceTone is what a vote says.
func stanceTone(stance string) string {
	switch stance {
	case "down":
		return "bad"
	case "up":
		return "good"
	default:
		return "calm"
	}
}

// pip is one vote in the row of votes.
type pip struct{ Stance string }

// pips draws a tally: down votes, silence, up votes.
func pips(t status.Tally) []pip {
	out := make([]pip, 0, t.Eligible)
	for range t.Downs {
		out = append(out, pip{"down"})
	}
	for range max(0, t.Eligible-t.Downs-t.Ups) {
		out = append(out, pip{"none"})
	}
	for range t.Ups {
		out = append(out, pip{"up"})
	}
	return out
}

// rungTone is how hard a subdomain is held.
func rungTone(name string, shadow bool) string {
	rung, ok := shield.RungOf(name)
	switch {
	case !ok, rung == shield.Observe, shadow:
		return "calm"
	case rung >= shield.Stop:
		return "bad"
	default:
		return "mind"
	}
}
