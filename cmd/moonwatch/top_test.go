package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/gdamore/tcell/v2"
	"golang.org/x/sys/unix"

	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/status"
)

// topOf is the view of a page that has just come.
func topOf(t *testing.T, page status.Page, width, height int) topModel {
	t.Helper()
	now := time.Unix(1000, 0)
	m := topModel{width: width, height: height, now: now}
	m, do := m.step(topHeard{now: now, page: &page})
	if do != (topDo{}) {
		t.Errorf("a page alone wants %+v", do)
	}
	return m
}

// drawn is a frame as text, and checks that it fits.
func drawn(t *testing.T, m topModel) string {
	t.Helper()
	lines := m.frame()
	if len(lines) != max(1, m.height) {
		t.Errorf("%d lines in a window of %d", len(lines), m.height)
	}
	var b strings.Builder
	for _, l := range lines {
		mark := " "
		if l.cursor {
			mark = ">"
		}
		if n := len([]rune(l.String())); n > m.width {
			t.Errorf("a line of %d in a window of %d: %s", n, m.width, l)
		}
		b.WriteString(strings.TrimRight(mark+l.String(), " ") + "\n")
	}
	return b.String()
}

// manyMembers makes a fleet of 200 out of a page.
func manyMembers(p status.Page) status.Page {
	p.Members = p.Members[:len(p.Members):len(p.Members)]
	for i := len(p.Members); i < 200; i++ {
		p.Members = append(p.Members, status.Member{
			ID: member.ID(fmt.Sprintf("vm-%03d", i)), Domain: member.FailureDomain(rune('a' + i%5)), Pool: "web", Duty: failover.Spare, InView: true,
		})
	}
	return p
}

// TestTopShowsWhatPeopleAskFor is a session, key by key.
func TestTopShowsWhatPeopleAskFor(t *testing.T) {
	page := manyMembers(fixture(t, "page-open.json"))
	page.Cases[0].Deadline = page.Now.Add(2 * time.Second)
	page.Mode = status.Mode{Name: failover.Guarded, Means: "one case at a time", Since: page.Now.Add(-90 * time.Second), Why: "2 of 200 members are in trouble", Ends: "fewer than 1 are, for 60 s"}
	m := topOf(t, page, 100, 30)
	m.shield = &status.ShieldDocument{
		Mode: "enforce", Capacity: 1000, Asked: 1500, Admitted: 900, Pressure: 1.5,
		Top:  []status.ShieldLine{{Host: "flood.example.com", Asked: 1200, Admitted: 600}, {Host: "shop.example.com", Asked: 200, Admitted: 200}},
		Held: []status.ShieldHeld{{Host: "flood.example.com", Rung: "shape-fleet"}},
	}
	var b strings.Builder
	show := func(what string) { b.WriteString("# " + what + "\n" + drawn(t, m) + "\n") }
	press := func(keys ...topKey) {
		for _, k := range keys {
			var do topDo
			if m, do = m.step(k); do != (topDo{}) {
				fmt.Fprintf(&b, "(%s wants %+v)\n", k, do)
			}
		}
	}
	show("a member fell")
	press("G")
	show("G: the last member")
	press("up", "s", "s")
	show("up, and sorted by failure domain: the cursor stays with its member")
	press("g", "/", "s", "p", "a", "r", "e", " ", "c", "enter")
	show("/spare c")
	press("enter")
	m, _ = m.step(topExplained{id: "spare-1", lines: []string{"spare-1 is a spare of pool web.", strings.Repeat("It is ready because it said so. ", 8)}, see: []string{"V-3", "C-4"}})
	show("why")
	press("2", "esc", "esc", "p")
	m, _ = m.step(topTick{m.now.Add(time.Minute)})
	show("paused for a minute")
	press("p")
	m, _ = m.step(topHeard{now: m.now.Add(3 * time.Second), err: errors.New("ask the agent at unix:agent.sock: no answer")})
	show("the agent is gone")
	press("?")
	show("help")
	press("x")
	m, _ = m.step(topResized{60, 14})
	show("60 by 14")
	m, _ = m.step(topResized{30, 4})
	show("too small for more than the mode")
	press("q", "ctrl-c")
	golden(t, "top.txt", b.String())
}

func TestTopFitsEveryWindow(t *testing.T) {
	for _, page := range []status.Page{
		{}, {Members: []status.Member{{ID: "a"}}}, fixture(t, "page-replaced.json"), isolated(manyMembers(fixture(t, "page-open.json"))),
	} {
		for _, w := range []int{0, 39, 40, 97} {
			for _, h := range []int{0, 3, 10, 11, 30} {
				m := topOf(t, page, w, h)
				for _, k := range []topKey{"", "G", "up", "/", "web", "w", "enter", "?", "?", "pgup", "s", "pgdn", "r", "esc", "enter", "c", "home"} {
					m, _ = m.step(k)
					drawn(t, m)
				}
				m, _ = m.step(topExplained{id: "C-4", lines: []string{"ホスト名 " + strings.Repeat("長い", 50)}})
				drawn(t, m)
			}
		}
	}
	empty := topModel{width: 80, height: 24}
	drawn(t, empty)
}

// TestTopFollowsItsMember when the order changes under it, and stays in sight of it.
func TestTopFollowsItsMember(t *testing.T) {
	page := manyMembers(fixture(t, "page-open.json"))
	m := topOf(t, page, 100, 24)
	m.cursor = "vm-150"
	for _, k := range []topKey{"s", "r", "s", "S", "s", "s"} {
		m, _ = m.step(k)
		shown := false
		for _, l := range m.frame() {
			shown = shown || l.cursor && strings.HasPrefix(l.String(), "vm-150")
		}
		if !shown {
			t.Fatalf("after %s the cursor is out of sight:\n%s", k, drawn(t, m))
		}
	}
	page.Members = page.Members[:5]
	if m, _ = m.step(topHeard{now: m.now, page: &page}); m.at() != 0 {
		t.Errorf("its member is gone, and it is at %d", m.at())
	}
}

func TestTopWithoutATerminalPrintsOneFrameOfAll(t *testing.T) {
	agent := agentWith(t, manyMembers(fixture(t, "page-open.json")), nil)
	r := call(t, "top", "--agent", agent)
	r.wants(t, exitDegraded, "NORMAL: lost slots", "vm-199")
	if strings.ContainsAny(r.out, "\x1b…") {
		t.Errorf("one frame has colours, or was cut:\n%s", r.out)
	}
	call(t, "top", "--agent", "127.0.0.1:1").wants(t, exitError, "nobody listens there")
	call(t, "top", "--agent", agent, "--every", "1ms").wants(t, exitUsage, "want at least 200ms")
}

// onPty is the real program on a terminal of its own.
type onPty struct {
	cmd           *exec.Cmd
	master, slave *os.File
	seen          *heard
	before        *unix.Termios
	ended         chan error
}

func startTop(t *testing.T, agent, term string, env ...string) *onPty {
	t.Helper()
	p := &onPty{seen: &heard{}, ended: make(chan error, 1)}
	var err error
	if p.master, p.slave, err = pty.Open(); err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	if err := pty.Setsize(p.master, &pty.Winsize{Rows: 24, Cols: 100}); err != nil {
		t.Fatal(err)
	}
	p.before = p.mode(t)
	p.cmd = exec.CommandContext(context.Background(), os.Args[0], "top", "--agent", agent)
	p.cmd.Env = append(append(os.Environ(), asProgram+"=1", "TERM="+term, "NO_COLOR="), env...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = p.slave, p.slave, p.slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	read := make(chan struct{})
	go func() {
		defer close(read)
		b := make([]byte, 4096)
		for {
			n, err := p.master.Read(b)
			_, _ = p.seen.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		p.slave.Close()
		<-read // the last one that had the terminal open is gone
		p.master.Close()
	})
	return p
}

func (p *onPty) mode(t *testing.T) *unix.Termios {
	t.Helper()
	mode, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return mode
}

func (p *onPty) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(60 * time.Second):
		t.Fatal("it does not end")
		return nil
	}
}

// asProgram makes this test the program itself.
const asProgram = "MOONWATCH_TEST_PROGRAM"

func TestTopGivesTheTerminalBack(t *testing.T) {
	agent := agentWith(t, fixture(t, "page-open.json"), nil)
	for name, end := range map[string]func(*exec.Cmd, *os.File) error{
		"q":       func(_ *exec.Cmd, master *os.File) error { _, err := master.WriteString("q"); return err },
		"ctrl-c":  func(_ *exec.Cmd, master *os.File) error { _, err := master.WriteString("\x03"); return err },
		"SIGTERM": func(cmd *exec.Cmd, _ *os.File) error { return cmd.Process.Signal(syscall.SIGTERM) },
		"SIGINT":  func(cmd *exec.Cmd, _ *os.File) error { return cmd.Process.Signal(syscall.SIGINT) },
	} {
		t.Run(name, func(t *testing.T) {
			p := startTop(t, agent, "xterm-256color")
			p.seen.until(t, "web-3")
			during := p.mode(t)
			if during.Lflag&unix.ECHO != 0 {
				t.Error("while it shows the view, the terminal echoes")
			}
			if err := end(p.cmd, p.master); err != nil {
				t.Fatal(err)
			}
			if err := p.wait(t); err != nil {
				t.Errorf("it ended with %v, want 0", err)
			}
			if after := p.mode(t); after.Lflag != p.before.Lflag || after.Iflag != p.before.Iflag || after.Oflag != p.before.Oflag {
				t.Errorf("the terminal is left with %+v, was %+v", after, p.before)
			}
			p.seen.until(t, "\x1b[?1049l") // out of the other screen
			p.seen.until(t, "\x1b[?25h")   // the cursor is seen
		})
	}
}

func TestTopFollowsTheWindow(t *testing.T) {
	p := startTop(t, agentWith(t, fixture(t, "page-open.json"), nil), "xterm")
	p.seen.until(t, "web-3")
	if err := pty.Setsize(p.master, &pty.Winsize{Rows: 4, Cols: 30}); err != nil {
		t.Fatal(err)
	}
	p.seen.until(t, "want 40x10")
}

func TestTopOnAPoorTerminalSaysWhatToUseInstead(t *testing.T) {
	p := startTop(t, agentWith(t, fixture(t, "page-open.json"), nil), "no-such-terminal")
	if err := p.wait(t); err == nil {
		t.Error("it ended well")
	}
	p.seen.until(t, "moonwatch top --once")
}

// broken is a screen that panics when it is drawn on.
type broken struct {
	tcell.SimulationScreen
	given bool
}

func (b *broken) Show() { panic("planted") }
func (b *broken) Fini() { b.given = true; b.SimulationScreen.Fini() }

func TestTopGivesTheTerminalBackWhenItBreaks(t *testing.T) {
	s := &broken{SimulationScreen: tcell.NewSimulationScreen("UTF-8")}
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	page := fixture(t, "page-open.json")
	r := &reading{app: newApp(t)}
	err := (&screen{s, topStyles(true)}).run(t.Context(), r, topHeard{now: time.Now(), page: &page}, time.Hour)
	if err == nil || !strings.Contains(err.Error(), "the terminal is yours again: planted") || !s.given {
		t.Errorf("error %v, given back: %v", err, s.given)
	}
}

// TestTopOutlivesAQuestionThatBreaks: those run beside the view, where nothing else would
// give the terminal back.
func TestTopOutlivesAQuestionThatBreaks(t *testing.T) {
	var r *reading // whatever is asked of it panics
	heard := r.topPageSafely(t.Context())
	if heard.err == nil || !strings.Contains(heard.err.Error(), "asking for the page broke: ") || heard.now.IsZero() {
		t.Errorf("page: %+v", heard)
	}
	told := r.topExplainSafely(t.Context(), "C-4")
	if told.id != "C-4" || len(told.lines) != 1 || !strings.HasPrefix(told.lines[0], "asking for C-4 broke: ") {
		t.Errorf("explanation: %+v", told)
	}

	s := &shown{SimulationScreen: tcell.NewSimulationScreen("UTF-8")}
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	s.SetSize(120, 40)
	page := fixture(t, "page-open.json")
	ended := make(chan error, 1)
	go func() {
		ended <- (&screen{s, topStyles(false)}).run(t.Context(), nil, topHeard{now: time.Now(), page: &page}, 10*time.Millisecond)
	}()
	for end := time.Now().Add(60 * time.Second); !strings.Contains(s.last(), "broke: "); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the view does not say what broke:\n%s", s.last())
		}
	}
	s.InjectKey(tcell.KeyCtrlC, 0, tcell.ModNone)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("it does not end")
	}
}

// shown is a screen that others may read while it is drawn on.
type shown struct {
	tcell.SimulationScreen

	mu   sync.Mutex
	text string // of what was shown last; under mu
}

func (s *shown) Show() {
	s.SimulationScreen.Show()
	text := textOf(s.SimulationScreen)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = text
}

func (s *shown) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text
}

// textOf is what stands on a screen.
func textOf(s tcell.SimulationScreen) string {
	cells, width, _ := s.GetContents()
	var b strings.Builder
	for i, c := range cells {
		if i > 0 && i%width == 0 {
			b.WriteByte('\n')
		}
		b.WriteString(string(c.Runes))
	}
	return b.String()
}
