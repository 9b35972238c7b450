package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"moonwatch/internal/strict"
	"moonwatch/member"
	"moonwatch/status"
)

// rotateFor bounds a rotation: three rounds in which gossip asks all and waits for
// their answers, a few seconds each.
const rotateFor = time.Minute

// serveRotation has all members seal their gossip with a new key. Members that are not
// there would not find the others again, so they are left out only if that is asked for.
func (d *Daemon) serveRotation(w http.ResponseWriter, r *http.Request) {
	if !peerIsOwner(r.Context()) {
		refuse(w, http.StatusForbidden, errors.New("rotate gossip key: want root, or the user that the agent runs as"))
		return
	}
	var ask struct {
		WithoutMissing bool `json:"without_missing"`
	}
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10))
	in.DisallowUnknownFields()
	if err := in.Decode(&ask); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("rotate gossip key: %w", err))
		return
	}
	page := d.page.Load()
	if page == nil || len(page.Members) == 0 {
		refuse(w, http.StatusServiceUnavailable, errors.New("rotate gossip key: this agent does not know the members yet"))
		return
	}
	out := status.KeyRotation{Schema: status.Schema}
	for _, m := range page.Members {
		if m.InView {
			out.Members = append(out.Members, m.ID)
		} else {
			out.Without = append(out.Without, m.ID)
		}
	}
	if len(out.Without) > 0 && !ask.WithoutMissing {
		refuse(w, http.StatusConflict, fmt.Errorf(
			"rotate gossip key: this agent does not see %s: without the new key they cannot come back. Start them, or leave them out and copy a key file to them by hand", strict.Words(out.Without, "and")))
		return
	}
	if err := d.mayRotate(); err != nil {
		refuse(w, http.StatusConflict, fmt.Errorf("rotate gossip key: %w", err))
		return
	}
	if !d.rotating.TryLock() {
		refuse(w, http.StatusConflict, errors.New("rotate gossip key: another rotation is under way"))
		return
	}
	defer d.rotating.Unlock()
	by := peerName(r.Context())
	// Whoever asked may go away: a rotation is not left half way for that.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), rotateFor)
	defer cancel()
	if err := d.gossip.Rotate(ctx, d.mayRotate); err != nil {
		d.log.Warn("gossip key not rotated to the end", zap.String("by", by), zap.Error(err))
		refuse(w, http.StatusConflict, fmt.Errorf("%w: no key was taken away that a member still sealed with; rotate once more, when all answer", err))
		return
	}
	d.log.Info("gossip key rotated", zap.String("by", by), zap.Int("members", len(out.Members)), zap.Strings("without", texts(out.Without)))
	reply(w, http.StatusOK, out)
}

// mayRotate says whether this agent is the one of the fleet that rotates, which is the
// council leader's: two rotations at once could take each other's keys away.
func (d *Daemon) mayRotate() error {
	page := d.page.Load()
	if page == nil {
		return errors.New("this agent does not know who leads the council yet")
	}
	switch leader := page.Council.Leader; {
	case leader == "":
		return errors.New("this agent knows of no council leader, and only that one's agent rotates: ask again when there is one ('moonwatch council')")
	case leader != page.Self.Name:
		return fmt.Errorf("only the council leader's agent rotates, so that there are never two at once: ask on %s", leader)
	case !page.Council.Quorum:
		return errors.New("this agent leads a council that does not follow it, and another one may lead: ask again when it does ('moonwatch council')")
	default:
		return nil
	}
}

func texts(ids []member.ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}
