// Package notify brings messages to people: each receiver of fleet.yaml is a way to
// them. It sends once and says how that ended; package status decides what is told,
// to whom, and when it is tried again.
package notify

import (
	"context"
	"fmt"
	"strings"

	"moonwatch/status"
)

// Receiver is one way to people.
type Receiver interface {
	// Send has ended well when the receiver has the message, and with a *Partly when
	// a part of it has. After another error it may have it nevertheless: the message
	// is sent again under the same ID.
	Send(ctx context.Context, m status.Message) error
}

// Partly is the error of a message that has arrived, but not everywhere where it
// should: at one of two Alertmanagers, at all addresses but one. To send it again would
// tell those once more who have it, so it counts as told.
type Partly struct {
	Err error // what went wrong at the others
}

func (p *Partly) Error() string { return "told in part: " + p.Err.Error() }
func (p *Partly) Unwrap() error { return p.Err }

// told judges errors of many ends, one of which is enough.
func told(ends int, failed []error) error {
	switch {
	case len(failed) == 0:
		return nil
	case len(failed) < ends:
		return &Partly{joined(failed)}
	default:
		return joined(failed)
	}
}

// joined is errors.Join on one line, as errors stand in logs and tables.
func joined(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	var said []string
	for _, err := range errs {
		said = append(said, err.Error())
	}
	return fmt.Errorf("%s", strings.Join(said, "; "))
}
