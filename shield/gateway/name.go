package gateway

import (
	"net/netip"
	"strings"
)

// maxName is the longest DNS name in bytes, without the trailing dot.
const maxName = 253

// fold writes the normal form of a Host header into buf: lower case, without
// port and trailing dot, an IPv6 address in its one canonical text and without
// brackets and zone. It reports false for what is no name, the empty one
// included. It allocates nothing if buf has room for maxName bytes.
func fold(buf []byte, host string) ([]byte, bool) {
	if strings.HasPrefix(host, "[") {
		address, port, ok := strings.Cut(host[1:], "]")
		if !ok || port != "" && (port[0] != ':' || !digits(port[1:])) {
			return nil, false
		}
		return foldIPv6(buf, address)
	}
	if colon := strings.IndexByte(host, ':'); colon >= 0 {
		if strings.IndexByte(host[colon+1:], ':') >= 0 {
			return foldIPv6(buf, host) // no brackets: not by the book, but not ambiguous
		}
		if !digits(host[colon+1:]) {
			return nil, false
		}
		host = host[:colon]
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" || len(host) > maxName {
		return nil, false
	}
	buf = buf[:0]
	last := byte('.') // so that a leading dot is an empty label, too
	for i := range len(host) {
		c := host[i]
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.' && last != '.':
		default:
			return nil, false
		}
		buf = append(buf, c)
		last = c
	}
	return buf, last != '.'
}

func foldIPv6(buf []byte, address string) ([]byte, bool) {
	ip, err := netip.ParseAddr(address)
	if err != nil || !ip.Is6() {
		return nil, false
	}
	return ip.WithZone("").AppendTo(buf[:0]), true
}

// digits reports whether s can stand for a port. The empty port of "name:" is
// allowed by RFC 3986.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) <= 5
}

// names finds what belongs to a name: an exact entry before the wildcard with
// the longest suffix before the catch-all.
type names[T any] struct {
	exact    map[string]T
	suffixes map[string]T // "*.example.com" is kept as "example.com"
	any      T
}

// find costs one map lookup per label of the name and allocates nothing. What
// is no name at all finds nothing, except that a request without Host
// (HTTP/1.0) finds the catch-all.
func (n *names[T]) find(host string) (found T) {
	var room [maxName + 1]byte
	name, ok := fold(room[:0], host)
	if !ok {
		if host == "" {
			return n.any
		}
		return found
	}
	if t, ok := n.exact[string(name)]; ok {
		return t
	}
	if len(n.suffixes) > 0 {
		for i, c := range name {
			if c != '.' {
				continue
			}
			if t, ok := n.suffixes[string(name[i+1:])]; ok {
				return t
			}
		}
	}
	return n.any
}
