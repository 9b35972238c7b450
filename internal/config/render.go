package config

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/template"

	"moonwatch/internal/strict"
	"moonwatch/member"
)

//go:embed templates
var templateFiles embed.FS

// templates are read when the first file is written: an agent writes none.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"q":        scalar,
		"list":     flowList,
		"slots":    flowSlots,
		"lease":    leaseText,
		"shield":   shieldText,
		"receiver": receiverText,
		"span":     spanOf,
		"time":     strict.Short,
		"share":    func(s float64) string { return fmt.Sprintf("%v%%", percent(s)) },
		"actions":  flowActions,
		"drills":   drillText,
		"driver":   flowDriver,
		"comment":  comment,
		"note": func(i int, text string) string { // a comment in the first pool explains all
			if i > 0 {
				return ""
			}
			return comment(text)
		},
	}).ParseFS(templateFiles, "templates/*.yaml"))
})

// RenderAgent writes a commented agent.yaml with every key in it. What is
// valid in a comes back from [ParseAgent].
func RenderAgent(a Agent) []byte { return render("agent.yaml", a) }

// RenderFleet writes a commented fleet.yaml. A fleet that [ParseFleet] accepts
// comes back from it unchanged.
func RenderFleet(f member.Fleet) []byte {
	if f.Version == 0 {
		f.Version = 1
	}
	if f.Profile == "" {
		f.Profile = "lan"
	}
	if f.Brake.Guarded == (member.Threshold{}) {
		f.Brake.Guarded = defaultBrake.Guarded
	}
	if f.Brake.Cascade == (member.Threshold{}) {
		f.Brake.Cascade = defaultBrake.Cascade
	}
	return render("fleet.yaml", f)
}

func comment(text string) string {
	if text == "" {
		return ""
	}
	return "   # " + text
}

func render(name string, values any) []byte {
	var b strings.Builder
	if err := templates().ExecuteTemplate(&b, name, values); err != nil {
		panic(fmt.Sprintf("config: template %s: %v", name, err)) // ours, and run by a test
	}
	return []byte(b.String())
}

// plainScalar is what YAML reads as this text and nothing else, also within
// braces.
var plainScalar = regexp.MustCompile(`^([A-Za-z/][A-Za-z0-9_./-]*|\d+\.\d+\.\d+\.\d+(:\d+)?)$`)

// unsafeScalar are words that some reader of YAML takes for a truth or for
// nothing.
var unsafeScalar = regexp.MustCompile(`^(?i:true|false|yes|no|on|off|y|n|null|nan|inf)$`)

// scalar writes a text so that it is read as the same text.
func scalar(v any) string {
	if ip, ok := v.(netip.Addr); ok && !ip.IsValid() {
		return `""`
	}
	s := fmt.Sprint(v)
	if plainScalar.MatchString(s) && !unsafeScalar.MatchString(s) {
		return s
	}
	b, err := json.Marshal(s) // JSON is YAML
	if err != nil {
		panic(fmt.Sprintf("config: text %q: %v", s, err))
	}
	return string(b)
}

func flowList(v any) string {
	var items []string
	switch v := v.(type) {
	case []string:
		for _, s := range v {
			items = append(items, scalar(s))
		}
	case []member.ID:
		for _, id := range v {
			items = append(items, scalar(id))
		}
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// run is one name's slots: web, 5.
type run struct {
	name  string
	count int
}

// runsOf gathers web-0 .. web-4.
func runsOf(slots []member.SlotID) []run {
	var runs []run
	for _, s := range slots {
		name := string(s)
		if i := strings.LastIndexByte(name, '-'); i >= 0 {
			name = name[:i]
		}
		if n := len(runs); n > 0 && runs[n-1].name == name {
			runs[n-1].count++
		} else {
			runs = append(runs, run{name, 1})
		}
	}
	return runs
}

func flowSlots(slots []member.SlotID) string {
	var items []string
	for _, r := range runsOf(slots) {
		items = append(items, fmt.Sprintf("%s: %d", scalar(r.name), r.count))
	}
	return "{" + strings.Join(items, ", ") + "}"
}

func spanOf(slots []member.SlotID) string {
	if len(slots) < 2 {
		return ""
	}
	return fmt.Sprintf("%s .. %s", slots[0], slots[len(slots)-1])
}

// drillText is how often a pool's spares do drills, empty where that is what it is
// anyway.
func drillText(p member.Pool) string {
	switch every := p.Spares.DrillEvery; {
	case p.Actions.Prepare == "", every == drillEvery:
		return ""
	case every == 0:
		return "never"
	default:
		return strict.Short(every)
	}
}

func flowActions(a member.Actions) string {
	var items []string
	for _, named := range []struct{ key, file string }{{"activate", a.Activate}, {"prepare", a.Prepare}, {"unprepare", a.Unprepare}, {"stop", a.Stop}, {"restart", a.Restart}} {
		if named.file != "" {
			items = append(items, named.key+": "+scalar(named.file))
		}
	}
	if items == nil {
		return ""
	}
	return "{" + strings.Join(items, ", ") + "}"
}

func flowDriver(d member.Driver) string { return "{" + DriverText(d) + "}" }

// DriverText is one driver with the keys of its kind, as fleet.yaml has it.
func DriverText(d member.Driver) string {
	items := []string{"kind: " + scalar(d.Kind)}
	add := func(key, value string) {
		if value != "" {
			items = append(items, key+": "+scalar(value))
		}
	}
	add("name", d.Name)
	if d.On != nil {
		items = append(items, "on: "+flowList(d.On))
	}
	if d.Port != 0 {
		items = append(items, fmt.Sprintf("port: %d", d.Port))
	}
	switch {
	case d.HAProxy != nil:
		h := d.HAProxy
		add("backend", h.Backend)
		add("map", h.Map)
		add("socket", h.Socket)
		add("state_file", h.StateFile)
		if h.Instances != nil {
			var all []string
			for _, name := range slices.Sorted(maps.Keys(h.Instances)) {
				all = append(all, scalar(name)+": "+scalar(h.Instances[name]))
			}
			items = append(items, "instances: {"+strings.Join(all, ", ")+"}")
		}
		if h.KeepSessions {
			items = append(items, "keep_sessions: true")
		}
	case d.DNS != nil:
		add("server", d.DNS.Server)
		add("zone", d.DNS.Zone)
		add("record", d.DNS.Record)
		add("key_file", d.DNS.KeyFile)
		items = append(items, "ttl: "+strict.Short(d.DNS.TTL))
	case d.Systemd != nil:
		add("unit", d.Systemd.Unit)
	case d.VIP != nil:
		var all []string
		for _, slot := range slices.Sorted(maps.Keys(d.VIP.Addresses)) {
			all = append(all, scalar(string(slot))+": "+scalar(d.VIP.Addresses[slot].String()))
		}
		items = append(items, "addresses: {"+strings.Join(all, ", ")+"}")
		add("interface", d.VIP.Interface)
	case d.Webhook != nil:
		add("url", d.Webhook.URL)
		add("secret_file", d.Webhook.SecretFile)
		add("ca_file", d.Webhook.CAFile)
	}
	return strings.Join(items, ", ")
}
