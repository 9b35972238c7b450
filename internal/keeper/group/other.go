//go:build !linux

package group

import (
	"errors"

	"moonwatch/member"
)

// Mark names a variable that nothing sets here.
const Mark = "MOONWATCH_KEPT_BY"

var errLinux = errors.New("a keeper needs Linux")

func anyCgroup(string) (Group, error)    { return nil, errLinux }
func openCgroup(string) (Group, error)   { return nil, errLinux }
func openSessions(string) (Group, error) { return nil, errLinux }

func partsIn(string) (map[member.SlotID]Group, error) { return nil, errLinux }

// MarkOf is the value of Mark for a slot of the keeper with this folder.
func MarkOf(dir string, slot member.SlotID) string { return dir + " " + string(slot) }
