package gossip

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"moonwatch/member"
)

// KeySize is the length of a gossip key in bytes: AES-256.
const KeySize = 32

// maxName is the longest member name in bytes. It travels with every message
// about the member.
const maxName = 128

// Config says who this agent is among the others and where it listens.
type Config struct {
	Name      member.ID      // the member's name, unique in the cluster
	ClusterID string         // agents of another cluster are refused, also those with the same key
	Bind      netip.AddrPort // udp and tcp; port 0: any port that is free for both
	Advertise netip.Addr     // the address that others are told; Bind's if zero
	Keys      [][]byte       // the key ring: the first key seals, every key opens; KeySize bytes each
	KeyFile   string         // where a rotated key ring is kept; empty: a rotation lasts until the restart

	// Tags travel with the name: link address, role, incarnation, start time.
	// All of them encoded take at most 512 bytes. No decision may rely on one.
	Tags map[string]string

	// Gate, if set, is asked for every packet and stream, in and out; false
	// drops it silently. An inbound stream comes from a port of the kernel's
	// choice, so a gate that tells members apart by port sees them only where
	// they are dialled: shut the gates of both ends. It must not block.
	Gate func(netip.AddrPort) bool

	Log        *zap.Logger           // nil: silent
	Registerer prometheus.Registerer // nil: a private one

	tune func(*serf.Config) // tests shorten the engine's intervals
}

// Validate lists every mistake: the key, what was found and what was wanted.
func (c Config) Validate() error {
	var mistakes []error
	wrong := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }

	if c.Name == "" || len(c.Name) > maxName {
		wrong("name is %q, want 1 to %d bytes", c.Name, maxName)
	}
	if c.ClusterID == "" || len(c.ClusterID) > memberlist.LabelMaxSize {
		wrong("cluster_id is %q, want 1 to %d bytes", c.ClusterID, memberlist.LabelMaxSize)
	}
	switch bind := c.Bind.Addr(); {
	case !bind.IsValid():
		wrong("bind is empty, want address:port")
	case bind.Zone() != "":
		wrong("bind is %s, want an address without zone", c.Bind)
	case bind.IsUnspecified() && !c.Advertise.IsValid():
		wrong("advertise is empty and bind is %s, want the address under which others reach this member", c.Bind)
	}
	if c.Advertise.IsValid() && (c.Advertise.IsUnspecified() || c.Advertise.IsMulticast() || c.Advertise.Zone() != "") {
		wrong("advertise is %s, want the address of one member, without zone", c.Advertise)
	}
	if len(c.Keys) == 0 {
		wrong("gossip_key_file holds no key, want at least one of %d bytes", KeySize)
	}
	for i, key := range c.Keys {
		if len(key) != KeySize {
			wrong("gossip_key_file: key %d has %d bytes, want %d", i+1, len(key), KeySize)
		}
	}
	return errors.Join(mistakes...)
}

// advertised is the address that others are told.
func (c Config) advertised() netip.Addr {
	if c.Advertise.IsValid() {
		return c.Advertise.Unmap()
	}
	return c.Bind.Addr().Unmap()
}
