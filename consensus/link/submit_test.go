package link_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"testing"
	"time"

	"moonwatch/consensus/link"
	"moonwatch/internal/pki"
	"moonwatch/member"
)

func TestACommandReachesTheHandlerAndItsAnswerComesBack(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	var got string
	b.submit = func(_ context.Context, from member.ID, command []byte) error {
		got = fmt.Sprintf("%s: %s", from, command)
		if string(command) == "bad" {
			return errors.New("fleet.yaml: line 3: unknown key")
		}
		return nil
	}
	if err := a.Submit(t.Context(), "web-2", []byte("good")); err != nil || got != "web-1: good" {
		t.Errorf("error %v, handler got %q", err, got)
	}
	err := a.Submit(t.Context(), "web-2", []byte("bad"))
	var refusal *link.Refusal
	if !errors.As(err, &refusal) || refusal.By != "web-2" || refusal.Reason != "fleet.yaml: line 3: unknown key" {
		t.Errorf("error %v is not the handler's", err)
	}
}

func TestALargestCommandPassesAndALargerOneDoesNot(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	size := 0
	b.submit = func(_ context.Context, _ member.ID, command []byte) error { size = len(command); return nil }
	if err := a.Submit(t.Context(), "web-2", make([]byte, link.MaxCommand)); err != nil || size != link.MaxCommand {
		t.Errorf("error %v, handler got %d bytes", err, size)
	}
	wantError(t, a.Submit(t.Context(), "web-2", make([]byte, link.MaxCommand+1)), link.ErrTooLarge, "65537 bytes", "at most 65536")
}

// A member whose code knows no bound is held to ours.
func TestTheReceiverKeepsTheBoundToo(t *testing.T) {
	c := newCluster(t)
	b := c.start("web-2", nil)
	b.submit = func(context.Context, member.ID, []byte) error { t.Error("the handler was asked"); return nil }
	client := rawClient(t, identity(t, c.ca, "web-1").Client())
	for _, body := range []io.Reader{
		bytes.NewReader(make([]byte, link.MaxCommand+1)),
		io.MultiReader(bytes.NewReader(make([]byte, link.MaxCommand+1))), // of a length that is not told
	} {
		resp, err := client.Post("https://"+b.Addr().String()+"/link/1/submit", "", body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("status %s", resp.Status)
		}
	}
}

// rawClient speaks HTTP/2 without our code.
func rawClient(t *testing.T, cfg *tls.Config) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func TestACommandThatTakesTooLongIsNoRefusal(t *testing.T) {
	c := newCluster(t)
	a := c.start("web-1", nil)
	b := c.start("web-2", func(cfg *link.Config) {
		cfg.Timing = link.DefaultTiming()
		cfg.Timing.Submit = 50 * time.Millisecond
	})
	b.submit = func(ctx context.Context, _ member.ID, _ []byte) error { <-ctx.Done(); return ctx.Err() }
	err := a.Submit(t.Context(), "web-2", []byte("x"))
	var refusal *link.Refusal
	if errors.As(err, &refusal) {
		t.Errorf("%v says no, and nobody did", err)
	}
	wantError(t, err, nil, "submit to web-2", "outcome unknown")

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	wantError(t, a.Submit(ctx, "web-2", []byte("x")), context.DeadlineExceeded)
}

func TestAskTellsWhoIsThereAndWithWhichKey(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	hello, key, err := a.Ask(t.Context(), b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	want := b.hello
	want.Name, want.ClusterID, want.Ends = "web-2", "moon", b.source.Pair().Expires()
	if !reflect.DeepEqual(hello, want) {
		t.Errorf("hello %+v, want %+v", hello, want)
	}
	public, err := pki.PublicKey(b.source.Pair().Leaf)
	if err != nil || !key.Equal(public) {
		t.Errorf("key %x, want %x (%v)", key, public, err)
	}
}

func TestTwoAgentsWithOneNameCanTell(t *testing.T) {
	c := newCluster(t)
	first := c.start("web-1", nil)
	second := c.start("web-1", nil)
	hello, _, err := second.Ask(t.Context(), first.Addr().String())
	if err != nil || hello.Name != "web-1" || hello.Address != "10.0.0.1:7947" {
		t.Errorf("hello %+v, %v", hello, err)
	}
}

func TestAskingNobodyIsAnError(t *testing.T) {
	c := newCluster(t)
	a := c.start("web-1", nil)
	_, _, err := a.Ask(t.Context(), "127.0.0.1:1")
	wantError(t, err, nil, "ask 127.0.0.1:1", "connection refused")
}
