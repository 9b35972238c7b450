//go:build real && linux

package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// asClient lets the test binary stand in for a service and those who ask it.
func asClient(ctx context.Context, what string, args []string) error {
	switch what {
	case "web": // ADDRESS NAME
		s := &http.Server{Addr: args[0], Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, args[1]) })}
		go func() { <-ctx.Done(); s.Close() }()
		if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	case "ask": // URL
		who, err := askOnce(args[0])
		fmt.Print(who)
		return err
	case "asker": // URL FILE: it writes down when it asked and who answered, "-" for nobody
		f, err := os.OpenFile(args[1], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		for ; err == nil && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
			at := time.Now()
			who, err2 := askOnce(args[0])
			if err2 != nil {
				who = "-"
			}
			_, err = fmt.Fprintln(f, at.UnixNano(), who)
		}
		return err
	}
	return fmt.Errorf("nobody is %q", what)
}

// askOnce opens a connection of its own.
func askOnce(url string) (string, error) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return string(b), err
}
