package demo

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// gateVariable names the descriptor that an agent of the demo inherited from
// its launcher. Without it no agent has a gate.
const gateVariable = "MOONWATCH_DEMO_GATE_FD"

// Gate is what the demo isolates a member with: addresses with which an agent
// exchanges nothing. It starts open, and only the launcher moves it, through a
// pipe that the agent inherited. An agent whose launcher is gone keeps what it
// was told last.
type Gate struct {
	shut atomic.Pointer[map[netip.Addr]bool] // replaced, never changed
	pipe *os.File
	read sync.WaitGroup
}

// Inherited gives the gate of an agent that the demo's launcher started, and
// nil for every other agent. getenv is os.Getenv.
func Inherited(getenv func(string) string) (*Gate, error) {
	text := getenv(gateVariable)
	if text == "" {
		return nil, nil
	}
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s is %q, want the number of an inherited descriptor", gateVariable, text)
	}
	return GateFromFD(fd)
}

// GateFromFD reads the launcher's word from a pipe, one line each:
// "block ADDRESS" or "unblock ADDRESS". It takes the descriptor over.
func GateFromFD(fd int) (*Gate, error) {
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return nil, fmt.Errorf("gate: descriptor %d: %w", fd, err)
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		return nil, fmt.Errorf("gate: descriptor %d is no pipe", fd)
	}
	syscall.CloseOnExec(fd) // actions and services have no business with it
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("gate: descriptor %d: %w", fd, err)
	}
	g := newGate()
	g.pipe = os.NewFile(uintptr(fd), "gate")
	g.read.Go(g.follow)
	return g, nil
}

func newGate() *Gate {
	g := new(Gate)
	g.shut.Store(&map[netip.Addr]bool{})
	return g
}

// Open reports whether traffic with addr may pass. It is asked for each packet
// and neither waits nor allocates.
func (g *Gate) Open(addr netip.Addr) bool { return !(*g.shut.Load())[addr.Unmap()] }

// Close ends the reading and waits for it. The gate stays as it is.
func (g *Gate) Close() error {
	if g.pipe == nil {
		return nil
	}
	err := g.pipe.Close()
	g.read.Wait()
	if err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("close gate: %w", err)
	}
	return nil
}

// follow obeys until the pipe ends. What is no order of ours is left alone: a
// newer launcher may know more of them.
func (g *Gate) follow() {
	lines := bufio.NewScanner(g.pipe)
	for lines.Scan() {
		g.obey(lines.Text())
	}
}

// obey has one caller at a time.
func (g *Gate) obey(line string) {
	order, text, _ := strings.Cut(line, " ")
	addr, err := netip.ParseAddr(text)
	if err != nil || order != "block" && order != "unblock" {
		return
	}
	next := map[netip.Addr]bool{}
	for a := range *g.shut.Load() {
		next[a] = true
	}
	if order == "block" {
		next[addr.Unmap()] = true
	} else {
		delete(next, addr.Unmap())
	}
	g.shut.Store(&next)
}

// order writes one line for a gate.
func order(to io.Writer, block bool, addr netip.Addr) error {
	word := "unblock"
	if block {
		word = "block"
	}
	_, err := fmt.Fprintf(to, "%s %s\n", word, addr)
	return err
}
