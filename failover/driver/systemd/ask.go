package systemd

import (
	"context"
	"errors"
	"fmt"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// errSilent is a question that was not answered in its time. It says nothing of
// the unit, nor whether systemd has heard it.
var errSilent = errors.New("no answer")

// askings is how often a question is asked that may be asked twice.
const askings = 3

// insist asks until somebody answers. The question may reach systemd more than
// once.
func (d *Driver) insist(ctx context.Context, within time.Duration, question func(context.Context, *sd.Conn) error) error {
	var err error
	for range askings {
		err = d.ask(ctx, within, question)
		if !errors.Is(err, errSilent) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// ask opens a connection of its own for one question: a systemd that was
// restarted in between is another one.
func (d *Driver) ask(ctx context.Context, within time.Duration, question func(context.Context, *sd.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	conn, err := sd.NewConnection(func() (*dbus.Conn, error) { return d.dial(ctx) })
	if err != nil {
		return because(ctx, err)
	}
	defer conn.Close()
	return because(ctx, question(ctx, conn))
}

// dial opens a connection that ends with ctx, and on which systemd has answered.
func (d *Driver) dial(ctx context.Context) (*dbus.Conn, error) {
	conn, err := dbus.Dial(d.config.Address, dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", d.config.Address, err)
	}
	// A handshake knows no context.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	err = conn.Auth(nil)
	if err == nil {
		err = greet(ctx, conn)
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("connect %s: %w", d.config.Address, because(ctx, err))
	}
	return conn, nil
}

const (
	greetings  = 10
	greetAgain = 100 * time.Millisecond
)

// greet pings until there is an answer. The first word on a connection can be
// lost: sd-bus reads it together with the end of the handshake if it is there
// already, and then sleeps until more bytes come, although it has a whole
// message (seen with systemd 252). The next ping wakes it, and it answers both.
func greet(ctx context.Context, conn *dbus.Conn) error {
	manager := conn.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
	answers := make(chan *dbus.Call, greetings) // room for all: who answers late does not wait
	again := time.NewTicker(greetAgain)
	defer again.Stop()
	for asked := 0; ; {
		if asked < greetings {
			manager.GoWithContext(ctx, "org.freedesktop.DBus.Peer.Ping", 0, answers)
			asked++
		}
		select {
		case answer := <-answers:
			return answer.Err
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

// because prefers the reason for which a connection was closed by us.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", errSilent, ctx.Err())
	}
	return err
}
