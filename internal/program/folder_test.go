package program

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestOnlyWhatATrustedOwnerWroteIsFound(t *testing.T) {
	self := Owners{uint32(os.Geteuid())}
	tests := []struct {
		claim string
		name  string
		setUp func(t *testing.T, dir string) Folder
		want  string // part of the error, empty if the program is found
	}{
		{"a good program", "start", installed(0o755), ""},
		{"a program for its owner alone", "start", installed(0o700), ""},
		{"a missing one", "stop", installed(0o755), "no such file"},
		{"writable by the group", "start", installed(0o775), "mode 0775, others than its owner may write it: want at most 0755"},
		{"writable by everybody", "start", installed(0o757), "others than its owner may write it"},
		{"not executable", "start", installed(0o644), "want it executable"},
		{"a folder", "start", func(t *testing.T, dir string) Folder {
			must(t, os.Mkdir(filepath.Join(dir, "start"), 0o755))
			return Folder{dir, self}
		}, "is a folder, want a regular file"},
		{"a link that leaves the folder", "start", func(t *testing.T, dir string) Folder {
			must(t, os.Symlink("/bin/sh", filepath.Join(dir, "start")))
			return Folder{dir, self}
		}, "is a symbolic link, want a regular file"},
		{"a pipe", "start", func(t *testing.T, dir string) Folder {
			must(t, syscall.Mkfifo(filepath.Join(dir, "start"), 0o755))
			return Folder{dir, self}
		}, "is a special file"},
		{"another owner", "start", func(t *testing.T, dir string) Folder {
			installed(0o755)(t, dir)
			return Folder{dir, Owners{4242}}
		}, "want user 4242"},
		{"a file of another owner in a trusted folder", "start", func(t *testing.T, dir string) Folder {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			f := installed(0o755)(t, dir)
			must(t, os.Chown(filepath.Join(dir, "start"), 4242, 0))
			return f
		}, "start belongs to user 4242, want user 0"},
		{"nobody trusted", "start", func(t *testing.T, dir string) Folder {
			installed(0o755)(t, dir)
			return Folder{Path: dir}
		}, "none is trusted"},
		{"a folder that others may write", "start", func(t *testing.T, dir string) Folder {
			f := installed(0o755)(t, dir)
			must(t, os.Chmod(dir, 0o777))
			return f
		}, "others than its owner may write it"},
		{"a folder that is missing", "start", func(_ *testing.T, dir string) Folder {
			return Folder{filepath.Join(dir, "none"), self}
		}, "no such file"},
		{"a folder that is a file", "start", func(t *testing.T, dir string) Folder {
			installed(0o755)(t, dir)
			return Folder{filepath.Join(dir, "start"), self}
		}, "is not a folder"},
		{"no folder configured", "start", func(*testing.T, string) Folder { return Folder{Owners: self} }, "no folder of programs is configured"},
		{"a path upwards", "../start", installed(0o755), "want the plain name"},
		{"an absolute path", "/bin/sh", installed(0o755), "want the plain name"},
		{"the folder itself", ".", installed(0o755), "want the plain name"},
		{"no name", "", installed(0o755), "want the plain name"},
		{"a name like an option", "-c", installed(0o755), "want the plain name"},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.Chmod(dir, 0o755))
			path, err := tt.setUp(t, dir).Find(tt.name)
			switch {
			case tt.want == "" && (err != nil || path != filepath.Join(dir, tt.name)):
				t.Errorf("Find(%q) = %q, %v; want the path", tt.name, path, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Find(%q) = %q, %v; want an error with %q", tt.name, path, err, tt.want)
			}
		})
	}
}

func TestTheDemoTrustsRootAndItself(t *testing.T) {
	if got, want := (Owners{0, 1000}).String(), "user 0 or user 1000"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := len(RootOnly()); got != 1 {
		t.Errorf("production trusts %d users, want root alone", got)
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	installed(0o755)(t, dir)
	if _, err := (Folder{dir, RootOrSelf()}).Find("start"); err != nil {
		t.Error(err)
	}
}

// installed puts a program named start into the folder.
func installed(mode os.FileMode) func(*testing.T, string) Folder {
	return func(t *testing.T, dir string) Folder {
		t.Helper()
		path := filepath.Join(dir, "start")
		must(t, os.WriteFile(path, []byte("#!/bin/sh\n"), 0o600))
		must(t, os.Chmod(path, mode)) // past the umask
		return Folder{dir, Owners{uint32(os.Geteuid())}}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
