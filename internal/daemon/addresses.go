package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The addresses at which the others were last seen are kept beside the ledger:
// an agent whose file names nobody to join, as that of the first member, finds
// its way back after a restart without waiting for others to come by.
const addressFile = "addresses"

// loadAddresses reads them; whatever is wrong with the file, the configured
// addresses are still there.
func loadAddresses(dir string) []string {
	b, err := os.ReadFile(filepath.Join(dir, addressFile))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b))
}

// keepAddresses writes those of the members that are seen now, if they differ
// from the last ones written. Nobody in view leaves the file as it is.
func (d *Daemon) keepAddresses() error {
	var addrs []string
	for _, p := range d.peers.list() {
		if p.Name != d.self && p.Alive && p.Tags[tagConsole] == "" {
			addrs = append(addrs, p.Addr.String())
		}
	}
	if len(addrs) == 0 || slices.Equal(addrs, d.addresses) {
		return nil
	}
	d.addresses = addrs
	return writeFile(filepath.Join(d.cfg.Agent.DataDir, addressFile), []byte(strings.Join(addrs, "\n")+"\n"))
}
