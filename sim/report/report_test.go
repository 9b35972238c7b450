package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
	"moonwatch/sim/scenario"
)

// page writes a report and returns its page.
func page(t *testing.T, in Input) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	if err := Write(dir, in); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func played(t *testing.T) Input { return reported(aCrash(t)) }

// reported is the report of a run that was really played.
func reported(r Run) Input {
	r.Replay = fmt.Sprintf("moonwatch sim run %s.yaml --seed %d", r.Result.Scenario, r.Result.Seed)
	return Input{
		Command: "moonwatch sim run " + r.Result.Scenario + ".yaml --report out", Version: "moonwatch 0.3.0 (a1b2c3d)", Profile: "lan",
		Took: 310 * time.Millisecond, Runs: []Run{r},
	}
}

func TestTheResultSaysEverythingAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	if err := Write(dir, played(t)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	var in Input
	if err := json.Unmarshal(b, &in); err != nil {
		t.Fatal(err)
	}
	if r := in.Runs[0].Result; r.Seed != 42 || r.Outcome != scenario.Ok || len(r.Story.Events) == 0 || len(r.Story.Faults) != 2 {
		t.Errorf("result.json lost something: seed %d, %s, %v", r.Seed, r.Outcome, r.Story)
	}
}

func TestAFolderThatExistsIsRefused(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, "index.html")
	if err := os.WriteFile(kept, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, kept, dir + "/"} {
		if err := Write(name, broken(8)); err == nil || !strings.Contains(err.Error(), "exists already") {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
	if b, _ := os.ReadFile(kept); string(b) != "mine" {
		t.Errorf("what was there is now %q", b)
	}
}

func TestAFolderThatAppearsMeanwhileStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	err := folder(dir, []file{{"page", func(w io.Writer) error {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600)
	}}})
	if err == nil {
		t.Error("no error")
	}
	alone(t, filepath.Dir(dir), "out")
	alone(t, dir, "mine")
}

func TestAReportNeedsAPlace(t *testing.T) {
	above := t.TempDir()
	in := filepath.Join(above, "file")
	if err := os.WriteFile(in, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(above, "missing", "out"), filepath.Join(in, "out")} {
		err := Check(dir)
		if err == nil || !strings.HasPrefix(err.Error(), "report "+dir+": ") {
			t.Errorf("%s: %v, want an error that names it", dir, err)
		}
	}
	if err := Check(filepath.Join(above, "new")); err != nil {
		t.Errorf("a new folder: %v", err)
	}
}

func TestAFullDiskLeavesNothingHalfWritten(t *testing.T) {
	above := t.TempDir()
	dir := filepath.Join(above, "out")
	err := folder(dir, []file{
		{"result.json", func(w io.Writer) error { _, err := io.WriteString(w, "{}"); return err }},
		{"index.html", func(w io.Writer) error {
			_, err := io.WriteString(w, "<html>")
			return errors.Join(err, &os.PathError{Op: "write", Path: dir, Err: syscall.ENOSPC})
		}},
	})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "write index.html") {
		t.Errorf("%v, want the full disk and the file", err)
	}
	alone(t, above)
}

func TestWhatCannotBeWrittenAsJSONLeavesNothing(t *testing.T) {
	above := t.TempDir()
	in := broken(8)
	in.Runs[0].Result.Bytes.Max = 1 / in.Runs[0].Result.Bytes.Min * 0
	in.Runs[0].Result.Bytes.Max /= in.Runs[0].Result.Bytes.Max // not a number
	if err := Write(filepath.Join(above, "out"), in); err == nil {
		t.Error("no error")
	}
	alone(t, above)
}

// alone expects a folder to hold these names and no others.
func alone(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if fmt.Sprint(names) != fmt.Sprint(want) {
		t.Errorf("%s holds %v, want %v", dir, names, want)
	}
}

// outside is whatever would make a browser ask somebody else.
var outside = regexp.MustCompile(`(?i)(\ssrc\s*=|\ssrcset\s*=|@import|url\(|https?:|<iframe|<object|<embed|<base|<form|\bfetch\(|XMLHttpRequest|WebSocket)`)

// links are all references that a page has.
var links = regexp.MustCompile(`(?i)\s(?:xlink:)?href\s*=\s*"([^"]*)"`)

func TestThePageAsksForNothingFromOutside(t *testing.T) {
	for name, in := range map[string]Input{"run": played(t), "broken": broken(60), "campaign": aCampaign()} {
		html := page(t, in)
		if found := outside.FindAllString(html, -1); found != nil {
			t.Errorf("%s: refers to the outside: %q", name, found)
		}
		for _, m := range links.FindAllStringSubmatch(html, -1) {
			if !strings.HasPrefix(m[1], "#") && m[1] != "data:," {
				t.Errorf("%s: links to %q", name, m[1])
			}
		}
		if !strings.Contains(html, `content="default-src &#39;none&#39;;`) {
			t.Errorf("%s: has no policy", name)
		}
	}
}

// evil has markup for each place at which a page could take it for its own.
const evil = `</style></script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>"' onload=window.pwned=1 --><svg onload=window.pwned=1>`

// haunted has markup in every text of an input.
func haunted() Input {
	in := broken(9)
	in.Command, in.Version = evil, evil
	r := &in.Runs[0].Result
	in.Runs[0].Plan, in.Runs[0].Replay = evil, evil
	r.Scenario, r.Trace, r.Promise, r.Broken = evil, evil, evil, evil
	r.Outcome = evil
	r.Checks = map[string]int{evil: 1}
	r.Sometimes = map[string]int{evil: 0}
	s := r.Story
	for i := range s.Members {
		s.Members[i].ID += member.ID(evil)
		s.Members[i].Domain = evil
	}
	for i := range s.Events {
		e := &s.Events[i]
		e.Text += evil
		e.State += evil
		e.Raw = evil
		if e.Member != "" {
			e.Member += evil
		}
	}
	for i := range s.Faults {
		b := &s.Faults[i]
		b.Text, b.Kind = evil, evil
		for k := range b.Whom {
			b.Whom[k] += evil
		}
	}
	return in
}

func hauntedCampaign() Input {
	in := haunted()
	c := &Campaign{Name: evil, Trace: evil}
	c.Add(in.Runs[0].Result, time.Second, []sim.FaultKind{evil})
	in.Campaign = c
	return in
}

func TestMarkupInNamesIsText(t *testing.T) {
	clean := map[string]Input{"run": broken(9), "campaign": aCampaign()}
	for name, in := range map[string]Input{"run": haunted(), "campaign": hauntedCampaign()} {
		html := page(t, in)
		for _, tag := range []string{"<script", "<img", "</style", "</script", "<style"} {
			if got, want := strings.Count(html, tag), strings.Count(page(t, clean[name]), tag); got != want {
				t.Errorf("%s: %d times %s, want %d", name, got, tag, want)
			}
		}
		if strings.Contains(html, "ZgotmplZ") {
			t.Errorf("%s: a text stands where none can be escaped", name)
		}
		if regexp.MustCompile(`<[^>]*\sonload=window[^>]*>`).MatchString(attributes.ReplaceAllString(html, `""`)) {
			t.Errorf("%s: a name became an attribute", name)
		}
	}
}

var attributes = regexp.MustCompile(`"[^"]*"`)

func TestAPageOfSixtyMembersIsSmall(t *testing.T) {
	bad := aCampaign()
	for seed := range uint64(60) {
		r := broken(60).Runs[0]
		r.Result.Seed = 2000 + seed
		r.Plan = strings.Repeat("{\"at\": \"486s\", \"do\": \"crash\"},\n", 2000)
		bad.Runs = append(bad.Runs, r)
		bad.Campaign.Add(r.Result, time.Second, nil)
	}
	for name, in := range map[string]Input{"run": broken(60), "campaign": aCampaign(), "1,000 members": broken(1000), "60 broken seeds": bad} {
		html := page(t, in)
		t.Logf("%s: %d KB", name, len(html)>>10)
		if len(html) > 500<<10 {
			t.Errorf("%s: %d KB, at most 500", name, len(html)>>10)
		}
	}
}

func TestWhoHadNoTroubleIsCountedAndNotDrawn(t *testing.T) {
	in := played(t)
	html := page(t, in)
	if !strings.Contains(html, "4 members to whom nothing happened") {
		t.Error("the quiet members are not counted")
	}
	for _, id := range []string{"web-1", "web-3"} {
		if !strings.Contains(html, `<b>`+id+`</b>`) {
			t.Errorf("%s has no lane", id)
		}
	}
	if strings.Contains(html, "<b>web-0</b>") {
		t.Error("web-0, to whom nothing happened, has a lane")
	}
}

func TestEveryDrawingHasWords(t *testing.T) {
	for name, in := range map[string]Input{"run": played(t), "broken": broken(60), "campaign": aCampaign()} {
		for _, tag := range regexp.MustCompile(`<svg[^>]*>`).FindAllString(page(t, in), -1) {
			if !strings.Contains(tag, `aria-hidden="true"`) && !regexp.MustCompile(`role="img" aria-label="[^"]{8,}"`).MatchString(tag) {
				t.Errorf("%s: neither hidden nor told: %s", name, tag)
			}
		}
	}
}

func TestPromisesOfSpeedAreOfTheLocalNetwork(t *testing.T) {
	in := played(t)
	if html := page(t, in); !strings.Contains(html, "p50 ≤ 1.5 s") {
		t.Error("profile lan: the promise is missing")
	}
	in.Profile = "wan"
	if html := page(t, in); strings.Contains(html, "p50 ≤ 1.5 s") {
		t.Error("profile wan: shown the promise of lan")
	}
}

func TestAnEmptyReportSaysSo(t *testing.T) {
	if html := page(t, Input{}); !strings.Contains(html, "Nothing was played") {
		t.Error("nothing says that nothing was played")
	}
	if html := page(t, Input{Campaign: &Campaign{Name: "x", Asked: 10}}); !strings.Contains(html, "No seed has run") {
		t.Error("a campaign without seeds does not say so")
	}
	if html := page(t, Input{Runs: []Run{{}}}); !strings.Contains(html, "Seed 0") {
		t.Error("a result without a story has no page")
	}
}
