package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"moonwatch/internal/pki"
	"moonwatch/internal/strict"
	"moonwatch/member"
)

// key is one key of agent.yaml. File, variables and flags all go through it,
// so a value is right or wrong in the same words wherever it came from.
type key struct {
	path string // tls.cert
	want string // ends the sentence "bind is "x", want ..."
	list bool   // several texts: a list in the file, commas elsewhere
	must bool   // no default will do

	// set takes the texts, one unless list, and reports whether they are what
	// was wanted. Paths have been made absolute.
	set func(a *Agent, v []string) bool

	// get prints the value.
	get func(a *Agent) string

	isPath bool
}

// agentKeys in the order in which people should read them.
var agentKeys = []key{
	{
		path: "name", must: true, want: "this member's name in fleet.yaml: 1 to 32 of a-z, 0-9, - . and _",
		set: func(a *Agent, v []string) bool { a.Name = member.ID(v[0]); return isName(v[0]) },
		get: func(a *Agent) string { return string(a.Name) },
	},
	{
		path: "cluster", must: true, want: "the cluster id, as init wrote it: 1 to 63 of a-z, 0-9, - . and _",
		set: func(a *Agent, v []string) bool { a.Cluster = v[0]; return pki.CheckName(v[0]) == nil },
		get: func(a *Agent) string { return a.Cluster },
	},
	{
		path: "failure_domain", want: "the name of what fails together with this member: a rack, a zone",
		set: func(a *Agent, v []string) bool {
			a.FailureDomain = member.FailureDomain(v[0])
			return v[0] == "" || isName(v[0])
		},
		get: func(a *Agent) string { return string(a.FailureDomain) },
	},
	{
		path: "bind", want: "address:port of gossip, such as 0.0.0.0:7946",
		set: func(a *Agent, v []string) (ok bool) { a.Bind, ok = addrPort(v[0]); return ok },
		get: func(a *Agent) string { return a.Bind.String() },
	},
	{
		path: "advertise", want: "the IP address under which others reach this member, without port",
		set: func(a *Agent, v []string) bool {
			if a.Advertise = (netip.Addr{}); v[0] == "" {
				return true
			}
			ip, err := netip.ParseAddr(v[0])
			a.Advertise = ip
			return err == nil && ip.Zone() == "" && !ip.IsUnspecified() && !ip.IsMulticast()
		},
		get: func(a *Agent) string {
			if !a.Advertise.IsValid() {
				return ""
			}
			return a.Advertise.String()
		},
	},
	{
		path: "link", want: "host:port, such as :7947 for every address",
		set: func(a *Agent, v []string) bool { a.Link = v[0]; return isDoor(v[0]) },
		get: func(a *Agent) string { return a.Link },
	},
	{
		path: "data_dir", want: "the path of a folder", isPath: true,
		set: func(a *Agent, v []string) bool { a.DataDir = v[0]; return v[0] != "" },
		get: func(a *Agent) string { return a.DataDir },
	},
	fileKey("tls.cert", "the path of this member's certificate", func(a *Agent) *string { return &a.TLS.Cert }),
	fileKey("tls.key", "the path of the certificate's key", func(a *Agent) *string { return &a.TLS.Key }),
	fileKey("tls.ca", "the path of the cluster's CA certificate", func(a *Agent) *string { return &a.TLS.CA }),
	fileKey("gossip_key_file", "the path of the file that init wrote, not the key itself", func(a *Agent) *string { return &a.GossipKeyFile }),
	{
		path: "join", list: true, want: "host:port of a member's gossip, such as 10.0.0.1:7946",
		set: func(a *Agent, v []string) bool {
			a.Join = v
			return !slices.ContainsFunc(v, func(s string) bool { return !isReachable(s) })
		},
		get: func(a *Agent) string { return strings.Join(a.Join, ",") },
	},
	{
		path: "expect_councillors", list: true, want: "the name of a founding councillor; 1, 3, 5 or 7 in all, or none",
		set: func(a *Agent, v []string) bool {
			a.ExpectCouncillors = nil
			for _, name := range v {
				a.ExpectCouncillors = append(a.ExpectCouncillors, member.ID(name))
			}
			return !slices.ContainsFunc(v, func(s string) bool { return !isName(s) })
		},
		get: func(a *Agent) string {
			names := make([]string, len(a.ExpectCouncillors))
			for i, id := range a.ExpectCouncillors {
				names[i] = string(id)
			}
			return strings.Join(names, ",")
		},
	},
	{
		path: "profile", want: strict.Words(member.Profiles(), "or"),
		set: func(a *Agent, v []string) bool {
			a.Profile = v[0]
			return oneOf(member.Profiles()...)(v[0])
		},
		get: func(a *Agent) string { return a.Profile },
	},
	{
		path: "actions_dir", want: "the path of a folder", isPath: true,
		set: func(a *Agent, v []string) bool { a.ActionsDir = v[0]; return true },
		get: func(a *Agent) string { return a.ActionsDir },
	},
	{
		path: "checks_dir", want: "the path of a folder", isPath: true,
		set: func(a *Agent, v []string) bool { a.ChecksDir = v[0]; return true },
		get: func(a *Agent) string { return a.ChecksDir },
	},
	doorKey("http", func(a *Agent) *string { return &a.HTTP }),
	doorKey("debug", func(a *Agent) *string { return &a.Debug }),
	doorKey("gateway", func(a *Agent) *string { return &a.Gateway }),
	doorKey("public.listen", func(a *Agent) *string { return &a.Public.Listen }),
	{
		path: "public.title", want: "one line of at most 80 characters, or \"\" for the cluster's name",
		set: func(a *Agent, v []string) bool { a.Public.Title = v[0]; return utf8.RuneCountInString(v[0]) <= 80 },
		get: func(a *Agent) string { return a.Public.Title },
	},
	{
		path: "public.url", want: "the address under which people find it, such as https://status.example.com/, or \"\" for none",
		set: func(a *Agent, v []string) bool { a.Public.URL = v[0]; return v[0] == "" || isWebAddress(v[0]) },
		get: func(a *Agent) string { return a.Public.URL },
	},
	{
		path: "public.pools", list: true, want: "the name of a pool in fleet.yaml",
		set: func(a *Agent, v []string) bool {
			a.Public.Pools = v
			return !slices.ContainsFunc(v, func(s string) bool { return !isName(s) })
		},
		get: func(a *Agent) string { return strings.Join(a.Public.Pools, ",") },
	},
	{
		path: "public.show", want: "pools or slots",
		set: func(a *Agent, v []string) bool { a.Public.Show = v[0]; return oneOf("pools", "slots")(v[0]) },
		get: func(a *Agent) string { return a.Public.Show },
	},
	{
		path: "haproxy.socket", want: fmt.Sprintf("the path of HAProxy's admin socket, of at most %d bytes, or \"\" for none", maxSocket), isPath: true,
		set: func(a *Agent, v []string) bool { a.HAProxy.Socket = v[0]; return len(v[0]) <= maxSocket },
		get: func(a *Agent) string { return a.HAProxy.Socket },
	},
	{
		path: "haproxy.frontend", want: "the name of a frontend of HAProxy's configuration",
		set: func(a *Agent, v []string) bool { a.HAProxy.Frontend = v[0]; return isProxyName(v[0]) },
		get: func(a *Agent) string { return a.HAProxy.Frontend },
	},
	{
		path: "haproxy.backends", list: true, want: "the name of a backend of HAProxy's configuration",
		set: func(a *Agent, v []string) bool {
			a.HAProxy.Backends = v
			return !slices.ContainsFunc(v, func(s string) bool { return !isProxyName(s) })
		},
		get: func(a *Agent) string { return strings.Join(a.HAProxy.Backends, ",") },
	},
	{
		path: "haproxy.map", want: "the path of the map, as HAProxy's configuration has it, of letters, digits and _.:/-", isPath: true,
		set: func(a *Agent, v []string) bool { a.HAProxy.Map = v[0]; return isPathWord(v[0]) },
		get: func(a *Agent) string { return a.HAProxy.Map },
	},
	{
		path: "door.address", want: fmt.Sprintf("the path of a unix socket, of at most %d bytes, a host:port of this machine, or \"\" for none", maxSocket),
		set: func(a *Agent, v []string) bool { a.Door.Address = v[0]; return v[0] == "" || isDoorAddress(v[0]) },
		get: func(a *Agent) string { return a.Door.Address },
	},
	{
		path: "door.key_file", want: "the path of a file that holds the key, or \"\" for none", isPath: true,
		set: func(a *Agent, v []string) bool { a.Door.KeyFile = v[0]; return true },
		get: func(a *Agent) string { return a.Door.KeyFile },
	},
	{
		path: "socket", want: fmt.Sprintf("a path of at most %d bytes, or \"\" for none", maxSocket), isPath: true,
		set: func(a *Agent, v []string) bool { a.Socket = v[0]; return len(v[0]) <= maxSocket },
		get: func(a *Agent) string { return a.Socket },
	},
	{
		path: "fences_file", want: "the path of a fences.yaml, or \"\" for none", isPath: true,
		set: func(a *Agent, v []string) bool { a.FencesFile = v[0]; return true },
		get: func(a *Agent) string { return a.FencesFile },
	},
	{
		path: "fence_agents_dir", want: "the path of a folder", isPath: true,
		set: func(a *Agent, v []string) bool { a.FenceAgentsDir = v[0]; return v[0] != "" },
		get: func(a *Agent) string { return a.FenceAgentsDir },
	},
	{
		path: "keeper_socket", want: fmt.Sprintf("a path of at most %d bytes, or \"\" for no keeper", maxSocket), isPath: true,
		set: func(a *Agent, v []string) bool { a.KeeperSocket = v[0]; return len(v[0]) <= maxSocket },
		get: func(a *Agent) string { return a.KeeperSocket },
	},
	{
		path: "log.level", want: "debug, info, warn or error",
		set: func(a *Agent, v []string) bool {
			a.Log.Level = v[0]
			return oneOf("debug", "info", "warn", "error")(v[0])
		},
		get: func(a *Agent) string { return a.Log.Level },
	},
	{
		path: "log.format", want: "text or json",
		set: func(a *Agent, v []string) bool { a.Log.Format = v[0]; return oneOf("text", "json")(v[0]) },
		get: func(a *Agent) string { return a.Log.Format },
	},
}

// isWebAddress accepts where a browser can go, without a query or somebody's name in it.
func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// isProxyName accepts what HAProxy takes as the name of a proxy.
func isProxyName(s string) bool { return s != "" && isWord(s, "_.:-") }

// isDoorAddress accepts where a program of this machine alone can listen.
func isDoorAddress(s string) bool {
	if strings.HasPrefix(s, "/") {
		return len(s) <= maxSocket
	}
	host, port, ok := hostPort(s)
	ip, err := netip.ParseAddr(host)
	return ok && port != 0 && (host == "localhost" || err == nil && ip.IsLoopback())
}

// isPathWord accepts a path that can stand in a command of HAProxy's.
func isPathWord(s string) bool { return s != "" && isWord(s, "_.:/-") }

func isWord(s, more string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		return !letter && !strings.ContainsRune(more, c)
	})
}

// maxSocket is what the kernel takes as the path of a unix socket, in bytes.
const maxSocket = 107

// fileKey is the path of a file that has to be named. Whether it is there is
// for its reader to say.
func fileKey(path, want string, field func(*Agent) *string) key {
	return key{
		path: path, want: want, must: true, isPath: true,
		set: func(a *Agent, v []string) bool { *field(a) = v[0]; return v[0] != "" },
		get: func(a *Agent) string { return *field(a) },
	}
}

// doorKey is where something listens.
func doorKey(path string, field func(*Agent) *string) key {
	return key{
		path: path, want: "host:port, such as 127.0.0.1:7980, or \"\" for none",
		set: func(a *Agent, v []string) bool { *field(a) = v[0]; return v[0] == "" || isDoor(v[0]) },
		get: func(a *Agent) string { return *field(a) },
	}
}

// take checks and sets a value. Relative paths begin at base.
func (k key) take(a *Agent, v []string, base string) bool {
	for _, s := range v {
		if strict.Secret(s) || !k.list && s != "" && !isLine(s) {
			return false
		}
	}
	if k.isPath && v[0] != "" {
		if rawKey(v[0]) {
			return false
		}
		if !filepath.IsAbs(v[0]) {
			v = []string{filepath.Join(base, v[0])}
		}
		v = []string{filepath.Clean(v[0])}
	}
	return k.set(a, v)
}

// found describes a refused value, but shows no key that was written where a
// path belongs.
func (k key) found(v string) string {
	if k.isPath && rawKey(v) {
		return "a secret"
	}
	return strict.Quoted(v)
}

// names of the key outside the file: TLS_CERT, tls-cert.
func (k key) variable() string {
	return "MOONWATCH_" + strings.ToUpper(strings.ReplaceAll(k.path, ".", "_"))
}
func (k key) flag() string { return strings.NewReplacer(".", "-", "_", "-").Replace(k.path) }

// addrPort reads an address without a zone; port 0 is any free one.
func addrPort(s string) (netip.AddrPort, bool) {
	if strings.HasPrefix(s, ":") {
		s = "0.0.0.0" + s
	}
	at, err := netip.ParseAddrPort(s)
	return at, err == nil && at.Addr().Zone() == "" && !at.Addr().IsMulticast()
}

// isDoor accepts where one can listen: the host may be empty, the port 0.
func isDoor(s string) bool {
	host, _, ok := hostPort(s)
	return ok && (host == "" || isAddress(host))
}

// isReachable accepts where one can dial.
func isReachable(s string) bool {
	host, port, ok := hostPort(s)
	return ok && isAddress(host) && port != 0
}

func hostPort(s string) (host string, port int, ok bool) {
	host, digits, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	return host, int(n), err == nil
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || isHost(strings.ToLower(host)) && !strings.HasPrefix(host, "*")
}
