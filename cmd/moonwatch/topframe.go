package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"moonwatch/status"
)

// topLine is one line of the view: cells beside each other, which have their spaces
// already.
type topLine struct {
	cells  []cell
	cursor bool
}

// What the view needs, and how much of it the parts above the members may take.
const (
	topMinWidth, topMinHeight = 40, 10
	topCases, topPools        = 6, 4
	topShield                 = 3
	topMembers                = 4 // at least so many are shown
)

func say(t tone, format string, args ...any) topLine {
	return topLine{cells: []cell{{clean(fmt.Sprintf(format, args...)), t}}}
}

// frame draws the model: as many lines as there is room for, none wider than that.
func (m topModel) frame() []topLine {
	var lines []topLine
	switch {
	case m.width < topMinWidth || m.height < topMinHeight:
		lines = m.tiny()
	case m.help:
		lines = append(m.head(), topHelp()...)
	case m.explain != nil:
		all := m.explanation()
		lines = append(m.head(), topLine{}, say(head, "Why %s:", m.explain.id))
		lines = append(lines, all[min(m.explain.scroll, len(all)):min(m.explain.scroll+m.explainRows(), len(all))]...)
	default:
		lines = append(m.above(), m.below()...)
	}
	foot := m.foot()
	if len(lines) > m.height-1 {
		lines = lines[:max(0, m.height-1)]
	}
	for len(lines) < m.height-1 {
		lines = append(lines, topLine{})
	}
	lines = append(lines, foot)
	for i := range lines {
		lines[i] = lines[i].cut(m.width)
	}
	return lines
}

// tiny is for a window in which there is room for the mode alone.
func (m topModel) tiny() []topLine {
	lines := m.head()
	return append(lines[:min(len(lines), max(0, m.height-2))], say(warn, "want %dx%d", topMinWidth, topMinHeight))
}

// head is what stands on every screen: the mode, why, since when and how it ends, and how
// old all of this is.
func (m topModel) head() []topLine {
	if m.page == nil {
		if m.stuck != "" {
			return []topLine{say(bad, "%s", m.stuck)}
		}
		return []topLine{say(plain, "Asking the agent ...")}
	}
	p := m.page
	mode := topLine{cells: []cell{{strings.ToUpper(string(p.Mode.Name)), modeTone(p.Mode.Name)}}}
	if !p.Mode.Since.IsZero() {
		mode.add(plain, " for %s", span(max(0, m.clock().Sub(p.Mode.Since))))
	}
	mode.add(plain, ": %s", p.Mode.Means)
	lines := []topLine{mode}
	if p.Mode.Why != "" {
		lines = append(lines, say(plain, "  because %s", p.Mode.Why))
	}
	if p.Mode.Ends != "" {
		lines = append(lines, say(plain, "  ends when %s", p.Mode.Ends))
	}
	for _, s := range p.Mode.Scopes[:min(len(p.Mode.Scopes), 3)] {
		lines = append(lines, topLine{cells: []cell{{clean(fmt.Sprintf("  %s: %s", s.Scope, s.Name)), modeTone(s.Name)}, {clean(" because " + s.Why + "; ends when " + s.Ends), plain}}})
	}
	council := councilLine(p.Council)
	known := knowledgeLine(*p)
	about := topLine{}
	about.add(plain, "%s, council: ", p.Cluster)
	about.cells = append(about.cells, cell{clean(council.text), council.tone}, cell{"; ", plain}, cell{clean(known.text), known.tone})
	lines = append(lines, about)
	switch late := m.now.Sub(m.got); {
	case m.paused:
		lines = append(lines, say(warn, "Paused: this is how it was %s ago, at %s; p goes on", span(max(0, late)), moment(p.Now)))
	case m.stuck != "":
		lines = append(lines, say(bad, "No answer for %s: %s", span(max(0, late)), m.stuck))
	}
	return lines
}

func (l *topLine) add(t tone, format string, args ...any) {
	l.cells = append(l.cells, cell{clean(fmt.Sprintf(format, args...)), t})
}

// above is everything over the members.
func (m topModel) above() []topLine {
	lines := m.head()
	if m.page == nil {
		return lines
	}
	p := *m.page
	for _, h := range p.Holds[:min(len(p.Holds), 2)] {
		lines = append(lines, say(warn, "Hold      %s", h.Line()))
	}
	for _, r := range p.Requests {
		if r.Open {
			lines = append(lines, say(warn, "Approval  %s", r.Line()))
			break
		}
	}
	lines = append(lines, say(plain, "Budget    %d of %d replacements under way, %d of %d spent within %s", p.Budget.InFlight, p.Budget.MayFly,
		p.Budget.Spent, p.Budget.MaySpend, span(time.Duration(p.Budget.WindowSeconds*float64(time.Second)))))
	if len(p.Pools) > 0 {
		lines = append(lines, topLine{})
		lines = append(lines, shortList(gridOf(p.Pools, poolColumns(), m.width >= 110), topPools, "pools")...)
	}
	if open := openCases(p); len(open) > 0 {
		lines = append(lines, topLine{})
		lines = append(lines, shortList(gridOf(open, m.openColumns(p), m.width >= 150), topCases, "open cases")...)
	}
	lines = append(lines, m.shielding()...)
	// In a low window the members come before the details of the rest.
	return lines[:min(len(lines), max(len(m.head()), m.height-1-2-topMembers))]
}

// openColumns are those of a case with its deadline, before what comes next: that one
// may be long.
func (m topModel) openColumns(p status.Page) []column[status.Case] {
	p.Now = m.clock()
	columns := caseColumns(p)
	next := columns[len(columns)-1]
	columns[len(columns)-1] = column[status.Case]{title: "DEADLINE", of: func(c status.Case) cell {
		switch left := c.Deadline.Sub(p.Now); {
		case c.Deadline.IsZero():
			return cell{}
		case left < 0:
			return cell{"over for " + span(-left), bad}
		default:
			return text("in %s", span(left))
		}
	}}
	return append(columns, next)
}

// shielding is what the agent's door has to do, if it has one.
func (m topModel) shielding() []topLine {
	d := m.shield
	if d == nil || d.Mode == "off" {
		return nil
	}
	line := say(plain, "Shield    %s: %.0f/s asked, %.0f/s let in, pressure %.2f", d.Mode, d.Asked, d.Admitted, d.Pressure)
	switch {
	case d.Problem != "":
		line.add(bad, "; %s", d.Problem)
	case d.Overload:
		line.add(bad, "; overload, and nobody in particular is to blame")
	case len(d.Held) > 0:
		line.add(warn, "; %d held", len(d.Held))
	}
	lines := []topLine{{}, line}
	for i, x := range d.Top[:min(len(d.Top), topShield)] {
		held := cell{}
		for _, h := range d.Held {
			if h.Host == x.Host {
				held = heldRung(h)
			}
		}
		lines = append(lines, topLine{cells: []cell{
			{fmt.Sprintf("  %d. %s  %.1f/s asked, %.1f/s let in  ", i+1, clean(named(x.Host).text), x.Asked, x.Admitted), plain}, {clean(held.text), held.tone},
		}})
	}
	return lines
}

// below are the members, as many as there is room for.
func (m topModel) below() []topLine {
	if m.page == nil {
		return nil
	}
	list := m.members()
	lines := []topLine{{}}
	switch {
	case len(m.page.Members) == 0:
		return append(lines, say(plain, "%s", noRoster))
	case len(list) == 0:
		return append(lines, say(warn, "No member fits the filter %q; esc takes it away.", m.filter))
	}
	page := *m.page
	page.Now = m.clock()
	grid := lay(gridOf(list, memberColumns(page), m.width >= 150))
	grid[m.at()+1].cursor = true
	first := min(m.scroll, len(list))
	last := min(first+m.memberRows(), len(list))
	lines = append(lines, grid[0])
	return append(lines, grid[1+first:1+last]...)
}

// memberRows is how many members there is room for: under the rest, an empty line and the
// titles, above the last line.
func (m topModel) memberRows() int { return max(0, m.height-1-len(m.above())-2) }

func (m topModel) foot() topLine {
	if m.typing {
		return say(head, "/%s_", m.filter)
	}
	var l topLine
	if list := m.members(); m.page != nil && !m.help && m.explain == nil {
		first := min(m.scroll, len(list))
		l.add(plain, "%d-%d of %d members by %s", min(first+1, len(list)), min(first+m.memberRows(), len(list)), len(list), m.order)
		if m.back {
			l.add(plain, ", backwards")
		}
		if m.filter != "" {
			l.add(warn, ", filter %q", m.filter)
		}
		l.add(plain, "   ")
	}
	switch {
	case m.help:
		l.add(head, "any key: back   q quit")
	case m.explain != nil:
		l.add(head, "esc back   j/k scroll   1-9 see also   q quit")
	default:
		l.add(head, "q quit   ? help   enter why   s sort   / filter   p pause")
	}
	return l
}

func topHelp() []topLine {
	lines := []topLine{{}}
	for _, x := range [][2]string{
		{"j k, arrows, PgUp PgDn, g G", "move"},
		{"enter", "why the member under the cursor is as it is"},
		{"c", "why the first open case is as it is"},
		{"s S", "sort by the next, the last: trouble, name, failure domain, pool, since"},
		{"r", "the other way round"},
		{"/", "show members alone in which all words occur; esc takes it away"},
		{"p", "pause: ask nothing, so that what is shown stands still"},
		{"q, Ctrl-C", "quit"},
		{"", ""},
		{"", "It only looks: it changes nothing in the fleet."},
	} {
		lines = append(lines, topLine{cells: []cell{{fmt.Sprintf("  %-28s ", x[0]), head}, {x[1], plain}}})
	}
	return lines
}

// explanation is what the agent said, broken to the width of the view.
func (m topModel) explanation() []topLine {
	var lines []topLine
	for _, text := range m.explain.lines {
		for _, part := range wrapped(clean(text), m.width) {
			lines = append(lines, topLine{cells: []cell{{part, plain}}})
		}
	}
	for i, id := range m.explain.see[:min(9, len(m.explain.see))] {
		lines = append(lines, say(head, "%d  see also %s", i+1, id))
	}
	return lines
}

func (m topModel) explainRows() int { return max(1, m.height-1-len(m.head())-2) }

// wrapped breaks a text at spaces; a word that is too long is cut.
func wrapped(text string, width int) []string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		now := ""
		for _, w := range strings.SplitAfter(line, " ") {
			if now != "" && uniseg.StringWidth(now+strings.TrimRight(w, " ")) > width {
				lines = append(lines, now)
				now = ""
			}
			now += w
		}
		lines = append(lines, now)
	}
	return lines
}

// lay pads the cells of a table so that they stand in columns.
func lay(grid [][]cell) []topLine {
	widths := make([]int, len(grid[0]))
	for _, row := range grid {
		for i, c := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(clean(c.text)))
		}
	}
	lines := make([]topLine, len(grid))
	for i, row := range grid {
		for j, c := range row {
			c.text = clean(c.text)
			c.text += strings.Repeat(" ", widths[j]-uniseg.StringWidth(c.text)+2)
			lines[i].cells = append(lines[i].cells, c)
		}
	}
	return lines
}

// shortList lays out a table of which at most limit rows are shown.
func shortList(grid [][]cell, limit int, what string) []topLine {
	rows := len(grid) - 1
	lines := lay(grid[:1+min(rows, limit)])
	if rows > limit {
		lines = append(lines, say(warn, "and %d more %s", rows-limit, what))
	}
	return lines
}

// cut leaves of a line what fits.
func (l topLine) cut(width int) topLine {
	out := topLine{cursor: l.cursor}
	left := width
	for _, c := range l.cells {
		n := uniseg.StringWidth(c.text)
		if n <= left {
			out.cells = append(out.cells, c)
			left -= n
			continue
		}
		if kept := strings.TrimRight(c.text, " "); uniseg.StringWidth(kept) <= left {
			c.text = kept // nothing but its padding is too long
		} else {
			for c.text != "" && uniseg.StringWidth(c.text) > max(0, left-1) {
				_, size := utf8.DecodeLastRuneInString(c.text)
				c.text = c.text[:len(c.text)-size]
			}
			c.text += "…"
		}
		if left > 0 {
			out.cells = append(out.cells, c)
		}
		return out
	}
	return out
}

func (l topLine) String() string {
	var b strings.Builder
	for _, c := range l.cells {
		b.WriteString(c.text)
	}
	return strings.TrimRight(b.String(), " ")
}
