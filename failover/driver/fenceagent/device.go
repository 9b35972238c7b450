package fenceagent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// Device is one way to switch one member off: the agent to run and what to tell
// it. It stands in fences.yaml of the machines that fence.
type Device struct {
	Agent   string            // plain name of an installed program: fence_ipmilan
	Options map[string]string // ip, username, plug, ...
	// Files holds options whose value is the content of a file on this machine:
	// password_file of fences.yaml is password here. They are read when they are
	// used and never kept.
	Files map[string]string
}

// secretLimit is the longest secret, in bytes: a path was mistaken for one if the
// file has more.
const secretLimit = 4096

// input makes what the agent reads. secrets are the values that may be shown to
// nobody.
func (d Device) input(action string) (text []byte, secrets []string, err error) {
	var out bytes.Buffer
	fmt.Fprintf(&out, "action=%s\n", action)
	for _, key := range slices.Sorted(maps.Keys(d.Options)) {
		fmt.Fprintf(&out, "%s=%s\n", key, d.Options[key])
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(d.Files)) {
		value, err := readSecret(d.Files[key])
		if err != nil {
			errs = append(errs, fmt.Errorf("%s_file: %w", key, err))
			continue
		}
		secrets = append(secrets, value)
		fmt.Fprintf(&out, "%s=%s\n", key, value)
	}
	return out.Bytes(), secrets, errors.Join(errs...)
}

// readSecret reads one line that only its owner may read.
func readSecret(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if mode := st.Mode().Perm(); mode&0o007 != 0 {
		return "", &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("has mode %04o, everybody may use it: want at most 0640", mode)}
	}
	if st.Size() > secretLimit {
		return "", &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("has %d bytes, want a secret of at most %d", st.Size(), secretLimit)}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	line := strings.TrimRight(string(b), "\r\n")
	if line == "" || strings.ContainsAny(line, "\r\n\x00") {
		return "", &fs.PathError{Op: "read", Path: path, Err: errors.New("want one line that is not empty")}
	}
	return line, nil
}
