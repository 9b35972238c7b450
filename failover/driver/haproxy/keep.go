package haproxy

import (
	"context"
	"fmt"
	"strings"

	"moonwatch/internal/whole"
)

// mapMode lets anybody read: HAProxy may have given root away.
const mapMode = 0o644

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
	entries, rest, complete := section(answer)
	states, rest, complete2 := section(rest)
	if !complete || !complete2 || rest != "" || len(states) < 2 || states[0] != "1" {
		return fmt.Errorf("the answer %.40q is not whole", answer)
	}
	var marks strings.Builder
	marks.WriteString("# slot, slot epoch and occupant: written by moonwatch, read by HAProxy when it starts\n")
	for _, entry := range entries {
		_, mark, _ := strings.Cut(entry, " ") // behind its reference
		marks.WriteString(mark + "\n")
	}
	if err := whole.Replace(d.config.Map, []byte(marks.String()), mapMode); err != nil {
		return err
	}
	return whole.Replace(in.StateFile, []byte(strings.Join(states, "\n")+"\n\n"), mapMode)
}
