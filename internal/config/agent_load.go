package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"moonwatch/internal/strict"
)

// LoadAgent reads an agent.yaml and its overrides: env as os.Environ gives it,
// flags by key (tls.cert) or by flag name (tls-cert). A flag goes before a
// variable, a variable before the file, the file before the default. Relative
// paths begin at the file's folder if they stand in it, else at the working
// directory. Lists have commas in variables and flags.
//
// The error is [strict.Mistakes], of file, variables and flags together, if the file
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
	r := &agentReader{reader: newReader(path), agent: DefaultAgent(), base: base, work: work, from: map[string]origin{}, refused: map[string]bool{}}
	if root := r.Read(b); root != nil {
		r.fromFile(root)
		r.fromEnvironment(env)
		r.fromFlags(flags)
		r.crossCheck(root)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	r.agent.settings = r.settings()
	return &r.agent, nil
}

// agentReader takes values from one source after the other.
type agentReader struct {
	reader

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
	at     strict.Place
}

func (r *agentReader) fromFile(root *strict.Value) {
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
	for _, p := range root.Pairs {
		if secretKey(p.Key) {
			r.Wrong(p.At, "%s: secrets stand in files of their own: want gossip_key_file or tls.key", p.Key)
		}
	}
	inside := map[string]object{"": o}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		if v, ok := o.Get(group, strict.Words(groups[group], "and")); ok {
			inside[group] = r.object(group, v, groups[group]...)
		}
		if p, ok := o.Pairs[group]; ok && p.Value.Shape != strict.Mapping {
			for _, rest := range groups[group] { // not missing, but out of reach
				r.from[group+"."+rest] = origin{source: FromFile, file: r.File, at: p.At}
				r.refused[group+"."+rest] = true
			}
		}
	}
	for _, k := range agentKeys {
		group, name, nested := strings.Cut(k.path, ".")
		if !nested {
			group, name = "", k.path
		}
		if g, ok := inside[group]; ok && g.Has(name) {
			before := len(r.Mistakes)
			r.one(g, name, k)
			r.refused[k.path] = len(r.Mistakes) > before
		}
	}
}

// one takes one key's value from the file.
func (r *agentReader) one(o object, name string, k key) {
	r.from[k.path] = origin{
		FromFile, fmt.Sprintf("%s:%d", r.File, o.Pairs[name].At.Line),
		r.File, o.Where(name),
	}
	if k.list {
		r.many(o, name, k)
		return
	}
	v, ok := o.Get(name, k.want)
	if !ok {
		return
	}
	if v.Shape != strict.Text {
		o.Bad(name, v, k.want)
		return
	}
	if !k.take(&r.agent, []string{v.Text}, r.base) {
		r.Wrong(v.At, "%s is %s, want %s", k.path, k.found(v.Text), k.want)
	}
}

func (r *agentReader) many(o object, name string, k key) {
	texts := o.texts(name, k.want, func(s string) bool {
		var scratch Agent
		return k.take(&scratch, []string{s}, r.base)
	})
	k.take(&r.agent, texts, r.base)
}

// others are MOONWATCH_ variables that are not about agent.yaml: those that an
// agent gives to the programs it starts, and the path of the file itself.
var others = []string{"CASE", "STEP", "ATTEMPT", "SLOT", "SLOT_EPOCH", "DEADLINE", "DRY_RUN", "CONFIG"}

// fromEnvironment takes MOONWATCH_ variables. One that we do not know is left
// alone, for it may be somebody else's; but one that nearly is ours was meant
// for us.
func (r *agentReader) fromEnvironment(env []string) {
	known := make([]string, len(agentKeys))
	for i, k := range agentKeys {
		known[i] = strings.TrimPrefix(k.variable(), "MOONWATCH_")
	}
	for _, line := range slices.Sorted(slices.Values(env)) {
		name, value, _ := strings.Cut(line, "=")
		short, ours := strings.CutPrefix(name, "MOONWATCH_")
		if !ours || slices.Contains(others, short) {
			continue
		}
		if i := slices.Index(known, short); i >= 0 {
			r.override(agentKeys[i], value, FromEnvironment, name)
		} else if meant := strict.Nearest(short, known); meant != "" && strict.Distance(short, meant) <= 2 {
			r.Mistakes = append(r.Mistakes, strict.Mistake{File: name, Text: "unknown variable, did you mean MOONWATCH_" + meant + "?"})
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
		text := "unknown flag, want one of " + strict.Words(known, "or")
		if meant := strict.Nearest(plain, known); meant != "" {
			text = "unknown flag, did you mean --" + meant + "?"
		}
		r.Mistakes = append(r.Mistakes, strict.Mistake{File: "--" + plain, Text: text})
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
	r.Mistakes = append(r.Mistakes, strict.Mistake{File: where, Text: fmt.Sprintf("%s is %s, want %s", k.path, k.found(value), k.want)})
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
