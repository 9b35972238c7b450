package demo

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"moonwatch/internal/program"
	"moonwatch/member"
)

// Web is one occupant's service: small, and a process of its own like any real
// one.
type Web struct {
	Listen  string // IP:port
	Member  member.ID
	Slot    member.SlotID
	Epoch   member.SlotEpoch
	PIDFile string // written when the service listens; empty: none
}

// answer is what the service says at /. Who asks through the gateway learns
// which process of which occupant answered.
type answer struct {
	Member member.ID        `json:"member"`
	Slot   member.SlotID    `json:"slot"`
	Epoch  member.SlotEpoch `json:"slot_epoch"`
	PID    int              `json:"pid"`
}

// RunService is the hidden command `moonwatch demo-service`: it serves until
// SIGTERM and gives the exit status.
func RunService(ctx context.Context, args []string, complaints io.Writer) int {
	var w Web
	flags := flag.NewFlagSet("demo-service", flag.ContinueOnError)
	flags.SetOutput(complaints)
	flags.StringVar(&w.Listen, "listen", "", "IP:port")
	flags.StringVar((*string)(&w.Member), "member", os.Getenv("MOONWATCH_MEMBER"), "who serves")
	flags.StringVar((*string)(&w.Slot), "slot", "", "for which slot")
	flags.Uint64Var((*uint64)(&w.Epoch), "epoch", 0, "at which slot epoch")
	flags.StringVar(&w.PIDFile, "pid-file", "", "written when it listens")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := ServeWeb(ctx, w); err != nil {
		fmt.Fprintln(complaints, "moonwatch demo-service:", err)
		return exitError
	}
	return exitOK
}

// ServeWeb serves until ctx ends and then lets requests under way finish, for
// half a second at most.
func ServeWeb(ctx context.Context, w Web) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", w.Listen)
	if err != nil {
		return fmt.Errorf("serve %s: %w", w.Slot, err)
	}
	if err := w.notePID(); err != nil {
		listener.Close()
		return fmt.Errorf("serve %s: %w", w.Slot, err)
	}
	server := &http.Server{Handler: w.handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", w.Slot, err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 500*time.Millisecond)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", w.Slot, err)
	}
	return nil
}

func (w Web) handler() http.Handler {
	text, err := json.Marshal(answer{Member: w.Member, Slot: w.Slot, Epoch: w.Epoch, PID: os.Getpid()})
	if err != nil {
		panic("demo: " + err.Error()) // strings and numbers
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		_, _ = out.Write(append(text, '\n')) // a client that is gone needs no answer
	})
	mux.HandleFunc("GET /healthz", func(out http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(out, "ok\n")
	})
	return mux
}

// notePID writes who this process is, for the actions and for the launcher.
func (w Web) notePID() error {
	if w.PIDFile == "" {
		return nil
	}
	return writeWhole(w.PIDFile, fmt.Sprintf("%s %s %d\n", pidLine(program.Identify(os.Getpid())), w.Slot, w.Epoch))
}
