package status

import (
	"fmt"
	"strings"
)

// Title is a message in a line: for a subject, a channel, a pager.
func (m Message) Title() string {
	word := string(m.Notice.Severity)
	switch m.Says {
	case SaysEnded:
		word = "over"
	case SaysTest:
		word = "test"
	case SaysBegun, SaysChanged:
	}
	return fmt.Sprintf("[%s] %s: %s", m.Cluster, word, m.Notice.What)
}

// Body is what people read below the title: what follows from it, what Moonwatch does,
// and what they should do; or how it ended.
func (m Message) Body() string {
	n := m.Notice
	if m.Says == SaysEnded {
		return "It ended at " + moment(m.Ended) + ". " + m.Ending
	}
	var lines []string
	for _, f := range first(n.Folded, 12) {
		lines = append(lines, "  "+f)
	}
	return strings.Join(append(lines, "Moonwatch: "+n.Does, "You: "+n.Do), "\n")
}

// Foot says which matter it is, and who tells it.
func (m Message) Foot() string {
	return fmt.Sprintf("Since %s; %s, told by %s.", moment(m.Notice.Since), m.Notice.ID, m.Teller)
}

// Page is the runbook of what people should do, empty if there is nothing to do any more.
func (m Message) Page() string {
	if m.Says == SaysEnded {
		return ""
	}
	return m.Notice.Runbook
}

// Text is a message as people read it, with a command to paste and the page to read.
func (m Message) Text() string {
	lines := []string{m.Title(), m.Body(), "  " + m.Notice.Command}
	if page := m.Page(); page != "" {
		lines = append(lines, "  "+page)
	}
	return strings.Join(append(lines, m.Foot()), "\n") + "\n"
}
