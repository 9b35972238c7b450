package shield

import (
	"encoding/binary"
	"net/netip"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/net/idna"
)

// maxHost is the longest DNS name in bytes, without the trailing dot.
const maxHost = 253

// HostRoom is how much room Normalise needs to do without an allocation.
const HostRoom = maxHost

// plain says what a byte of a name becomes; 0 is a byte that ends the easy case.
var plain = func() (t [256]byte) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = byte(c), byte(c)
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = byte(c)
	}
	t['-'], t['_'], t['.'] = '-', '_', '.'
	return t
}()

// Normalise writes the one form of a Host header under which it is counted into
// buf and returns it: lower case, without port and trailing dot, international
// names in their ASCII form, addresses in their canonical text without brackets
// and zone. It reports false for what is no name: empty, longer than a name can
// be, raw bytes. With HostRoom bytes of room it allocates nothing for names in
// ASCII. The normal form of a normal form is itself.
func Normalise(buf []byte, host string) ([]byte, bool) {
	buf = buf[:0]
	if len(host) > 2*maxHost { // an international name is shorter in ASCII than in UTF-8 at times, but not by half
		return nil, false
	}
	last := byte('.') // so that a leading dot is an empty label, too
	for i := range len(host) {
		c := plain[host[i]]
		if c == 0 {
			return normaliseOdd(buf, host, i)
		}
		if c == '.' && last == '.' {
			return nil, false
		}
		buf = append(buf, c)
		last = c
	}
	return ended(buf)
}

// ended takes the trailing dot off, and refuses what is empty or too long.
func ended(name []byte) ([]byte, bool) {
	if n := len(name); n > 0 && name[n-1] == '.' {
		name = name[:n-1]
	}
	if len(name) == 0 || len(name) > maxHost {
		return nil, false
	}
	return name, true
}

// normaliseOdd handles a host that is not plain from its byte i on.
func normaliseOdd(buf []byte, host string, i int) ([]byte, bool) {
	if host[i] == '[' && i == 0 {
		end := 1
		for end < len(host) && host[end] != ']' {
			end++
		}
		if end == len(host) || !isPort(host[end+1:]) {
			return nil, false
		}
		return normaliseIPv6(buf, host[1:end])
	}
	if host[i] == ':' {
		if isPort(host[i:]) {
			return ended(buf)
		}
		return normaliseIPv6(buf, host) // no brackets: not by the book, but not ambiguous
	}
	if !utf8.ValidString(host) {
		return nil, false
	}
	name := host
	for j := i; j < len(host); j++ {
		if host[j] == ':' {
			if !isPort(host[j:]) {
				return nil, false
			}
			name = host[:j]
			break
		}
		if host[j] < utf8.RuneSelf && plain[host[j]] == 0 {
			return nil, false
		}
	}
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil {
		return nil, false
	}
	for j := range len(ascii) {
		if plain[ascii[j]] != ascii[j] || ascii[j] == '.' && (j == 0 || ascii[j-1] == '.') {
			return nil, false
		}
	}
	return ended(append(buf[:0], ascii...))
}

func normaliseIPv6(buf []byte, address string) ([]byte, bool) {
	ip, err := netip.ParseAddr(address)
	if err != nil || !ip.Is6() {
		return nil, false
	}
	return ip.WithZone("").AppendTo(buf[:0]), true
}

// isPort reports whether s is nothing or ":" and at most five digits. The empty
// port of "name:" is allowed by RFC 3986.
func isPort(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) > 6 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// KeyOf hashes a name in its normal form. The salt is the cluster's: all its
// doors have the same, so their keys agree, and who does not know it cannot
// choose a name that shares a key with somebody else's. It is never Nameless.
func KeyOf(salt uint64, name []byte) Key {
	if len(name) > usual {
		return longKeyOf(salt, name)
	}
	var room [8 + usual]byte
	binary.LittleEndian.PutUint64(room[:8], salt)
	n := copy(room[8:], name)
	return keep(xxhash.Sum64(room[:8+n]))
}

// MarkOf tells two salts apart, and nothing else about them: doors whose keys are
// made by another salt speak of other subdomains.
func MarkOf(salt uint64) uint32 { return uint32(KeyOf(salt, []byte("mark of the salt")) >> 32) }

// usual is as long as names usually are at most. Room for the longest costs as
// much time as all the rest.
const usual = 56

func longKeyOf(salt uint64, name []byte) Key {
	var room [8 + maxHost]byte
	binary.LittleEndian.PutUint64(room[:8], salt)
	n := copy(room[8:], name)
	return keep(xxhash.Sum64(room[:8+n]))
}

// ParentKeyOf is the key of the bucket that unknown names below the parent of a
// name share: those below example.com for www.example.com. A name without a
// parent has none, and an address neither.
func ParentKeyOf(salt uint64, name []byte) (Key, bool) {
	parent, ok := parentOf(name)
	if !ok {
		return 0, false
	}
	var room [8 + 1 + maxHost]byte
	binary.LittleEndian.PutUint64(room[:8], salt)
	room[8] = '*' // "*.example.com", which is nobody's normal form
	n := copy(room[9:], parent)
	return keep(xxhash.Sum64(room[:9+n])), true
}

// Bucket is how the bucket of unknown names beside a name is called: *.example.com.
func Bucket(name []byte) (string, bool) {
	parent, ok := parentOf(name)
	if !ok {
		return "", false
	}
	return "*" + string(parent), true
}

// parentOf gives ".example.com" for www.example.com.
func parentOf(name []byte) ([]byte, bool) {
	for i, c := range name {
		switch c {
		case '.':
			return name[i:], !isIPv4(name)
		case ':':
			return nil, false
		}
	}
	return nil, false
}

func isIPv4(name []byte) bool {
	if c := name[len(name)-1]; c < '0' || c > '9' {
		return false
	}
	_, err := netip.ParseAddr(string(name))
	return err == nil
}

// keep moves the two keys that mean something else out of the way.
func keep(h uint64) Key {
	if h <= uint64(Nameless) {
		h += 2
	}
	return Key(h)
}
