package door

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"moonwatch/internal/keeper"
	"moonwatch/member"
)

// ErrRefused is the keeper's own no; what it would not do has had no effect.
var ErrRefused = errors.New("refused")

// Client talks with the keeper at a socket. Every request has a connection of
// its own: a keeper that was restarted meanwhile is found again by itself, and
// requests do not wait for each other.
type Client struct {
	Socket string
}

// Hand hands over a fresh lease. What it answers may be Stopping: the lease is
// noted, and holds when the stop is confirmed.
func (c Client) Hand(ctx context.Context, l keeper.Lease) (keeper.Standing, error) {
	return c.standing(ctx, fmt.Sprintf("hand lease of slot %s at slot epoch %d", l.Slot, l.Epoch), request{Do: doHand, Lease: &l})
}

// Release stops the slot and forgets its lease. It returns when nothing of the
// slot runs any more; an error means that this is not known.
func (c Client) Release(ctx context.Context, slot member.SlotID, epoch member.SlotEpoch) (keeper.Standing, error) {
	return c.standing(ctx, fmt.Sprintf("release slot %s at slot epoch %d", slot, epoch), request{Do: doRelease, Slot: slot, Epoch: epoch})
}

// Enter makes the calling process one of the slot's, with all that it starts
// from now on. It has to be asked before anything is done that needs a lease.
func (c Client) Enter(ctx context.Context, slot member.SlotID, epoch member.SlotEpoch) (keeper.Standing, error) {
	return c.standing(ctx, fmt.Sprintf("enter slot %s at slot epoch %d", slot, epoch), request{Do: doEnter, Slot: slot, Epoch: epoch})
}

// Status asks how the keeper and its slots are.
func (c Client) Status(ctx context.Context) (Status, error) {
	r, err := c.ask(ctx, request{Do: doStatus})
	if err == nil && r.Status == nil {
		err = errors.New("the answer has no status")
	}
	if err != nil {
		return Status{}, fmt.Errorf("ask keeper %s for its status: %w", c.Socket, err)
	}
	return *r.Status, nil
}

func (c Client) standing(ctx context.Context, what string, q request) (keeper.Standing, error) {
	r, err := c.ask(ctx, q)
	switch {
	case err != nil:
		return keeper.Standing{}, fmt.Errorf("%s: keeper %s: %w", what, c.Socket, err)
	case r.Standing == nil:
		return keeper.Standing{}, fmt.Errorf("%s: keeper %s: the answer has no standing", what, c.Socket)
	case r.Refused != "":
		return *r.Standing, fmt.Errorf("%s: %w: %s", what, ErrRefused, r.Refused)
	}
	return *r.Standing, nil
}

// patience bounds a request whose context has no deadline: longer than any stop
// of a sane timing.
const patience = 2 * time.Minute

func (c Client) ask(ctx context.Context, q request) (reply, error) {
	q.Version = Version
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.Socket)
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	if err := c.trusted(conn); err != nil {
		return reply{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	line, err := json.Marshal(q)
	if err != nil {
		return reply{}, err
	}
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return reply{}, heard(ctx, err)
	}
	line, err = bufio.NewReader(io.LimitReader(conn, answerLimit)).ReadBytes('\n')
	if err != nil {
		return reply{}, heard(ctx, err)
	}
	var r reply
	// A newer keeper may say more than is understood here: its agent may be older.
	if err := json.Unmarshal(line, &r); err != nil {
		return reply{}, fmt.Errorf("its answer: %w", err)
	}
	if r.Version != Version {
		return reply{}, fmt.Errorf("it speaks version %d, this program %d: restart it with the present one", r.Version, Version)
	}
	if r.Refused != "" && r.Standing == nil {
		return reply{}, fmt.Errorf("%w: %s", ErrRefused, r.Refused)
	}
	return r, nil
}

// trusted refuses a socket that somebody else's process listens at: it would
// take leases and enforce nothing.
func (c Client) trusted(conn net.Conn) error {
	peer, err := peerOf(conn)
	if err != nil {
		return err
	}
	if self := uint32(os.Geteuid()); peer.uid != 0 && peer.uid != self {
		return fmt.Errorf("user %d listens there, want user 0 or %d", peer.uid, self)
	}
	return nil
}

// heard says that it was the caller who gave up, if so.
func heard(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
