package daemon

import (
	"path/filepath"

	"go.uber.org/zap"

	"moonwatch/failover/driver/systemd"
	"moonwatch/internal/whole"
)

// clearLeftovers takes away what an agent of before was writing when it died: beside its
// keys, in its data folder, and beside the marks of units and addresses. The journal of
// steps and the keeper do so in their own folders, and what stands beside a HAProxy's
// files goes when its door is opened. What cannot be taken away is told, and stays: it
// does no harm but to hold what it holds.
func (d *Daemon) clearLeftovers() {
	a := d.cfg.Agent
	d.cleared(whole.ClearFolder(a.DataDir))
	for _, path := range []string{a.TLS.Cert, a.TLS.Key, a.TLS.CA, a.GossipKeyFile} {
		d.clearBeside(path)
	}
	units := systemd.Default(nil)
	if d.cfg.Systemd != nil {
		units = *d.cfg.Systemd
	}
	marks, err := units.Marks()
	d.cleared(nil, err)
	for _, path := range marks {
		d.clearBeside(path)
	}
	folders, err := filepath.Glob(filepath.Join(filepath.Dir(d.addressMarks("", "")), "*"))
	d.cleared(nil, err)
	for _, dir := range folders {
		d.cleared(whole.ClearFolder(dir))
	}
}

// clearBeside takes away what is left beside files that may stand among other people's.
func (d *Daemon) clearBeside(paths ...string) {
	for _, path := range paths {
		if path != "" {
			d.cleared(whole.Clear(path))
		}
	}
}

func (d *Daemon) cleared(paths []string, err error) {
	for _, path := range paths {
		d.log.Info("half-written file cleared away", zap.String("file", path))
	}
	if err != nil {
		d.log.Warn("half-written files not cleared away", zap.Error(err))
	}
}
