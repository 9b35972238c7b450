package daemon

import (
	"go.uber.org/zap"

	"moonwatch/mind"
)

// sendRenewal asks for no lease where no keeper would end it: an exclusive slot is
// not started here then, and the ledger is told why.
func (d *Daemon) sendRenewal(e mind.SendRenewal) {
	d.log.Debug("no keeper on this member: no lease is asked for", zap.String("slot", string(e.Renewal.Slot)))
}

// handLease is never asked for, for no renewal was sent.
func (d *Daemon) handLease(mind.HandLease) {}
