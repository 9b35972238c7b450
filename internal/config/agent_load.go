package config

import (
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

// LoadAgent reads an agent.yaml and its overrides: env as os.Environ gives it,
// flags by key (tls.cert) or by flag name (tls-cert). A flag goes before a
// variable, a variable before the file, the file before the default. Relative
// paths begin at the file's folder if they stand in it, else at the working
// directory. Lists have commas in variables and flags.
//
// The error is [Mistakes], of file, variables and flags together, if the file
// could be read.
func LoadAgent(path string, env []string, flags map[string]string) (*Agent, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read agent configuration: %w", err)
	}
	return ParseAgent(path, b, env, flags)
}

// ParseAgent is LoadAgent for a text that is at hand; path stands in mistakes
// and says where relative paths begin.
func ParseAgent(path string, b []byte, env []string, flags map[string]string) (*Agent, error) {
	base, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("folder of %s: %w", path, err)
	}
	work, err := filepath.Abs(".")
	if err != nil {
		return nil, fmt.Errorf("working directory: %w", err)
	}
	r := &agentReader{notes: notes{file: path}, agent: DefaultAgent(), base: base, work: work, from: map[string]origin{}, refused: map[string]bool{}}
	if root := readTree(&r.notes, b); root != nil {
		r.fromFile(root)
		r.fromEnvironment(env)
		r.fromFlags(flags)
		r.crossCheck(root)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	r.agent.settings = r.settings()
	return &r.agent, nil
}

// agentReader takes values from one source after the other.
type agentReader struct {
	notes

	agent      Agent
	base, work string            // where relative paths begin
	from       map[string]origin // of each key that something was said about
	refused    map[string]bool   // keys whose value is a mistake: nothing more is said of them
}

// origin is where a key's value was found, good or not.
type origin struct {
	source Source
	where  string
	file   string
	at     place
}

func (r *agentReader) fromFile(root *node) {
	var top []string
	groups := map[string][]string{} // tls: cert, key, ca
	for _, k := range agentKeys {
		group, rest, nested := strings.Cut(k.path, ".")
		if nested {
			groups[group] = append(groups[group], rest)
		}
		if !slices.Contains(top, group) {
			top = append(top, group)
		}
	}
	o := r.object("", root, top...)
	for _, p := range root.pairs {
		if secretKey(p.key) {
			r.wrong(p.at, "%s: secrets stand in files of their own: want gossip_key_file or tls.key", p.key)
		}
	}
	inside := map[string]object{"": o}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		if v, ok := o.get(group, words(groups[group], "and")); ok {
			inside[group] = r.object(group, v, groups[group]...)
		}
		if p, ok := o.pairs[group]; ok && p.value.shape != mapping {
			for _, rest := range groups[group] { // not missing, but out of reach
				r.from[group+"."+rest] = origin{source: FromFile, file: r.file, at: p.at}
				r.refused[group+"."+rest] = true
			}
		}
	}
	for _, k := range agentKeys {
		group, name, nested := strings.Cut(k.path, ".")
		if !nested {
			group, name = "", k.path
		}
		if g, ok := inside[group]; ok && g.has(name) {
			before := len(r.mistakes)
			r.one(g, name, k)
			r.refused[k.path] = len(r.mistakes) > before
		}
	}
}

// one takes one key's value from the file.
func (r *agentReader) one(o object, name string, k key) {
	r.from[k.path] = origin{
		FromFile, fmt.Sprintf("%s:%d", r.file, o.pairs[name].at.line),
		r.file, o.where(name),
	}
	if k.list {
		r.many(o, name, k)
		return
	}
	v, ok := o.get(name, k.want)
	if !ok {
		return
	}
	if v.shape != text {
		o.bad(name, v, k.want)
		return
	}
	if !k.take(&r.agent, []string{v.text}, r.base) {
		r.wrong(v.at, "%s is %s, want %s", k.path, k.found(v.text), k.want)
	}
}

func (r *agentReader) many(o object, name string, k key) {
	items := o.texts(name, k.want, func(s string) bool {
		var scratch Agent
		return k.take(&scratch, []string{s}, r.base)
	})
	k.take(&r.agent, textsOf(items), r.base)
}

// fromEnvironment takes MOONWATCH_ variables. One that we do not know is left
// alone, for programs that we start get such variables too; but one that
// nearly is ours was meant for us.
func (r *agentReader) fromEnvironment(env []string) {
	known := make([]string, len(agentKeys))
	for i, k := range agentKeys {
		known[i] = strings.TrimPrefix(k.variable(), "MOONWATCH_")
	}
	for _, line := range slices.Sorted(slices.Values(env)) {
		name, value, _ := strings.Cut(line, "=")
		short, ours := strings.CutPrefix(name, "MOONWATCH_")
		if !ours {
			continue
		}
		if i := slices.Index(known, short); i >= 0 {
			r.override(agentKeys[i], value, FromEnvironment, name)
		} else if meant := nearest(short, known); meant != "" && distance(short, meant) <= 2 {
			r.mistakes = append(r.mistakes, Mistake{File: name, Text: "unknown variable, did you mean MOONWATCH_" + meant + "?"})
		}
	}
}

func (r *agentReader) fromFlags(flags map[string]string) {
	var known []string
	byName := map[string]key{}
	for _, k := range agentKeys {
		known = append(known, k.flag())
		byName[k.flag()] = k
	}
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		plain := strings.NewReplacer(".", "-", "_", "-").Replace(name)
		k, ok := byName[plain]
		if ok {
			r.override(k, flags[name], FromFlag, "--"+plain)
			continue
		}
		text := "unknown flag, want one of " + words(known, "or")
		if meant := nearest(plain, known); meant != "" {
			text = "unknown flag, did you mean --" + meant + "?"
		}
		r.mistakes = append(r.mistakes, Mistake{File: "--" + plain, Text: text})
	}
}

// override takes a value from outside the file.
func (r *agentReader) override(k key, value string, source Source, where string) {
	values := []string{value}
	if k.list {
		values = nil
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				values = append(values, part)
			}
		}
	}
	r.from[k.path] = origin{source: source, where: where, file: where}
	r.refused[k.path] = !k.take(&r.agent, values, r.work)
	if !r.refused[k.path] {
		return
	}
	r.mistakes = append(r.mistakes, Mistake{File: where, Text: fmt.Sprintf("%s is %s, want %s", k.path, k.found(value), k.want)})
}

// crossCheck looks at what is right alone and wrong beside something else.
func (r *agentReader) crossCheck(root *node) {
	for _, k := range agentKeys {
		if _, said := r.from[k.path]; k.must && !said {
			r.at(k.path, root, "%s is missing, want %s", k.path, k.want)
		}
	}
	a := &r.agent
	if a.Bind.Addr().IsUnspecified() && a.Advertise == (netip.Addr{}) && !r.refused["advertise"] {
		r.at("bind", root, "bind is %s and advertise says nothing, want in one of them the IP address under which others reach this member", a.Bind)
	}
	names := slices.Sorted(slices.Values(a.ExpectCouncillors))
	if n := len(names); n > 7 || n > 0 && n%2 == 0 {
		r.at("expect_councillors", root, "expect_councillors has %d names, want 1, 3, 5 or 7, or none: an even council survives no more than the odd one below it", n)
	}
	if len(slices.Compact(names)) < len(a.ExpectCouncillors) {
		r.at("expect_councillors", root, "expect_councillors names somebody twice")
	}
	r.distinctDoors(root)
}

// distinctDoors refuses one port of one address for two listeners; port 0 is
// any free one.
func (r *agentReader) distinctDoors(root *node) {
	a := &r.agent
	keys := []string{"bind", "link", "http", "debug", "gateway"}
	doors := []string{a.Bind.String(), a.Link, a.HTTP, a.Debug, a.Gateway}
	for j := range doors {
		for i := range j {
			if sameDoor(doors[i], doors[j]) {
				r.at(keys[j], root, "%s is %s and %s is %s, want different ports", keys[j], doors[j], keys[i], doors[i])
			}
		}
	}
}

func sameDoor(a, b string) bool {
	hostA, portA, okA := hostPort(a)
	hostB, portB, okB := hostPort(b)
	if !okA || !okB || portA == 0 || portA != portB {
		return false
	}
	everywhere := func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return host == "" || err == nil && ip.IsUnspecified()
	}
	return hostA == hostB || everywhere(hostA) || everywhere(hostB)
}

// at reports what is wrong with a key beside others, where the key was given:
// in the file or outside it. A key that is refused already is left alone.
func (r *agentReader) at(key string, root *node, format string, args ...any) {
	if r.refused[key] {
		return
	}
	from, said := r.from[key]
	if !said {
		from = origin{file: r.file, at: root.at}
		group, _, nested := strings.Cut(key, ".")
		if i := slices.IndexFunc(root.pairs, func(p pair) bool { return nested && p.key == group }); i >= 0 {
			from.at = root.pairs[i].at
		}
	}
	r.mistakes = append(r.mistakes, Mistake{from.file, from.at.line, from.at.column, fmt.Sprintf(format, args...)})
}

// settings lists what came out.
func (r *agentReader) settings() []Setting {
	list := make([]Setting, len(agentKeys))
	for i, k := range agentKeys {
		from, said := r.from[k.path]
		if !said {
			from.source = FromDefault
		}
		list[i] = Setting{Key: k.path, Value: k.get(&r.agent), Source: from.source, Where: from.where}
	}
	return list
}
