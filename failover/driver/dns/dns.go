// Package dns is the driver of a door that consists of names: it tells an
// authoritative server by RFC 2136 updates, signed with TSIG, which addresses
// clients may find.
//
// A slot's occupant has one address record under the slot's name; slots may
// share a name. Beside it stands the slot's mark, a TXT record with slot epoch,
// occupant and address. One update changes both, and its prerequisites are the
// mark and the addresses as they were read: the server applies all of it or
// nothing, and nothing at all if anybody came between. So a step is never
// half-way, and of two executors one wins.
//
// Only signed answers of a server that is authoritative for the zone count. It
// is spoken to over TCP, so that no answer is cut or forged from outside.
//
// What the driver does not promise: that clients notice. Resolvers keep what
// they know for the record's TTL, and some for longer. For the same reason it
// refuses to take a name's last address away: that there is none would be
// remembered too.
package dns

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"moonwatch/failover/driver"
	"moonwatch/member"
)

// Config says where a pool's names are kept.
type Config struct {
	// Server is the zone's primary, host:port.
	Server string
	// Zone holds all names.
	Zone string
	// Key signs what is said and heard.
	Key Key
	// TTL is how long a resolver may keep an address: the longer, the less the
	// server is asked and the later clients hear of a cutover. Whole seconds.
	TTL time.Duration
	// Name is where a slot's address stands. Slots that share a name have to be
	// held by members of different addresses.
	Name func(member.SlotID) string
	// Address is a member's address as clients reach it; false for one that is
	// not in the roster.
	Address func(member.ID) (netip.Addr, bool)
}

// Key is a secret that the server shares with us.
type Key struct {
	Name      string
	Algorithm string // hmac-sha256, hmac-sha384 or hmac-sha512
	Secret    string // base64, as tsig-keygen writes it
}

var algorithms = []string{"hmac-sha256", "hmac-sha384", "hmac-sha512"}

// Validate lists every mistake.
func (c Config) Validate() error {
	var mistakes []error
	wrong := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	if _, _, err := net.SplitHostPort(c.Server); err != nil {
		wrong("server is %q, want host:port", c.Server)
	}
	for _, name := range []struct{ key, value string }{{"zone", c.Zone}, {"key.name", c.Key.Name}} {
		if _, ok := dns.IsDomainName(name.value); !ok {
			wrong("%s is %q, want a domain name", name.key, name.value)
		}
	}
	if !slices.Contains(algorithms, c.Key.Algorithm) {
		wrong("key.algorithm is %q, want one of %q", c.Key.Algorithm, algorithms)
	}
	if secret, err := base64.StdEncoding.DecodeString(c.Key.Secret); err != nil || len(secret) < 16 {
		wrong("key.secret is not base64 of at least 16 bytes") // and is not shown
	}
	if c.TTL < time.Second || c.TTL > 24*time.Hour || c.TTL%time.Second != 0 {
		wrong("ttl is %v, want whole seconds from 1s to 24h", c.TTL)
	}
	if c.Name == nil || c.Address == nil {
		wrong("name or address is missing: nobody says where a slot or a member is found")
	}
	return errors.Join(mistakes...)
}

// Driver tells one server.
type Driver struct {
	config Config
	now    func() time.Time // signs; a test's may be wrong
}

var _ driver.Driver = (*Driver)(nil)

// New drives the names of a config.
func New(c Config) (*Driver, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("dns: %w", err)
	}
	c.Zone, c.Key.Name = dns.CanonicalName(c.Zone), dns.CanonicalName(c.Key.Name)
	return &Driver{config: c, now: time.Now}, nil
}

// Observe is Done if mark and address stand as the step wants, and Unknown if
// the mark does and the address does not, which somebody else has done.
func (d *Driver) Observe(ctx context.Context, req driver.Request) driver.Result {
	aim, err := d.aim(req)
	if err != nil {
		return driver.Permanent.Because("%v", err)
	}
	ctx, cancel := context.WithDeadline(ctx, req.Deadline)
	defer cancel()
	now, err := d.read(ctx, aim)
	if err != nil {
		return unread(aim, err, driver.Unknown)
	}
	_, answer := weigh(aim, now)
	return answer
}

// Plan says which records would be changed.
func (d *Driver) Plan(req driver.Request) (string, error) {
	aim, err := d.aim(req)
	if err != nil {
		return "", fmt.Errorf("plan %w", err)
	}
	ctx, cancel := context.WithDeadline(context.Background(), req.Deadline)
	defer cancel()
	now, err := d.read(ctx, aim)
	if err != nil {
		return "", fmt.Errorf("plan %s: read %s: %w", req, aim.name, err)
	}
	c, answer := weigh(aim, now)
	switch answer.Outcome {
	case driver.Done:
		return "nothing: " + answer.Detail, nil
	case driver.Refused, driver.Permanent:
		return "", fmt.Errorf("plan %s", answer.Detail)
	default:
		return c.String(), nil
	}
}

// tries is how often an update is made anew because another slot of the name
// was changed between reading and writing.
const tries = 5

// Apply changes the records, unless they are as wanted or a newer slot epoch
// stands there.
func (d *Driver) Apply(ctx context.Context, req driver.Request) driver.Result {
	began := time.Now()
	aim, err := d.aim(req)
	if err != nil {
		return driver.Permanent.Because("%v", err)
	}
	if err := req.TooLate(ctx, began); err != nil {
		return driver.Retryable.Because("%s: not done: %v", req, err)
	}
	ctx, cancel := context.WithDeadline(ctx, req.Deadline)
	defer cancel()
	for range tries {
		now, err := d.read(ctx, aim)
		if err != nil {
			return unread(aim, err, driver.Retryable)
		}
		c, answer := weigh(aim, now)
		switch {
		case answer.Outcome != driver.Retryable && answer.Outcome != driver.Unknown:
			return answer
		case req.DryRun:
			return driver.Done.Because("%s: would %s", req, c)
		}
		result, conflict := d.update(ctx, c)
		if !conflict {
			result.Took = time.Since(began)
			return result
		}
	}
	return driver.Retryable.Because("%s: not done: %s was changed by others %d times between reading and writing", req, aim.name, tries)
}

// Compensate turns a drain into an undrain and back. A cutover is not taken
// back: the occupant before it is fenced.
func (d *Driver) Compensate(ctx context.Context, req driver.Request) driver.Result {
	back, err := driver.TakeBack(req)
	if err != nil {
		return driver.Refused.Because("undo %s: %v", req, err)
	}
	return d.Apply(ctx, back)
}

// aim is a request with the name and the address that it means.
type aim struct {
	req     driver.Request
	name    string     // of the addresses
	mark    string     // of the mark
	address netip.Addr // zero if the member is not known
}

func (d *Driver) aim(req driver.Request) (aim, error) {
	if err := req.Validate(); err != nil {
		return aim{}, fmt.Errorf("tell dns: %w", err)
	}
	name := dns.CanonicalName(d.config.Name(req.Slot))
	mark := string(req.Slot) + "._moonwatch." + name
	_, ok := dns.IsDomainName(mark)
	if !ok || !dns.IsSubDomain(d.config.Zone, name) || !label(string(req.Slot)) {
		return aim{}, fmt.Errorf("%s: its mark would be %q, want a name in zone %s", req, mark, d.config.Zone)
	}
	address, _ := d.config.Address(req.Member)
	return aim{req: req, name: name, mark: dns.CanonicalName(mark), address: address.Unmap()}, nil
}

// label reports whether a slot's name can stand in a domain name as it is.
func label(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 63
}
