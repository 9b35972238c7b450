package report

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What a reader of a page hears one after the other.
var heard = regexp.MustCompile(`(?s)<(h1|h2|h3|caption|dt|summary|figcaption)\b[^>]*>(.*?)</(?:h1|h2|h3|caption|dt|summary|figcaption)>|<(svg|div)[^>]*aria-label="([^"]*)"`)

var (
	tags  = regexp.MustCompile(`<[^>]*>`)
	space = regexp.MustCompile(`\s+`)
	digit = regexp.MustCompile(`\d[\d.,:]*`)
)

// outline is a page without its looks and its numbers, which change with every
// change of what was played.
func outline(page string) string {
	var b strings.Builder
	for _, m := range heard.FindAllStringSubmatch(page, -1) {
		kind, text := m[1], tags.ReplaceAllString(m[2], " ")
		if m[3] != "" {
			kind, text = "drawing", m[4]
		}
		fmt.Fprintf(&b, "%-10s %s\n", kind, strings.TrimSpace(space.ReplaceAllString(html.UnescapeString(text), " ")))
		if kind == "summary" { // its drawing stands within
			for _, l := range regexp.MustCompile(`aria-label="([^"]*)"`).FindAllStringSubmatch(m[2], -1) {
				fmt.Fprintf(&b, "%-10s   %s\n", "", html.UnescapeString(l[1]))
			}
		}
	}
	return digit.ReplaceAllString(b.String(), "#")
}

// TestThePagesHaveTheirParts compares what pages say, in order, with
// testdata. MOONWATCH_REWRITE=1 writes it down; read the diff.
func TestThePagesHaveTheirParts(t *testing.T) {
	for name, in := range map[string]Input{"run": played(t), "broken": broken(16), "campaign": aCampaign()} {
		got := outline(page(t, in))
		path := filepath.Join("testdata", name+".outline")
		if os.Getenv("MOONWATCH_REWRITE") != "" {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: the page says\n%s\nwant\n%s", name, got, want)
		}
	}
}
