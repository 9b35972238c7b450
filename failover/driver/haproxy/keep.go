package haproxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// keep writes what an instance of this machine has to the files that it loads
// when it starts. The map comes first: a crash between the two leaves a slot
// half-way, which is seen, and not an old mark beside a new address, which
// would let an older step in.
func (d *Driver) keep(ctx context.Context, in Instance, s slot) error {
	switch {
	case in.StateFile == "":
		return nil
	case !s.named:
		return fmt.Errorf("%w: the server is declared by an address: declare it by a name with \"init-addr last\"", errSetup)
	}
	d.files.Lock() // the later one writes what it read later
	defer d.files.Unlock()
	answer, err := d.ask(ctx, in, "show map "+d.config.Map+"; show servers state")
	if err != nil {
		return err
	}
	entries, rest, whole := section(answer)
	states, rest, whole2 := section(rest)
	if !whole || !whole2 || rest != "" || len(states) < 2 || states[0] != "1" {
		return fmt.Errorf("the answer %.40q is not whole", answer)
	}
	var marks strings.Builder
	marks.WriteString("# slot, slot epoch and occupant: written by moonwatch, read by HAProxy when it starts\n")
	for _, entry := range entries {
		_, mark, _ := strings.Cut(entry, " ") // behind its reference
		marks.WriteString(mark + "\n")
	}
	if err := replace(d.config.Map, marks.String()); err != nil {
		return err
	}
	return replace(in.StateFile, strings.Join(states, "\n")+"\n\n")
}

// replace writes a file so that a reader, and a crash, finds the old one or the
// new one whole.
func replace(path, content string) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, err = file.WriteString(content)
	if err == nil {
		err = file.Chmod(0o644) // HAProxy may have given root away
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
