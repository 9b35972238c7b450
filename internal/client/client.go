// Package client asks one agent what it knows, over its unix socket or its
// http address, and hands in commands that an operator has signed.
//
// Reading needs no council and no network beyond the agent: an isolated agent
// answers too, and its answers say how old its knowledge is ([status.Knowledge]).
// Every request ends within its context; New gives no time-out of its own. An
// error says whom it was asked of, what went wrong and what to do next.
package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
)

// What a caller tells apart. The errors around them name the agent and say
// what to do next.
var (
	ErrAddress     = errors.New("not an agent's address")
	ErrUnreachable = errors.New("no agent answers")
	ErrStarting    = errors.New("the agent is starting")
	ErrUnknown     = errors.New("not known to the agent")
	ErrNotOffered  = errors.New("not offered by the agent") // an older one, or another door
	ErrNotAgent    = errors.New("the answer is not an agent's")
)

// Client asks one agent. It is safe for use by several goroutines.
type Client struct {
	address string // as people write it
	base    string // of the URLs
	socket  string // path of the unix socket, empty for http
	http    *http.Client
}

// New makes a client of the agent at address: unix:PATH, an absolute path of a
// socket, HOST:PORT or an http URL. It opens no connection; an address that can
// be none is [ErrAddress].
func New(address string) (*Client, error) {
	c := &Client{address: address}
	transport := &http.Transport{DisableCompression: true, MaxIdleConns: 2}
	switch {
	case strings.HasPrefix(address, "unix:"), filepath.IsAbs(address):
		path := strings.TrimPrefix(strings.TrimPrefix(address, "unix:"), "//")
		if path == "" {
			return nil, wrongAddress(address)
		}
		c.address, c.socket, c.base = "unix:"+path, path, "http://agent"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}
	case strings.HasPrefix(address, "http://"), strings.HasPrefix(address, "https://"):
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, wrongAddress(address)
		}
		c.base = strings.TrimSuffix(address, "/")
		transport.Proxy = http.ProxyFromEnvironment
	default:
		if !isHostPort(address) {
			return nil, wrongAddress(address)
		}
		c.base = "http://" + address
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // an agent redirects nobody
	}}
	return c, nil
}

func wrongAddress(address string) error {
	return fmt.Errorf("%q: %w, want unix:PATH, HOST:PORT or http://HOST:PORT", address, ErrAddress)
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || strings.ContainsAny(host, "/@ ") {
		return false
	}
	_, err = netip.ParseAddrPort("[::1]:" + port)
	return err == nil && port != "0"
}

// Address is the agent's address in the form in which people write it.
func (c *Client) Address() string { return c.address }

// Local reports that the agent is asked over a socket, so it runs on this
// machine and shares its clock.
func (c *Client) Local() bool { return c.socket != "" }

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }
