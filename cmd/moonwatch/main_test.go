package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"moonwatch/internal/config"
	"moonwatch/internal/demo"
	"moonwatch/member"
	"moonwatch/status"
	"moonwatch/status/web"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" || len(os.Args) > 1 && os.Args[1] == "sim" { // the simulator's workers are children of this very program
		main()
	}
	goleak.VerifyTestMain(m)
}

// result is what one run of the program left.
type result struct {
	code     int
	out, err string
}

// call runs the program with parts that do nothing.
func call(t *testing.T, args ...string) result {
	t.Helper()
	return newApp(t).call(args...)
}

func newApp(t *testing.T) *app {
	t.Helper()
	return &app{
		in: strings.NewReader(""), interactive: func() bool { return false },
		parts: parts{
			version:     "1.2.3",
			agent:       func(context.Context, *config.Agent, *zap.Logger) error { return nil },
			demo:        func(context.Context, demo.Options) int { return exitOK },
			demoControl: func(context.Context, string, string, member.ID, io.Writer) error { return nil },
			demoService: func(context.Context, []string, io.Writer) int { return exitOK },
			freeMemory:  func() uint64 { return 0 },
		},
	}
}

func (a *app) call(args ...string) result {
	var out, errw bytes.Buffer
	a.out, a.errw = &out, &errw
	code := a.run(context.Background(), args)
	return result{code, out.String(), errw.String()}
}

//go:embed testdata/*.json
var fixtures embed.FS

// fixture is a page as an agent of schema 1 sent it. It stays as it is: what
// the package status makes today may have more in it, and not less.
func fixture(t testing.TB, name string) status.Page {
	t.Helper()
	b, err := fixtures.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var p status.Page
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// agentWith serves a page the way an agent does and gives its address. more
// answers paths of its own.
func agentWith(t *testing.T, p status.Page, more map[string]http.HandlerFunc) string {
	t.Helper()
	pages := web.New(web.Config{})
	pages.SetPage(p)
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	for path, h := range more {
		mux.HandleFunc(path, h)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(func() { s.Close(); pages.Close() })
	return s.URL
}

// golden compares with a file of testdata, or rewrites it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("MOONWATCH_REWRITE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs.\n--- got\n%s--- want\n%s", name, got, want)
	}
}

// wants checks exit code and a part of what was said.
func (r result) wants(t *testing.T, code int, parts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d\nout: %s\nerr: %s", r.code, code, r.out, r.err)
	}
	for _, p := range parts {
		if !strings.Contains(r.out+r.err, p) {
			t.Errorf("nothing of %q in\nout: %s\nerr: %s", p, r.out, r.err)
		}
	}
}

// TestAnUnknownCommandIsNamedBeforeItsFlags: whoever mistypes a command is not told that its
// flags do not exist.
func TestAnUnknownCommandIsNamedBeforeItsFlags(t *testing.T) {
	for line, want := range map[string]string{
		"statsu":                     `unknown command "statsu", did you mean status?`,
		"statsu --watch":             `unknown command "statsu", did you mean status?`,
		"statsu -o json":             `unknown command "statsu", did you mean status?`,
		"nothing fleet --reason x":   `unknown command "nothing"`,
		"shield tip --for 5m":        `unknown command "tip", did you mean top or pin?`,
		"members retyre web-3 --yes": `unknown command "retyre", did you mean retire?`,
		"status --wacht":             "unknown flag --wacht, did you mean --watch?",
		"members --wacht":            "unknown flag --wacht, did you mean --watch?",
		"--no-such-flag":             "unknown flag --no-such-flag",
		"--no-such-flag word":        "unknown flag --no-such-flag",
		"--watch statsu":             `unknown command "statsu", did you mean status?`,
		"-w statsu":                  `unknown command "statsu", did you mean status?`,
		"--reason x relese fleet":    `unknown command "relese", did you mean release?`,
		"--watch status":             "--watch stands before its command: flags come after it, as in 'moonwatch status --watch'",
		"ledger --no-color backup":   "--no-color stands before its command: flags come after it, as in 'moonwatch ledger backup --no-color'",
		"members --wacht retire":     "unknown flag --wacht, did you mean --watch?",
		"cert --dir x reniew":        `unknown command "reniew", did you mean renew?`,
		"hold fleet --for 5":         `--for is "5", want a number with a unit: 90s, 15m or 2h`,
	} {
		call(t, strings.Fields(line)...).wants(t, exitUsage, want)
	}
}

// TestWhoNamesOneThingInAListIsToldWhoTellsOfIt.
func TestWhoNamesOneThingInAListIsToldWhoTellsOfIt(t *testing.T) {
	for _, line := range []string{"failovers C-13", "verdicts V-12", "slots web/1", "members web-3", "spares spare-1", "holds H-4", "approvals R-5"} {
		words := strings.Fields(line)
		call(t, words...).wants(t, exitUsage, "'moonwatch explain "+words[1]+"' tells of one")
	}
}
