package door

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"moonwatch/internal/keeper"
)

// Owner is the keeper behind the door.
type Owner interface {
	// Ask hands an event to the keeper and waits for its answer, until ctx ends.
	Ask(ctx context.Context, ev func(keeper.Ask) keeper.Event) (keeper.Answer, error)
	// Status tells how it is.
	Status(ctx context.Context) (Status, error)
}

// visitors bounds the connections that are served at once. An agent has two or
// three; a release may stay for as long as a stop takes.
const visitors = 32

// idle is how long a visitor may take for a line.
const idle = 5 * time.Second

// Server listens at a keeper's socket.
type Server struct {
	listener net.Listener
	path     string
	uids     []uint32
	lock     *os.File
	visits   chan struct{}
	serving  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Listen opens the socket, with mode 0600. It refuses one at which another keeper
// answers, and clears away what a killed one left.
func Listen(path string) (*Server, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("open keeper's socket: %w", err)
	}
	lock, err := takeLock(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("open keeper's socket %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("open keeper's socket: %w", err), lock.Close())
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		if l != nil {
			_ = l.Close()
		}
		return nil, errors.Join(fmt.Errorf("open keeper's socket: %w", err), lock.Close())
	}
	return &Server{
		listener: l, path: path, uids: []uint32{0, uint32(os.Geteuid())}, lock: lock,
		visits: make(chan struct{}, visitors), conns: map[net.Conn]bool{},
	}, nil
}

// acceptAgain is how long a socket rests that could hand over nobody.
const acceptAgain = 100 * time.Millisecond

// Serve serves until Close; then it returns nil. A machine that is short of descriptors or
// memory hands over nobody for a while: that is waited for, since the slots of a keeper that
// ends run on without one.
func (s *Server) Serve(ctx context.Context, o Owner) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // whoever waits for an answer hears that there is none
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if short(err) {
			select {
			case <-ctx.Done():
			case <-time.After(acceptAgain):
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("keeper's socket: %w", err)
		}
		select {
		case s.visits <- struct{}{}:
		default:
			_ = conn.Close() // more at once than any agent asks
			continue
		}
		s.keep(conn, true)
		s.serving.Go(func() {
			defer func() { s.keep(conn, false); _ = conn.Close(); <-s.visits }()
			s.visit(ctx, conn, o)
		})
	}
}

// short reports that accepting failed for want of something that comes back.
func short(err error) bool {
	for _, of := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.ECONNABORTED} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// Close ends the visits and takes the socket away.
func (s *Server) Close() error {
	err := s.listener.Close() // it removes the socket as well
	s.mu.Lock()
	for c := range s.conns {
		_ = c.SetDeadline(time.Unix(1, 0))
	}
	s.mu.Unlock()
	s.serving.Wait()
	return errors.Join(err, s.lock.Close())
}

func (s *Server) keep(c net.Conn, yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if yes {
		s.conns[c] = true
		return
	}
	delete(s.conns, c)
}

// visit serves one request: a connection has one.
func (s *Server) visit(ctx context.Context, conn net.Conn, o Owner) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := s.hear(ctx, conn, cancel, o)
	r.Version = Version
	line, err := json.Marshal(r)
	if err != nil {
		return
	}
	_ = conn.SetWriteDeadline(time.Now().Add(idle))
	_, _ = conn.Write(append(line, '\n')) // who does not wait for the answer has none
}

func (s *Server) hear(ctx context.Context, conn net.Conn, gone func(), o Owner) reply {
	who, err := peerOf(conn)
	switch {
	case err != nil:
		return reply{Refused: err.Error()}
	case !slices.Contains(s.uids, who.uid):
		return reply{Refused: fmt.Sprintf("user %d may not ask, want user %v", who.uid, s.uids)}
	}
	_ = conn.SetReadDeadline(time.Now().Add(idle))
	in := bufio.NewReaderSize(conn, lineLimit)
	line, err := in.ReadSlice('\n')
	if err != nil {
		return reply{Refused: fmt.Sprintf("request: %v", err)}
	}
	var q request
	if err := decode(line, &q); err != nil {
		return reply{Refused: fmt.Sprintf("request: %v", err)}
	}
	if err := q.wanting(); err != nil {
		return reply{Refused: fmt.Sprintf("request: %v", err)}
	}
	_ = conn.SetReadDeadline(time.Time{})
	// Whoever hangs up does not wait any more; nothing may follow the line.
	s.serving.Go(func() { _, _ = in.ReadByte(); gone() })
	defer func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) }()
	return answer(ctx, q, who, o)
}

func answer(ctx context.Context, q request, who peer, o Owner) reply {
	if q.Do == doStatus {
		st, err := o.Status(ctx)
		if err != nil {
			return reply{Refused: err.Error()}
		}
		return reply{Status: &st}
	}
	a, err := o.Ask(ctx, func(id keeper.Ask) keeper.Event {
		switch q.Do {
		case doHand:
			return keeper.Handed{Ask: id, Lease: *q.Lease}
		case doEnter:
			return keeper.Entering{Ask: id, Slot: q.Slot, Epoch: q.Epoch, PID: who.pid}
		default:
			return keeper.Released{Ask: id, Slot: q.Slot, Epoch: q.Epoch}
		}
	})
	if err != nil {
		return reply{Refused: err.Error()}
	}
	return reply{Refused: a.Refused, Standing: &a.Standing}
}
