package link

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"go.uber.org/zap"

	"moonwatch/member"
)

// maxHello bounds a hello, in bytes.
const maxHello = 16 << 10

// Ask asks whoever listens at addr who it is. The key is that of its
// certificate, with which its votes are checked. Both are believed as far as
// the certificate goes: name and cluster have to be those in it, the rest is
// the other side's word.
func (l *Link) Ask(ctx context.Context, addr string) (Hello, ed25519.PublicKey, error) {
	ctx, done, err := l.request(ctx, l.timing.Ask)
	if err != nil {
		return Hello{}, nil, fmt.Errorf("ask %s: %w", addr, err)
	}
	defer done()
	hello, key, err := l.ask(ctx, addr)
	if err != nil {
		return Hello{}, nil, fmt.Errorf("ask %s: %w", addr, l.because(ctx, err))
	}
	return hello, key, nil
}

// ask uses a connection of its own: questions are rare, and whose connection it
// is to be is known only afterwards.
func (l *Link) ask(ctx context.Context, addr string) (Hello, ed25519.PublicKey, error) {
	transport := l.transport(l.timing.Ping, l.timing.PingTimeout)
	transport.DialTLSContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := l.dial(ctx, addr)
		if err != nil {
			return nil, err // without the nil *tls.Conn inside an interface
		}
		return c, nil
	}
	transport.DisableKeepAlives = true
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, memberURL("anybody", pathHello).String(), nil)
	if err != nil {
		return Hello{}, nil, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return Hello{}, nil, explain(err)
	}
	defer resp.Body.Close()
	if err := accepted("", resp); err != nil {
		return Hello{}, nil, err
	}
	var hello Hello
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxHello)).Decode(&hello); err != nil {
		return Hello{}, nil, fmt.Errorf("its hello is garbled: %w", err)
	}
	name, err := l.cfg.PeerOf(*resp.TLS)
	if err != nil {
		return Hello{}, nil, err
	}
	key, ok := resp.TLS.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	switch {
	case !ok:
		return Hello{}, nil, errors.New("its certificate holds no Ed25519 key")
	case hello.Name != name:
		return Hello{}, nil, fmt.Errorf("it says that it is %s: %w, by its certificate %s", hello.Name, ErrOtherMember, name)
	case hello.ClusterID != l.cfg.ClusterID:
		return Hello{}, nil, fmt.Errorf("it says that it is of cluster %s, this is %s", hello.ClusterID, l.cfg.ClusterID)
	}
	hello.Ends = resp.TLS.PeerCertificates[0].NotAfter
	return hello, key, nil
}

func (l *Link) serveHello(w http.ResponseWriter, _ *http.Request, from member.ID) {
	hello := l.cfg.Handler.Hello()
	hello.Name, hello.ClusterID = l.cfg.Self, l.cfg.ClusterID
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(hello); err != nil {
		l.log.Debug("hello not taken", zap.String("member", string(from)), zap.Error(err))
	}
}
