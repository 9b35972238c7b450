package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"moonwatch/internal/strict"
	"moonwatch/member"
)

// FenceDevice is one way to switch one member off, as fences.yaml says it: a fence
// agent and its options. An option whose name ends in _file is read from that file
// when it is used, and told without the ending.
type FenceDevice struct {
	Agent   string
	Options map[string]string
	Files   map[string]string
}

// Fences are what this machine can switch off: by member, then by level (power,
// network), all devices of which have to be off.
type Fences map[member.ID]map[string][]FenceDevice

// LoadFences reads a fences.yaml; the empty path is none. It stays on this machine,
// and so do the secrets that it names.
func LoadFences(path string) (Fences, error) {
	if path == "" {
		return nil, nil
	}
	b, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read fences: %w: fences_file names it", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read fences: %w", err)
	}
	return ParseFences(path, b)
}

// ParseFences is LoadFences for a text that is at hand.
func ParseFences(path string, b []byte) (Fences, error) {
	r := newReader(path)
	fences := Fences{}
	if root := r.Read(b); root != nil {
		top := r.object("", root, "version", "members")
		if top.Integer("version", 0, 1, 1); !top.Has("version") {
			top.Missing("version", "1")
		}
		if v, ok := top.Get("members", "the members that this machine can switch off, by name"); ok {
			r.fences(v, fences)
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return fences, nil
}

func (r *reader) fences(v *strict.Value, into Fences) {
	if v.Shape != strict.Mapping {
		r.Wrong(v.At, "members is %s, want the members by name", v.Found())
		return
	}
	for _, p := range v.Pairs {
		if err := checkName(p.Key); err != nil {
			r.Wrong(p.At, "members: %v", err)
			continue
		}
		o := r.object("members."+p.Key, p.Value, "power", "network")
		levels := map[string][]FenceDevice{}
		for _, level := range []string{"power", "network"} {
			list, ok := o.Get(level, "a list of devices")
			if !ok {
				continue
			}
			if list.Shape != strict.List || len(list.Items) == 0 {
				o.Bad(level, list, "a list of devices, such as [{agent: fence_ipmilan, ip: 10.1.0.1, password_file: /etc/moonwatch/ipmi}]")
				continue
			}
			for i, item := range list.Items {
				levels[level] = append(levels[level], r.device(fmt.Sprintf("%s[%d]", o.Join(level), i), item))
			}
		}
		into[member.ID(p.Key)] = levels
	}
}

func (r *reader) device(path string, v *strict.Value) FenceDevice {
	d := FenceDevice{Options: map[string]string{}, Files: map[string]string{}}
	if v.Shape != strict.Mapping {
		r.Wrong(v.At, "%s is %s, want an agent and its options", path, v.Found())
		return d
	}
	for _, p := range v.Pairs {
		key, isFile := strings.CutSuffix(p.Key, "_file")
		switch {
		case p.Value.Shape != strict.Text || !isLine(p.Value.Text):
			r.Wrong(p.At, "%s.%s is %s, want one line", path, p.Key, p.Value.Found())
		case p.Key == "agent" && !isPlainFile(p.Value.Text):
			r.Wrong(p.Value.At, "%s.agent is %s, want the plain name of a program in fence_agents_dir", path, p.Value.Found())
		case p.Key == "agent":
			d.Agent = p.Value.Text
		case slices.Contains([]string{"action", "option"}, p.Key):
			r.Wrong(p.At, "%s.%s is what a case decides: want no such option", path, p.Key)
		case isFile && !strings.HasPrefix(p.Value.Text, "/"):
			r.Wrong(p.Value.At, "%s.%s is %s, want the absolute path of a file", path, p.Key, p.Value.Found())
		case isFile:
			d.Files[key] = p.Value.Text
		case secretKey(p.Key) || p.Key == "passwd":
			r.Wrong(p.At, "%s.%s is a secret, want %s_file: the path of a file that holds it", path, p.Key, p.Key)
		case !isOption(p.Key):
			r.Wrong(p.At, "%s.%s is no name of an option: want a-z, 0-9, - and _", path, p.Key)
		default:
			d.Options[p.Key] = p.Value.Text
		}
	}
	if d.Agent == "" {
		r.Wrong(v.At, "%s.agent is missing, want the plain name of a program in fence_agents_dir, such as fence_ipmilan", path)
	}
	return d
}

func isOption(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_'
	})
}
