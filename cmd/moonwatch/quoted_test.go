package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// quotes are the answers that documents show: the command stands behind "$ ", the
// answer below it, up to the end of the block.
var quotes = []struct {
	file, indent, asks string
	args               []string
}{
	{"README.md", "", `sim whatif --fleet configs/fleet.yaml "kill web-3"`, []string{"kill web-3"}},
	{"docs/arming.md", "    ", `sim whatif --fleet fleet.yaml --armed "kill api-1"`, []string{"--armed", "kill api-1"}},
}

var number = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// shape is a text without its numbers: times move by a tenth of a second with
// many a change, and no reader is misled by that.
func shape(s string) string { return number.ReplaceAllString(s, "#") }

// TestDocumentsQuoteWhatIsAnswered plays the questions that documents quote.
// MOONWATCH_REWRITE=1 writes down what is answered now; read the diff.
func TestDocumentsQuoteWhatIsAnswered(t *testing.T) {
	for _, q := range quotes {
		path := filepath.Join("..", "..", filepath.FromSlash(q.file))
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		head := q.indent + "$ moonwatch " + q.asks + "\n"
		before, rest, found := strings.Cut(string(text), head)
		if !found {
			t.Errorf("%s does not quote %q", q.file, head)
			continue
		}
		quoted, after := untilEnd(rest, q.indent)
		r := call(t, append([]string{"sim", "whatif", "--fleet", "../../configs/fleet.yaml"}, q.args...)...)
		r.wants(t, exitOK)
		var now strings.Builder
		for line := range strings.Lines(r.out) {
			if line != "\n" {
				line = q.indent + line
			}
			now.WriteString(line)
		}
		if os.Getenv("MOONWATCH_REWRITE") != "" {
			if err := os.WriteFile(path, []byte(before+head+now.String()+after), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if shape(now.String()) != shape(quoted) {
			t.Errorf("%s quotes\n%s--- and now it is (MOONWATCH_REWRITE=1 writes it down)\n%s", q.file, quoted, now.String())
		}
	}
}

// untilEnd cuts a block off: at its fence, or where what is indented ends.
func untilEnd(text, indent string) (block, after string) {
	n := 0
	for line := range strings.Lines(text) {
		if indent == "" && strings.HasPrefix(line, "```") || indent != "" && line != "\n" && !strings.HasPrefix(line, indent) {
			break
		}
		n += len(line)
	}
	block = text[:n]
	for indent != "" && strings.HasSuffix(block, "\n\n") {
		block = block[:len(block)-1]
	}
	return block, text[len(block):]
}
