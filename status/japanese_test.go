package status

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"moonwatch/internal/phrase"
)

// notOnPages are the files of this package whose words are for reports, messages and
// errors, which no page shows.
var notOnPages = []string{
	"chronicle.go", "chronicle_keep.go", "herald.go", "message.go", "notice.go", "notice_slots.go", "notice_verdict.go", "public.go", "report.go", "roll.go", "telling.go",
}

// commandsAndFormats are texts in which nothing is to be said.
var commandsAndFormats = []string{"15:04:05 UTC", "2006-01-02 15:04:05.0 UTC", "%d %ss", "%s %s", "%s: %s", "%s by %s", "nothing is known by that id", "%s is withdrawn by %s: %s", "more fact"}

// TestWhatThisPackageSaysIsSaidInJapaneseToo: the texts with which it writes lines and
// answers are those of internal/phrase, or parts of them. Each that is missing is named; a
// few may be, for what has no words in Japanese is shown in English and lost to nobody.
func TestWhatThisPackageSaysIsSaidInJapaneseToo(t *testing.T) {
	var forms []string
	for _, f := range phrase.Forms() {
		forms = append(forms, bare(f))
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	looked, missing := 0, 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || slices.Contains(notOnPages, name) {
			continue
		}
		for _, text := range textsOf(t, name) {
			looked++
			if !slices.ContainsFunc(forms, func(f string) bool { return strings.Contains(f, bare(text)) }) {
				missing++
				t.Logf("%s: %q has no words in Japanese: add it to internal/phrase", name, text)
			}
		}
	}
	if missing > looked/20 {
		t.Errorf("%d of %d texts have no words in Japanese, want at most one in 20", missing, looked)
	}
	if looked < 150 {
		t.Errorf("only %d texts were looked at", looked)
	}
}

// TestWhatADoorSaysOfItselfIsSaidInJapaneseToo: problems and notes that the loop of the
// shield writes itself stand on the same pages.
func TestWhatADoorSaysOfItselfIsSaidInJapaneseToo(t *testing.T) {
	forLogs := []string{"shield is off", "shield policy", "shield of this door: %w"}
	texts := textsOf(t, filepath.Join("..", "internal", "daemon", "shielding.go"))
	texts = slices.DeleteFunc(texts, func(s string) bool { return slices.Contains(forLogs, s) })
	if len(texts) < 2 {
		t.Errorf("only %q were looked at", texts)
	}
	for _, text := range texts {
		if phrase.Japanese().Say(text) == text {
			t.Errorf("%q has no words in Japanese: add it to internal/phrase", text)
		}
	}
}

var verbs = regexp.MustCompile(`%[.\d]*[a-z]`)

// bare is a text without its values.
func bare(text string) string {
	return strings.Trim(verbs.ReplaceAllString(strings.ReplaceAll(text, "%q", `"%s"`), ""), " ,:;.")
}

// textsOf lists the texts of a file that are more than a word.
func textsOf(t *testing.T, name string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		if _, tag := n.(*ast.Field); tag {
			return false
		}
		l, ok := n.(*ast.BasicLit)
		if !ok || l.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(l.Value)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.TrimSpace(text), " ") && !slices.Contains(commandsAndFormats, text) {
			out = append(out, text)
		}
		return true
	})
	return out
}

// TestStoriesAreToldInJapanese: of the lines and answers of real stories no English
// sentence is left.
func TestStoriesAreToldInJapanese(t *testing.T) {
	typed := regexp.MustCompile(`「moonwatch[^」]*」`) // what people are to type
	left := regexp.MustCompile(`\b[A-Za-z][a-z']+,?(?: [a-z']+,?){2,}`)
	for _, name := range []string{"lines.txt", "explain.txt", "explain-vacant.txt", "explain-starting.txt", "explain-why.txt"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(b), "\n") {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, ">") || strings.HasPrefix(line, "see ") {
				continue
			}
			said := typed.ReplaceAllString(phrase.Japanese().Say(line), "")
			if m := left.FindString(strings.ReplaceAll(said, "listening on 8080", "")); m != "" {
				t.Errorf("%s:\n%s\n%s\nleaves %q", name, line, said, m)
			}
		}
	}
}
