package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"moonwatch/member"
)

// The commands that a running demo takes from a second terminal.
const (
	DoKill    = "kill"    // agent and service of the member end
	DoStop    = "stop"    // both fall silent
	DoIsolate = "isolate" // nobody reaches the member, and it reaches nobody
	DoHeal    = "heal"    // take any of these back
)

// controlTime bounds one command, controlSize the line that carries it.
const (
	controlTime = 10 * time.Second
	controlSize = 4 << 10
)

// request and reply are one line of JSON each.
type (
	request struct {
		Do     string    `json:"do"`
		Member member.ID `json:"member"`
		Until  time.Time `json:"until"` // later nobody waits for it
	}
	reply struct {
		Text  string `json:"text,omitempty"`
		Error string `json:"error,omitempty"`
	}
)

// Control hands a command to the demo that runs: the one whose folder is dir,
// or the only one. It prints what was done.
func Control(ctx context.Context, dir, do string, id member.ID, out io.Writer) error {
	f, err := running(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	answer, err := f.ask(ctx, request{Do: do, Member: id})
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	fmt.Fprintln(out, answer)
	return nil
}

func (f *folder) ask(ctx context.Context, r request) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, controlTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(f.path, socketFile))
	if err != nil {
		return "", fmt.Errorf("the demo takes no commands (it may still be starting, or run --once): %w", err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	r.Until = deadline
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return "", err
	}
	var a reply
	if err := json.NewDecoder(io.LimitReader(conn, controlSize)).Decode(&a); err != nil {
		return "", fmt.Errorf("read the demo's answer: %w", err)
	}
	if a.Error != "" {
		return "", errors.New(a.Error)
	}
	return a.Text, nil
}

// control takes commands at the folder's socket, one after the other: two
// people who steer one member at the same time mean different stories.
type control struct {
	listener net.Listener
	serving  sync.WaitGroup
}

func (l *launcher) openControl(ctx context.Context) (*control, error) {
	path := filepath.Join(l.kit.folder.path, socketFile)
	if len(path) > maxSocket {
		return nil, fmt.Errorf("open control socket %s: %d bytes, want at most %d: name a shorter folder with --dir", path, len(path), maxSocket)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", path) // the folder's mode keeps others out
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	c := &control{listener: listener}
	c.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			l.answer(conn)
		}
	})
	return c, nil
}

// close waits for the command under way, controlTime at most.
func (c *control) close() {
	_ = c.listener.Close() // what it could say, accept has said
	c.serving.Wait()
}

func (l *launcher) answer(conn net.Conn) {
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(controlTime)) != nil {
		return
	}
	var a reply
	var r request
	line, err := bufio.NewReader(io.LimitReader(conn, controlSize)).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err == nil && time.Now().After(r.Until) {
		// A launcher that was stopped meanwhile must not kill a member after
		// the one who asked was told that nothing came of it.
		err = fmt.Errorf("%s %s: nobody waits for it since %s", r.Do, r.Member, r.Until.Format(time.RFC3339))
	}
	if err == nil {
		a.Text, err = l.obey(r)
	}
	if err != nil {
		a.Error = err.Error()
	}
	_ = json.NewEncoder(conn).Encode(a) // who asked may be gone
}

// obey carries out one command.
func (l *launcher) obey(r request) (string, error) {
	c, err := l.child(r.Member)
	if err != nil {
		return "", err
	}
	var done string
	switch r.Do {
	case DoKill:
		done, err = "agent and service killed", c.hit(syscall.SIGKILL)
	case DoStop:
		done, err = "agent and service stopped: the member is silent", c.hit(syscall.SIGSTOP)
	case DoIsolate:
		done, err = "nobody reaches the member, and it reaches nobody", l.isolate(c, true)
	case DoHeal:
		done, err = "healed", l.heal(c)
	default:
		err = fmt.Errorf("unknown command %q, want %s, %s, %s or %s", r.Do, DoKill, DoStop, DoIsolate, DoHeal)
	}
	if errors.Is(err, os.ErrProcessDone) {
		return "", fmt.Errorf("it is killed already: `moonwatch demo heal %s` brings it back", r.Member)
	}
	if err != nil {
		return "", err
	}
	l.say("%s %s: %s", r.Do, r.Member, done)
	return fmt.Sprintf("%s: %s", r.Member, done), nil
}
