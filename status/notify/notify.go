// Package notify brings messages to people: each receiver of fleet.yaml is a way to
// them. It sends once and says how that ended; package status decides what is told,
// to whom, and when it is tried again.
package notify

import (
	"context"

	"moonwatch/status"
)

// Receiver is one way to people.
type Receiver interface {
	// Send has ended well when the receiver has the message. After an error it may
	// have it nevertheless: the message is sent again under the same ID.
	Send(ctx context.Context, m status.Message) error
}
