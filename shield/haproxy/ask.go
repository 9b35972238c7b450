package haproxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
)

const (
	// answerMost is far above what a poll needs, which HAProxy filters.
	answerMost = 4 << 20
	// lineMost bounds a line of commands: HAProxy reads one into a buffer of 16 KiB.
	lineMost = 8 << 10
)

// ask sends commands and hears the whole answer. Those that do not fit into one line
// go over further connections.
func (d *Door) ask(ctx context.Context, commands []string) (string, error) {
	var answers strings.Builder
	for len(commands) > 0 {
		n, size := 1, len(commands[0])
		for n < len(commands) && size+len(commands[n])+1 <= lineMost {
			size += len(commands[n]) + 1
			n++
		}
		answer, err := d.askLine(ctx, strings.Join(commands[:n], ";"))
		if err != nil {
			return "", fmt.Errorf("ask haproxy at %s: %w", d.cfg.Socket, err)
		}
		answers.WriteString(answer)
		commands = commands[n:]
	}
	return answers.String(), nil
}

func (d *Door) askLine(ctx context.Context, line string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.AnswerWithin)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", d.cfg.Socket)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return "", because(ctx, err)
	}
	answer, err := io.ReadAll(io.LimitReader(conn, answerMost+1))
	if err != nil {
		return "", because(ctx, err)
	}
	if len(answer) > answerMost {
		return "", fmt.Errorf("the answer has more than %d bytes", answerMost)
	}
	return string(answer), nil
}

// because prefers the reason for which a connection was closed by us.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("no answer: %w", ctx.Err())
	}
	return err
}

// complaints are answers that only people can mend, with the way out.
var complaints = []struct{ text, mend string }{
	{"No such table", "take over the tables of configs/haproxy/moonwatch.cfg"},
	{"No such proxy", "name frontend and backends in agent.yaml as HAProxy's configuration does"},
	{"Unknown map identifier", "name the map in agent.yaml as HAProxy's configuration does, and use it in a rule there"},
	{"Permission denied", `give the socket "level admin"`},
	{"Unknown command", "want HAProxy 2.6 or later"},
}

// odd is the error for a line that no command of ours is answered with.
func odd(line string) error {
	line = strings.TrimSpace(line)
	for _, c := range complaints {
		if strings.HasPrefix(line, c.text) {
			return fmt.Errorf("haproxy says %.100q: %s", line, c.mend)
		}
	}
	return fmt.Errorf("haproxy says %.100q, which is not understood", line)
}
