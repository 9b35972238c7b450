package config

import (
	"net/netip"

	"moonwatch/member"
)

// Agent is the content of agent.yaml with its overrides: what is of this
// machine and of no other. Paths are absolute.
type Agent struct {
	Name          member.ID
	Cluster       string // the cluster id, as init wrote it
	FailureDomain member.FailureDomain

	Bind      netip.AddrPort // gossip, udp and tcp
	Advertise netip.Addr     // under which others reach this member; valid if Bind names no address
	Link      string         // host:port of the links between agents; an empty host is every address

	DataDir       string
	TLS           TLS
	GossipKeyFile string

	Join              []string    // host:port of some members' gossip
	ExpectCouncillors []member.ID // the founding council; empty: this agent founds nothing
	Profile           string      // lan, fast, cloud, wan or demo

	ActionsDir string
	ChecksDir  string

	HTTP    string // host:port of page and API; empty: none
	Debug   string // host:port of metrics, health and profiles; empty: none
	Gateway string // host:port of the front door; empty: none
	Socket  string // path of the operator's unix socket; empty: none

	Public Public // what people outside see

	HAProxy HAProxy // the HAProxy of this machine that is a door of the shield
	Door    Door    // another program of this machine that is one

	FencesFile     string // how this machine switches others off; empty: it cannot
	FenceAgentsDir string // where the programs are that do it

	KeeperSocket string // where this machine's keeper listens; empty: it has none, and runs no exclusive slot

	Log Log

	settings []Setting
}

// TLS names the files of this member's certificate.
type TLS struct{ Cert, Key, CA string }

// Public says where people outside find the public page, and what it shows. What it does
// not name is not mentioned there.
type Public struct {
	Listen string   // host:port; empty: there is none
	Title  string   // empty: the cluster's name
	URL    string   // under which others find it; empty: feeds have no links
	Pools  []string // in the order in which they are shown
	Show   string   // pools, or slots: then each slot of theirs is shown as well, under its name
}

// HAProxy says which HAProxy of this machine counts and holds for the shield.
type HAProxy struct {
	Socket   string   // path of its admin socket; empty: none does
	Frontend string   // by which the pools' requests come in
	Backends []string // behind it, where requests that wait are seen
	Map      string   // path of the map, as HAProxy's configuration has it
}

// Door says which other program of this machine counts and holds for the shield: an nginx
// or a server with a guard of shield/middleware.
type Door struct {
	Address string // the path of its socket, or a host:port of this machine; empty: none does
	KeyFile string // file of the key that it wants to hear; a port wants one
}

// Log says what is logged and how it looks.
type Log struct {
	Level  string // debug, info, warn or error
	Format string // text or json
}

// DefaultAgent holds what is assumed where neither file nor override says
// anything. Name, cluster, certificate and gossip key have no default.
func DefaultAgent() Agent {
	return Agent{
		Bind: netip.AddrPortFrom(netip.IPv4Unspecified(), 7946),
		Link: ":7947", HTTP: "127.0.0.1:7980", Debug: "127.0.0.1:7981",
		DataDir: "/var/lib/moonwatch", Socket: "/run/moonwatch/agent.sock",
		ActionsDir: "/etc/moonwatch/actions.d", ChecksDir: "/etc/moonwatch/checks.d",
		Public:         Public{Show: "pools"},
		HAProxy:        HAProxy{Frontend: "www", Map: "/var/lib/haproxy/moonwatch.map"},
		FenceAgentsDir: "/usr/sbin",
		Profile:        "lan", Log: Log{Level: "info", Format: "text"},
	}
}

// Source says which of the places a value came from.
type Source string

// The sources, a later one before an earlier one.
const (
	FromDefault     Source = "default"
	FromFile        Source = "file"
	FromEnvironment Source = "environment"
	FromFlag        Source = "flag"
)

// Setting is one line of `moonwatch config show`.
type Setting struct {
	Key    string // as in the file, tls.cert
	Value  string // as it is used: paths absolute, lists with commas
	Source Source
	Where  string // agent.yaml:3, MOONWATCH_TLS_CERT or --tls-cert; empty for a default
}

// Settings lists every key with its value and origin, in the order of the
// file that `moonwatch init` writes. No value is a secret: those stand in files
// of their own.
func (a *Agent) Settings() []Setting { return a.settings }

// Origin tells where the value of one key came from; the zero Setting for an
// unknown key.
func (a *Agent) Origin(key string) Setting {
	for _, s := range a.settings {
		if s.Key == key {
			return s
		}
	}
	return Setting{}
}
