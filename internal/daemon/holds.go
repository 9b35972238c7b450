package daemon

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/mind"
)

// serveHold takes a hold that nobody signed: who may use this machine's socket
// may stop things, and nothing else. The agent hands it to the council in its own
// name and writes down whom the kernel says it came from.
func (d *Daemon) serveHold(w http.ResponseWriter, r *http.Request) {
	var p failover.HoldGiven
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10))
	in.DisallowUnknownFields()
	if err := in.Decode(&p); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("hold: %w", err))
		return
	}
	now := time.Now()
	p.By = peerName(r.Context())
	if err := p.Check(now, false); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	c, err := consensus.NewCommand(failover.KindHold, newID("hold"), d.self, now, p)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	b, err := c.Encode()
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	if err := d.Submit(r.Context(), b); err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	d.log.Info("hold given through the socket", zap.String("id", c.ID), zap.String("by", p.By),
		zap.String("scope", string(p.Scope)), zap.Time("until", p.Until), zap.String("reason", p.Reason))
	reply(w, http.StatusAccepted, map[string]string{"id": c.ID})
}

// newID names a command that this agent makes for people.
func newID(what string) string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // it crashes the process rather than fail
	return what + "-" + hex.EncodeToString(b)
}

var errNoPeer = errors.New("the kernel does not say who is at the other end")

// sendHold gossips a hold that the council has not confirmed: one that was given
// here in this agent's own datagram, another one's as it came.
func (d *Daemon) sendHold(e mind.SendHold) {
	if len(e.Raw) > 0 {
		d.sendAll(e.To, "hold", e.Raw, nil)
		return
	}
	b, err := d.signer.EncodeHold(e.Command)
	d.sendAll(e.To, "hold", b, err)
}
