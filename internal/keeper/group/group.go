// Package group owns the processes of slots: it takes them in, counts them, and
// ends them with all that they have started.
//
// A cgroup does that by itself: what a process in it starts is in it too, and
// nothing but root's own hand moves it out. Without the right to make cgroups a
// slot is the sessions of the processes that entered it and whatever carries the
// slot's mark in its environment; a process that leaves its session *and* clears
// its environment escapes.
package group

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"moonwatch/internal/whole"
	"moonwatch/member"
)

// Group owns the processes of a keeper's slots.
type Group interface {
	// Name says what holds them, for people: cgroup v1, cgroup v2 or session.
	Name() string
	// Place is where they are, to find them again.
	Place() string
	// Admit takes a process in, with all that it starts from now on.
	Admit(slot member.SlotID, pid int) error
	// Signal asks all processes of a slot to end (SIGTERM), or ends them. Those
	// that it finds gone are no error.
	Signal(slot member.SlotID, kill bool) error
	// Count tells how many processes of a slot run; 0 is a promise.
	Count(slot member.SlotID) (int, error)
	// Slots lists the slots of which there may be processes.
	Slots() ([]member.SlotID, error)
	// Forget clears away what is left of a slot without processes.
	Forget(slot member.SlotID) error
	// Close clears away the place itself if no slot is left in it.
	Close()
}

// The words that Open takes in the place of a path.
const (
	Auto = "auto" // a cgroup where one may be made, else sessions
	None = "none" // sessions
)

// Open finds where the slots of the keeper with this folder live. want is Auto,
// None or the path of a cgroup that the keeper may fill. What was chosen is noted
// in the folder: a keeper that is started again looks where the processes are, or
// says that it cannot.
func Open(dir, want string) (Group, error) {
	note := filepath.Join(dir, noteFile)
	before, err := os.ReadFile(note)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open groups: %w", err)
	}
	was := strings.TrimSpace(string(before))
	if was != "" && want == Auto {
		want = was
	}
	g, err := choose(dir, want)
	if err != nil {
		return nil, fmt.Errorf("open groups: %w", err)
	}
	if g.Place() == was {
		return g, nil // a keeper that is started again needs no room on its disk
	}
	if err := whole.Replace(note, []byte(g.Place()+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("open groups: %w", err)
	}
	return g, nil
}

func choose(dir, want string) (Group, error) {
	switch {
	case want == None:
		return openSessions(dir)
	case want == Auto:
		if g, err := anyCgroup(dir); err == nil {
			return g, nil
		}
		return openSessions(dir)
	case filepath.IsAbs(want):
		return openCgroup(want)
	default:
		return nil, fmt.Errorf("cgroup is %q, want %s, %s or the absolute path of a cgroup", want, Auto, None)
	}
}
