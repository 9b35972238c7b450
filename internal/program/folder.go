// Package program runs the programs that an operator installed on this member
// beforehand: the actions of a pool and its exec checks.
//
// It owns two promises. A program runs only if nobody but a trusted owner could
// have written it, for agents run as root and fleet.yaml can name programs but
// never bring them. And a run ends: at its deadline the program's whole process
// group is killed, and a child that keeps the output open does not hold us up.
//
// A service must outlive the agent and the program that started it. It belongs
// to the init system, or is started with setsid and closed descriptors: then it
// is in no group that we kill.
package program

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// othersWrite is group and everybody. A group entry also stands for the mask of
// an access control list, so a writer that such a list lets in is seen too.
const othersWrite fs.FileMode = 0o022

// Owners are the user ids whose files may be run. An empty list trusts nobody.
type Owners []uint32

// RootOnly is for production: what root runs, only root may write.
func RootOnly() Owners { return Owners{0} }

// RootOrSelf also trusts the agent's own user, who could run the program
// anyway. It is for agents without root, as in the demo.
func RootOrSelf() Owners { return Owners{0, uint32(os.Geteuid())} }

// Folder holds installed programs: actions_dir or checks_dir.
type Folder struct {
	Path   string
	Owners Owners
}

// Find gives the path of an installed program that is safe to run, or an error
// that says what is wrong with it and how it should be.
//
// It looks at the file and at the folder, for who may write the folder may put
// another file in the place of this one. What lies above the folder is the
// operator's care. Between this look and the start only a trusted owner can
// change either, so there is nothing to race for.
func (f Folder) Find(name string) (string, error) {
	if f.Path == "" {
		return "", fmt.Errorf("find program %q: no folder of programs is configured", name)
	}
	if !plain(name) {
		return "", fmt.Errorf("find program %q in %s: want the plain name of a file", name, f.Path)
	}
	folder, err := os.Stat(f.Path) // the folder itself may be a link
	if err != nil {
		return "", fmt.Errorf("find program %s: %w", name, err)
	}
	if !folder.IsDir() {
		return "", fmt.Errorf("find program %s: %s is not a folder", name, f.Path)
	}
	if err := f.trusted(folder); err != nil {
		return "", fmt.Errorf("find program %s: folder %s %w", name, f.Path, err)
	}
	path := filepath.Join(f.Path, name)
	file, err := os.Lstat(path)
	if err != nil {
		return "", fmt.Errorf("find program %s: %w", name, err)
	}
	if !file.Mode().IsRegular() {
		return "", fmt.Errorf("find program %s: %s is a %s, want a regular file", name, path, kind(file.Mode()))
	}
	if err := f.trusted(file); err != nil {
		return "", fmt.Errorf("find program %s: %s %w", name, path, err)
	}
	if file.Mode()&0o111 == 0 {
		return "", fmt.Errorf("find program %s: %s has mode %04o, want it executable", name, path, file.Mode().Perm())
	}
	return path, nil
}

// trusted fails unless a trusted owner, and nobody else, may write the file.
func (f Folder) trusted(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("has no owner that we can read")
	}
	if !slices.Contains(f.Owners, stat.Uid) {
		return fmt.Errorf("belongs to user %d, want %s", stat.Uid, f.Owners)
	}
	if mode := info.Mode().Perm(); mode&othersWrite != 0 {
		return fmt.Errorf("has mode %04o, others than its owner may write it: want at most %04o", mode, mode&^othersWrite)
	}
	return nil
}

// String reads as part of a sentence: "user 0 or user 1000".
func (o Owners) String() string {
	if len(o) == 0 {
		return "an owner, and none is trusted"
	}
	var said []string
	for _, id := range slices.Compact(slices.Sorted(slices.Values(o))) {
		said = append(said, fmt.Sprintf("user %d", id))
	}
	return strings.Join(said, " or ")
}

// plain names stay in the folder and look like no option and no hidden file.
func plain(name string) bool {
	return name != "" && name[0] != '.' && name[0] != '-' && !strings.ContainsAny(name, "/\\\x00\n")
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "folder"
	case mode&fs.ModeSymlink != 0:
		return "symbolic link"
	default:
		return "special file"
	}
}
