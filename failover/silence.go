package failover

import (
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
)

// silentSince is when the silence began that may be replaced after ReplaceAfter
// (PROTOCOL 5). A verdict stands for a while after its subject has come back, so a
// member that falls again under it is silent since its last sign of life and not
// since its first fall: else the third short stall of a machine that comes and goes
// would be replaced as one long silence.
func (c *Conductor) silentSince(x *Case) time.Time {
	look, looked := c.looks[x.Subject]
	if !looked || x.Kind == consensus.VerdictServiceDown || look.Agent != agent.Down || !look.SilentSince.After(x.Silent) {
		return x.Silent
	}
	return look.SilentSince
}
