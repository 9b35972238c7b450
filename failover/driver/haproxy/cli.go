package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// answerLimit is far above what thousands of servers need.
const answerLimit = 8 << 20

// errSetup marks what only people can mend: HAProxy's own configuration is not
// what the driver was told.
var errSetup = errors.New("HAProxy is not set up for this")

// complaints are the answers that mean errSetup, with the way out.
var complaints = []struct{ text, mend string }{
	{"Can't find backend", "declare the backend"},
	{"No such backend", "declare the backend"},
	{"No such server", "declare a server named as the slot"},
	{"Unknown map identifier", "name the map in a rule of the configuration"},
	{"Permission denied", `give the socket "level admin"`},
	{"Invalid addr", "give the server an address in the configuration"},
}

// ask sends one line of commands over a connection of its own and hears the
// whole answer.
func (d *Driver) ask(ctx context.Context, in Instance, commands string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, d.config.AnswerWithin)
	defer cancel()
	network := "tcp"
	if strings.HasPrefix(in.Socket, "/") {
		network = "unix"
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, in.Socket)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, commands+"\n"); err != nil {
		return "", cause(ctx, err)
	}
	answer, err := io.ReadAll(io.LimitReader(conn, answerLimit+1))
	if err != nil {
		return "", cause(ctx, err)
	}
	if len(answer) > answerLimit {
		return "", fmt.Errorf("the answer has more than %d bytes", answerLimit)
	}
	return string(answer), complaint(string(answer))
}

// cause prefers the reason for which a connection was closed by us.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("no answer: %w", ctx.Err())
	}
	return err
}

func complaint(answer string) error {
	for line := range strings.Lines(answer) {
		for _, c := range complaints {
			if strings.HasPrefix(line, c.text) {
				return fmt.Errorf("%w: it says %q: %s", errSetup, strings.TrimSpace(line), c.mend)
			}
		}
	}
	return nil
}

// obeyed accepts what HAProxy says to a command that it has carried out, and
// nothing else.
func obeyed(answer string) error {
	line := strings.TrimSpace(answer)
	for _, good := range []string{"IP changed from ", "port changed from ", "no need to change "} {
		if strings.HasPrefix(line, good) {
			return nil
		}
	}
	if answer != "\n" {
		return fmt.Errorf("it says %.80q", line)
	}
	return nil
}
