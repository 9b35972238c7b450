package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"moonwatch/internal/strict"
	"moonwatch/member"
)

// driverKeys are the keys of each kind of driver, beside kind.
var driverKeys = map[string][]string{
	"gateway": {"port"},
	"haproxy": {"name", "on", "port", "backend", "map", "socket", "state_file", "instances", "keep_sessions"},
	"dns":     {"name", "on", "server", "zone", "record", "key_file", "ttl"},
	"webhook": {"name", "on", "url", "secret_file", "ca_file"},
	"systemd": {"unit"},
	"vip":     {"name", "addresses", "interface"},
}

var driverKinds = []string{"gateway", "haproxy", "dns", "webhook", "systemd", "vip"}

// defaultTTL is how long a resolver may keep an address, unless fleet.yaml says
// otherwise.
const defaultTTL = 30 * time.Second

func (r *fleetReader) drivers(pool object, p *member.Pool) {
	const want = "a list such as [{kind: gateway}]"
	v, ok := pool.Get("drivers", want)
	if !ok {
		return
	}
	if v.Shape != strict.List {
		pool.Bad("drivers", v, want)
		return
	}
	for i, e := range v.Items {
		path := fmt.Sprintf("%s[%d]", pool.Join("drivers"), i)
		kind := kindOf(e)
		keys, known := driverKeys[kind]
		if !known { // whatever else stands there belongs to a kind that we do not know
			keys = nil
			for _, pair := range e.Pairs {
				keys = append(keys, pair.Key)
			}
		}
		o := r.object(path, e, append([]string{"kind"}, keys...)...)
		if e.Shape != strict.Mapping {
			continue
		}
		d := member.Driver{Kind: o.Text("kind", "", strict.Words(driverKinds, "or"), oneOf(driverKinds...))}
		if !o.Has("kind") {
			o.Missing("kind", strict.Words(driverKinds, "or"))
		}
		if !known {
			continue
		}
		r.driver(o, pool, p, &d)
		if slices.ContainsFunc(p.Drivers, func(other member.Driver) bool { return other.Door() == d.Door() }) {
			if !d.Told() {
				r.Wrong(e.At, "%s is a second %s driver, want one", o.Path, d.Kind)
			} else {
				r.Wrong(e.At, "%s is a second driver %s, want a name of its own", o.Path, d.Door())
			}
		}
		p.Drivers = append(p.Drivers, d)
	}
}

// kindOf looks ahead: the kind says which other keys there are.
func kindOf(v *strict.Value) string {
	for _, p := range v.Pairs {
		if p.Key == "kind" && p.Value.Shape == strict.Text {
			return p.Value.Text
		}
	}
	return ""
}

func (r *fleetReader) driver(o, pool object, p *member.Pool, d *member.Driver) {
	d.Port = o.Integer("port", 0, 1, 65535)
	if (d.Kind == "gateway" || d.Kind == "haproxy") && !o.Has("port") && (!pool.Has("checks") || p.Checks.Exec != nil) {
		o.Missing("port", "where the occupants serve: the pool has no outside check whose port it could be")
	}
	switch d.Kind {
	case "gateway":
		return
	case "systemd":
		d.Systemd = r.systemd(o, pool, p)
		return
	}
	d.Name = o.Text("name", "", "a name that tells it from the pool's other drivers", isName)
	if d.Kind == "vip" {
		d.VIP = r.vip(o, p)
		return
	}
	const who = "the members that tell it"
	d.On = ids(o.texts("on", "names of members", isName))
	if len(d.On) == 0 && (!o.Has("on") || emptyList(o.Pairs["on"].Value)) {
		o.Missing("on", who)
	}
	r.tellers = append(r.tellers, tellers{o, d.On})
	switch d.Kind {
	case "haproxy":
		d.HAProxy = r.haproxy(o)
	case "dns":
		d.DNS = r.dns(o)
	case "webhook":
		d.Webhook = webhook(o)
	}
}

// tellers are the members that a driver names, to be held against the roster.
type tellers struct {
	at object
	on []member.ID
}

func (r *fleetReader) checkTellers() {
	known := make([]string, len(r.fleet.Members))
	for i, m := range r.fleet.Members {
		known[i] = string(m.ID)
	}
	for _, t := range r.tellers {
		for i, id := range t.on {
			switch meant := strict.Nearest(string(id), known); {
			case slices.Contains(known, string(id)):
			case meant != "":
				r.Wrong(t.at.Where("on"), "%s[%d] is %q, did you mean %s?", t.at.Join("on"), i, id, meant)
			default:
				r.Wrong(t.at.Where("on"), "%s[%d] is %q, want the name of a member: its agent is who tells", t.at.Join("on"), i, id)
			}
		}
	}
}

func ids(names []string) []member.ID {
	var list []member.ID
	for _, n := range names {
		list = append(list, member.ID(n))
	}
	return list
}

func emptyList(v *strict.Value) bool { return v.Shape == strict.List && len(v.Items) == 0 }

// haproxyWord is what may stand in a command of HAProxy: a space or a semicolon
// would begin something else.
var haproxyWord = regexp.MustCompile(`^[A-Za-z0-9_.:/-]+$`)

func (r *fleetReader) haproxy(o object) *member.HAProxyDriver {
	const (
		backend   = "the name of the backend that declares one server for each slot"
		marks     = "the path of the map file that HAProxy's configuration names"
		socket    = "the path of the admin socket on each member of on"
		instances = "host:port of admin sockets by name, such as {lb-1: \"192.0.2.7:9999\"}"
	)
	d := &member.HAProxyDriver{
		Backend:      o.must("backend", backend, haproxyWord.MatchString),
		Map:          o.must("map", marks, func(s string) bool { return haproxyWord.MatchString(s) && filepath.IsAbs(s) }),
		KeepSessions: o.Truth("keep_sessions"),
		Socket:       o.Text("socket", "", socket, isAbsolute),
		StateFile:    o.Text("state_file", "", "a path from the root, as in HAProxy's server-state-file", isAbsolute),
	}
	if v, ok := o.Get("instances", instances); ok {
		d.Instances = map[string]string{}
		names := r.named(v, o.Join("instances"), "HAProxy")
		if v.Shape == strict.Mapping && len(v.Pairs) == 0 {
			o.Bad("instances", v, instances)
		}
		for _, p := range names {
			if p.Value.Shape != strict.Text || !isHostPort(p.Value.Text) {
				r.Wrong(p.Value.At, "%s.%s is %s, want host:port: one on the members' own machines is told by socket", o.Join("instances"), p.Key, p.Value.Found())
				continue
			}
			d.Instances[p.Key] = p.Value.Text
		}
	}
	switch {
	case o.Has("socket") && o.Has("instances"):
		r.Wrong(o.Where("instances"), "%s has socket and instances, want one of them: HAProxy on the members of on, or elsewhere; for both write two drivers, each with a name", o.Path)
	case !o.Has("socket") && !o.Has("instances"):
		o.Missing("socket", socket+", or instances")
	case o.Has("state_file") && !o.Has("socket"):
		r.Wrong(o.Where("state_file"), "%s stands beside instances, whose files are on other machines: want it beside socket", o.Join("state_file"))
	}
	return d
}

func (r *fleetReader) dns(o object) *member.DNSDriver {
	const name = "a domain name in lower case"
	d := &member.DNSDriver{
		Server:  o.must("server", "host:port of the zone's primary, such as \"192.0.2.53:53\"", isHostPort),
		Zone:    strings.TrimSuffix(o.must("zone", name, func(s string) bool { return isHost(strings.TrimSuffix(s, ".")) && s[0] != '*' }), "."),
		KeyFile: o.secretFile("key_file", "the path of a TSIG key as tsig-keygen writes it, on the members of on"),
		TTL:     o.Duration("ttl", defaultTTL, time.Second, 24*time.Hour, defaultTTL),
	}
	const record = "the name of the slots' address, such as {slot}.web.example.com"
	d.Record = o.must("record", record, func(s string) bool { return isHost(strings.ReplaceAll(s, "{slot}", "x")) && s[0] != '*' })
	if d.Record != "" && d.Zone != "" && d.Record != d.Zone && !strings.HasSuffix(d.Record, "."+d.Zone) {
		r.Wrong(o.Where("record"), "%s is %q, want a name in zone %s", o.Join("record"), d.Record, d.Zone)
	}
	if d.TTL%time.Second != 0 {
		r.Wrong(o.Where("ttl"), "%s is %v, want whole seconds", o.Join("ttl"), d.TTL)
	}
	return d
}

// unitName is what systemd takes for a service, {slot} taken out.
var unitName = regexp.MustCompile(`^[A-Za-z0-9:_.\\@-]+\.service$`)

// systemd runs the slots' services, so nothing else may.
func (r *fleetReader) systemd(o, pool object, p *member.Pool) *member.SystemdDriver {
	d := &member.SystemdDriver{Unit: o.must("unit", "the name of a service, such as web.service or web@{slot}.service", func(s string) bool {
		return unitName.MatchString(strings.ReplaceAll(s, "{slot}", "x"))
	})}
	if p.Actions != (member.Actions{}) {
		r.Wrong(pool.Where("actions"), "%s stand beside a systemd driver, which does the same: want one of them", pool.Join("actions"))
	}
	if p.Exclusive {
		r.Wrong(o.At, "%s is a systemd driver of an exclusive pool: its keeper has to own the service's processes to end them, want actions", o.Path)
	}
	return d
}

// interfaceName is what Linux takes for one.
var interfaceName = regexp.MustCompile(`^[^\s/:]{1,15}$`)

// vip reads the address of each slot. Two slots with one address would take it from
// each other for ever.
func (r *fleetReader) vip(o object, p *member.Pool) *member.VIPDriver {
	const want = "the address of each slot, such as {web-0: 192.0.2.10}"
	d := &member.VIPDriver{
		Addresses: map[member.SlotID]netip.Prefix{},
		Interface: o.Text("interface", "", "the name of a network interface, such as eth0", interfaceName.MatchString),
	}
	v, ok := o.Get("addresses", want)
	if !ok {
		if !o.Has("addresses") {
			o.Missing("addresses", want)
		}
		return d
	}
	slots := make([]string, len(p.Slots))
	for i, s := range p.Slots {
		slots[i] = string(s)
	}
	for _, pair := range r.named(v, o.Join("addresses"), "slot") {
		slot, path := member.SlotID(pair.Key), o.Join("addresses")+"."+pair.Key
		a, err := addressOf(pair.Value)
		switch meant := strict.Nearest(pair.Key, slots); {
		case !slices.Contains(slots, pair.Key) && meant != "":
			r.Wrong(pair.At, "%s is no slot of the pool, did you mean %s?", path, meant)
		case !slices.Contains(slots, pair.Key):
			r.Wrong(pair.At, "%s is no slot of the pool", path)
		case err != "":
			r.Wrong(pair.Value.At, "%s is %s, %s", path, pair.Value.Found(), err)
		case r.given[a.Addr()] != "":
			r.Wrong(pair.Value.At, "%s is %s, which %s is already: want one of its own", path, a.Addr(), r.given[a.Addr()])
		default:
			r.given[a.Addr()] = path
		}
		d.Addresses[slot] = a
	}
	if v.Shape != strict.Mapping {
		return d
	}
	for _, s := range p.Slots {
		if _, has := d.Addresses[s]; !has {
			r.Wrong(o.Where("addresses"), "%s names none for slot %s, want one for each slot of the pool", o.Join("addresses"), s)
		}
	}
	return d
}

// addressOf reads an address, with the length of its network or without: then it is
// a network of its own, which is right beside an address of the machine's.
func addressOf(v *strict.Value) (a netip.Prefix, wrong string) {
	const want = "want an address that clients can reach, such as 192.0.2.10, or 2001:db8::10"
	if v.Shape != strict.Text {
		return a, want
	}
	a, err := netip.ParsePrefix(v.Text)
	if ip, err2 := netip.ParseAddr(v.Text); err != nil && err2 == nil && ip.Zone() == "" {
		a, err = netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	ip := a.Addr()
	switch {
	case err != nil, !ip.IsGlobalUnicast(), ip.Is4In6():
		return netip.Prefix{}, want
	case ip.Is4() && a.Bits() < 31 && (ip == a.Masked().Addr() || !a.Contains(ip.Next())):
		return netip.Prefix{}, "which is the network itself or its broadcast address: " + want
	}
	return a, ""
}

func webhook(o object) *member.WebhookDriver {
	return &member.WebhookDriver{
		URL:        o.must("url", "https://..., or http on this machine, without user, query and fragment", isReceiver),
		SecretFile: o.secretFile("secret_file", "the path of the secret that the receiver knows us by, on the members of on"),
		CAFile:     o.Text("ca_file", "", "the path of a CA in PEM on the members of on", isAbsolute),
	}
}

// isReceiver accepts an address that can hold no secret and whose answer nobody
// on the way can write.
func isReceiver(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !isLine(s) {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && isOwn(u.Hostname())
}

// isOwn says whether a host is the machine itself, for which plain text is good enough.
func isOwn(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func isAbsolute(s string) bool { return filepath.IsAbs(s) && isLine(s) }

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, bad := strconv.ParseUint(port, 10, 16)
	return err == nil && bad == nil && n > 0 && host != "" && isLine(s) && !strings.Contains(s, " ")
}

// secretFile reads where a secret stands. The secret itself, also a URL that is one, is
// refused, and not shown: what fleet.yaml holds goes into the ledger.
func (o object) secretFile(key, want string) string {
	if p, ok := o.Pairs[key]; ok && p.Value.Shape == strict.Text && (rawKey(p.Value.Text) || strings.Contains(p.Value.Text, "://")) {
		o.Wrong(p.Value.At, "%s is a secret itself and would go into the ledger, which every agent keeps: want %s", o.Join(key), want)
		return ""
	}
	return o.must(key, want, isAbsolute)
}

// must reads a text that has to be there.
func (o object) must(key, want string, valid func(string) bool) string {
	if !o.Has(key) {
		o.Missing(key, want)
	}
	return o.Text(key, "", want, func(s string) bool { return s != "" && valid(s) })
}
