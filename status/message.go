package status

import (
	"fmt"
	"strings"
)

// Title is a message in a line: for a subject, a channel, a pager.
func (m Message) Title() string {
	word := string(m.Notice.Severity)
	if m.Says == SaysEnded {
		word = "over"
	}
	return fmt.Sprintf("[%s] %s: %s", m.Cluster, word, m.Notice.What)
}

// Text is a message as people read it: what happened, what Moonwatch does, what they
// should do, and a command to paste.
func (m Message) Text() string {
	n := m.Notice
	lines := []string{m.Title()}
	if m.Says == SaysEnded {
		lines = append(lines, "It ended at "+moment(m.Ended)+". "+m.Ending)
	} else {
		for _, f := range first(n.Folded, 12) {
			lines = append(lines, "  "+f)
		}
		lines = append(lines, "Moonwatch: "+n.Does, "You: "+n.Do)
	}
	lines = append(lines, "  "+n.Command, fmt.Sprintf("Since %s; %s, told by %s.", moment(n.Since), n.ID, m.Teller))
	return strings.Join(lines, "\n") + "\n"
}
