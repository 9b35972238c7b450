package web

import (
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"moonwatch/docs/runbooks"
	"moonwatch/failover"
	"moonwatch/status"
)

// runbookModel is one runbook, arranged for the eye. Its text is English in every language:
// it names commands, and one wording is easier kept right than two.
type runbookModel struct {
	frame
	ID      string
	Blocks  []block
	Trouble string
}

// block is a paragraph, a list or commands of a runbook.
type block struct {
	Kind  string // p, ul or pre
	Items [][]run
}

// run is a piece of text that looks the same throughout.
type run struct {
	Kind string // empty, b, code or a
	Text string
	Link string
}

// marks are what runbooks are written with beside plain text.
var marks = regexp.MustCompile("\\*\\*[^*]+\\*\\*|`[^`]+`|\\[[^\\]]+\\]\\([A-Za-z0-9-]+\\.md\\)")

func runsOf(t *tongue, text string) []run {
	var out []run
	for text != "" {
		at := marks.FindStringIndex(text)
		if at == nil {
			return append(out, run{Text: text})
		}
		if at[0] > 0 {
			out = append(out, run{Text: text[:at[0]]})
		}
		switch mark := text[at[0]:at[1]]; mark[0] {
		case '*':
			out = append(out, run{Kind: "b", Text: strings.Trim(mark, "*")})
		case '`':
			out = append(out, run{Kind: "code", Text: strings.Trim(mark, "`")})
		default:
			words, name, _ := strings.Cut(strings.Trim(mark, "[)"), "](")
			out = append(out, run{Kind: "a", Text: words, Link: t.Book(strings.TrimSuffix(name, ".md"))})
		}
		text = text[at[1]:]
	}
	return out
}

// blocksOf reads the Markdown that runbooks are written in: paragraphs, lists, commands.
// The title is the page's own.
func blocksOf(t *tongue, text string) []block {
	var out []block
	grow := func(kind string, item string, more bool) {
		if n := len(out); more && n > 0 && out[n-1].Kind == kind {
			out[n-1].Items = append(out[n-1].Items, runsOf(t, item))
			return
		}
		out = append(out, block{kind, [][]run{runsOf(t, item)}})
	}
	for part := range strings.SplitSeq(text, "\n\n") {
		part = strings.Trim(part, "\n")
		switch {
		case part == "", strings.HasPrefix(part, "# "):
		case strings.HasPrefix(part, "    "):
			out = append(out, block{"pre", [][]run{{{Text: strings.ReplaceAll("\n"+part, "\n    ", "\n")[1:]}}}})
		case strings.HasPrefix(part, "* "):
			for i, item := range strings.Split("\n"+part, "\n* ")[1:] {
				grow("ul", strings.Join(strings.Fields(item), " "), i > 0)
			}
		default:
			grow("p", strings.Join(strings.Fields(part), " "), false)
		}
	}
	return out
}

// runbookOf names the runbook of a case that does not go on by itself.
func runbookOf(c status.Case) string {
	switch {
	case c.Runbook != "":
		return strings.TrimSuffix(path.Base(c.Runbook), ".md")
	case c.State == failover.Escalated:
		return "MoonwatchCaseEscalated"
	default:
		return ""
	}
}

// runbooksOf are those of what an explanation is about.
func runbooksOf(e status.Explanation) []string {
	var out []string
	if e.Case != nil {
		if name := runbookOf(*e.Case); name != "" {
			out = append(out, name)
		}
	}
	if e.Verdict != nil {
		for _, f := range e.Verdict.Findings {
			out = append(out, verdictBook(string(f.Kind)))
		}
	}
	if e.Member != nil && e.Member.Verdict != "" {
		out = append(out, verdictBook(string(e.Member.Verdict)))
	}
	if m := e.Member; m != nil && m.Duty == failover.Spare && m.Verdict == "" && !m.Ready {
		out = append(out, "MoonwatchSparesLow")
	}
	if e.Mode != nil && e.Case == nil {
		out = append(out, map[failover.Mode]string{
			failover.Cascade: "MoonwatchBrakeOn", failover.Guarded: "MoonwatchBrakeGuarded", failover.Isolated: "MoonwatchNoCouncil",
		}[e.Mode.Name])
	}
	if e.Unlisted != nil && !e.Unlisted.Retired {
		out = append(out, "MoonwatchUnlistedAgent")
	}
	if e.Slot != nil && e.Slot.State != status.SlotServing {
		out = append(out, "MoonwatchSlotNotServing")
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(name string) bool { return name == "" })
}

// verdictBook names the runbook of the alert that a kind of verdict raises.
func verdictBook(kind string) string {
	switch kind {
	case "up":
		return ""
	case "partial":
		return "MoonwatchMemberPartial"
	default:
		return "MoonwatchMemberDown"
	}
}

// runbookPage shows one runbook of this build.
func (s *Server) runbookPage(w http.ResponseWriter, r *http.Request) {
	t, name := tongueOf(r), strings.TrimSuffix(r.PathValue("name"), ".md")
	m := runbookModel{frame: frameOf(t, name, "/runbook/"+url.PathEscape(name), "", ""), ID: name}
	m.JSON = ""
	if v := s.current(); v != nil {
		m.Of, m.Banner = v.page.Cluster, v.banner()
	}
	text, err := fs.ReadFile(runbooks.Files, name+".md")
	if err != nil || !fs.ValidPath(name) {
		m.Trouble = t.Say("There is no such runbook.")
		m.Blocks = blocksOf(t, string(must(fs.ReadFile(runbooks.Files, "README.md"))))
		refuse(w, http.StatusNotFound, render("runbook", m))
		return
	}
	m.Blocks = blocksOf(t, string(text))
	answerIn(w, r, newContent("text/html; charset=utf-8", render("runbook", m)))
}

// must is for files that are part of the program.
func must(b []byte, err error) []byte {
	if err != nil {
		panic("web: embedded runbooks: " + err.Error())
	}
	return b
}
