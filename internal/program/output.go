package program

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
)

// head keeps the beginning of what is written and takes in the rest unseen, so
// that a talkative program is not blocked.
type head struct {
	limit int
	kept  []byte
	cut   bool
}

func (h *head) Write(p []byte) (int, error) {
	room := h.limit - len(h.kept)
	if len(p) > room {
		h.cut = true
	}
	h.kept = append(h.kept, p[:min(room, len(p))]...)
	return len(p), nil
}

// tail keeps the end of what is written: the last words say what went wrong.
type tail struct {
	limit int
	kept  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p[max(0, len(p)-t.limit):]...)
	if over := len(t.kept) - t.limit; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// lineLimit is the longest quotation, in bytes: one line of `explain`.
const lineLimit = 200

// Summary says in one line how the run ended: "exit 1: no such unit".
func (e End) Summary() string {
	said := fmt.Sprintf("exit %d", e.Code)
	if e.Err != nil {
		said = e.Err.Error()
	}
	if e.Cut {
		said += fmt.Sprintf(" (output cut at %d bytes)", OutputLimit)
	}
	if last := lastLine(e.Complaint); last != "" {
		said += ": " + last
	}
	return said
}

// lastLine quotes the last line that says something, without what a terminal
// would obey.
func lastLine(text []byte) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	line := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(lines[len(lines)-1]), "?"))
	line = strings.TrimSpace(line)
	if len(line) > lineLimit {
		line = strings.ToValidUTF8(line[:lineLimit], "") + " ..."
	}
	return line
}
