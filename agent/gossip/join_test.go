package gossip

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// refused joins and checks that the error names the address and the cause.
func refused(t *testing.T, g *Gossip, addr, result string, want ...string) {
	t.Helper()
	n, err := g.Join(t.Context(), []string{addr})
	if n != 0 || err == nil {
		t.Fatalf("joined %d, error %v", n, err)
	}
	for _, w := range append(want, "join "+addr) {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error lacks %q: %v", w, err)
		}
	}
	if strings.ContainsAny(err.Error(), "\n*") {
		t.Errorf("error is no single line: %v", err)
	}
	if n := testutil.ToFloat64(g.metrics.joins.WithLabelValues(result)); n != 1 {
		t.Errorf("%v joins counted as %s", n, result)
	}
	if alive(g) != 1 {
		t.Errorf("view is %+v", g.View())
	}
}

func TestAWrongKeyIsNamed(t *testing.T) {
	here := start(t, config("a"))
	c := config("b")
	c.Keys = [][]byte{otherKey}
	g := start(t, c)
	refused(t, g, here.Addr().String(), "wrong_key", "the gossip key here is not the one there", "gossip_key_file", "no installed keys could decrypt")
	if alive(here) != 1 {
		t.Errorf("let in: %+v", here.View())
	}
}

func TestAnotherClusterIsNamed(t *testing.T) {
	here := start(t, config("a"))
	c := config("b")
	c.ClusterID = "another"
	refused(t, start(t, c), here.Addr().String(), "other_cluster", "belongs to another cluster")
	if alive(here) != 1 {
		t.Errorf("let in: %+v", here.View())
	}
}

func TestAnAgentThatDoesNotEncryptIsNamed(t *testing.T) {
	conf := memberlist.DefaultLANConfig()
	conf.Name, conf.Label = "plain", "test"
	conf.BindAddr, conf.BindPort = "127.0.0.1", 0
	conf.LogOutput = io.Discard
	plain, err := memberlist.Create(conf)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plain.Shutdown() }()
	refused(t, start(t, config("a")), plain.LocalNode().Address(), "not_encrypted", "runs without a gossip key")
}

func TestNobodyThereIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	_ = l.Close()
	refused(t, start(t, config("a")), free, "nobody", "nobody listens there")
}

func TestJoinCountsWhoIsInTouchAndPassesOverItself(t *testing.T) {
	agents := fleet(t, 3)
	g := agents[0]
	n, err := g.Join(t.Context(), []string{g.Addr().String(), agents[1].Addr().String(), agents[2].Addr().String()})
	if n != 2 || err != nil {
		t.Errorf("joined %d, error %v", n, err)
	}
}

func TestJoinReportsEveryFailureBesideTheSuccess(t *testing.T) {
	here, g := start(t, config("a")), start(t, config("b"))
	n, err := g.Join(t.Context(), []string{"127.0.0.1:1", here.Addr().String(), "127.0.0.1:2"})
	if n != 1 || err == nil || strings.Count(err.Error(), "nobody listens there") != 2 {
		t.Errorf("joined %d, error %v", n, err)
	}
}

func TestJoinEndsWithItsContext(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	g := start(t, config("a"))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("told to stop")
	go func() {
		conn, err := mute.Accept()
		if err == nil {
			defer func() { _ = conn.Close() }()
		}
		cancel(why)
		<-g.gone // Close must not wait for the engine's time-out
	}()
	_, err = g.Join(ctx, []string{mute.Addr().String(), "127.0.0.1:1"})
	if !errors.Is(err, why) || strings.Contains(err.Error(), "127.0.0.1:1:") {
		t.Errorf("error is %v", err)
	}
}

func TestJoinCausesAreTold(t *testing.T) {
	for text, result := range map[string]string{
		"failed to join 10.0.0.1:7946: read tcp: i/o timeout":                                     "silent",
		"failed to resolve web-9: lookup web-9: no such host":                                     "unknown_name",
		"failed to join 10.0.0.1:7946: read tcp 10.0.0.2:5->10.0.0.1:7946: connection reset":      "other_cluster",
		"remote error: remote state is encrypted and encryption is not configured":                "not_encrypted",
		"something that the engine never said before":                                             "other",
		"failed to join 10.0.0.1:7946: dial 10.0.0.1:7946: the gate is shut":                      "gate",
		"failed to join 10.0.0.1:7946: remote error: no installed keys could decrypt the message": "wrong_key",
	} {
		got, err := explain(errors.New(text))
		if got != result || !strings.HasSuffix(err.Error(), text) {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}
