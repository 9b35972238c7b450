package strict

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Place is where something stands in a file, both from 1.
type Place struct{ Line, Column int }

// Shape says what kind of thing stands in the file.
type Shape int

// The shapes of a value.
const (
	Empty Shape = iota
	Text
	Number
	Truth
	Mapping
	List
)

// Value is what stands in the file, with its place.
type Value struct {
	At    Place
	Shape Shape
	Text  string   // as written, of Text, Number and Truth
	Pairs []Pair   // of a Mapping, in file order, without repeated keys
	Items []*Value // of a List
}

// Pair is a key with its value.
type Pair struct {
	Key   string
	At    Place // of the key
	Value *Value
}

// Found describes the value as part of a sentence.
func (v *Value) Found() string {
	switch v.Shape {
	case Empty:
		return "empty"
	case Mapping:
		return "a mapping"
	case List:
		if len(v.Items) == 0 {
			return "an empty list"
		}
		return "a list"
	case Number:
		return "the number " + v.Text
	case Truth:
		return v.Text
	default:
		return Quoted(v.Text)
	}
}

// Quoted shows a text of the file, but not all of a long one, and nothing of
// one that holds a secret.
func Quoted(s string) string {
	const most = 60
	if Secret(s) {
		return "a secret"
	}
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "..."
	}
	return fmt.Sprintf("%q", s)
}

// Secret reports whether a text looks like a secret itself: a key in PEM, an
// address with a password in it.
func Secret(s string) bool {
	if strings.Contains(s, "-----BEGIN") && strings.Contains(s, "PRIVATE KEY") {
		return true
	}
	_, rest, isURL := strings.Cut(s, "://")
	if !isURL {
		return false
	}
	authority, _, _ := strings.Cut(rest, "/")
	user, _, hasUser := strings.Cut(authority, "@")
	return hasUser && strings.Contains(user, ":")
}

// convert makes our tree of the parser's.
func (r *Reader) convert(from ast.Node) *Value {
	if from == nil {
		return &Value{At: Place{1, 1}}
	}
	v := &Value{At: placeOf(from.GetToken())}
	switch from := from.(type) {
	case *ast.MappingNode:
		r.mapping(v, from.Values)
	case *ast.MappingValueNode:
		r.mapping(v, []*ast.MappingValueNode{from})
	case *ast.SequenceNode:
		v.Shape = List
		for _, item := range from.Values {
			v.Items = append(v.Items, r.item(item))
		}
	case *ast.StringNode:
		v.Shape, v.Text = Text, from.Value
	case *ast.LiteralNode:
		v.Shape = Text
		if from.Value != nil {
			v.Text = from.Value.Value
		}
	case *ast.BoolNode:
		v.Shape, v.Text = Truth, from.GetToken().Value
	case *ast.NullNode:
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		v.Shape, v.Text = Number, from.GetToken().Value
	default:
		r.Wrong(v.At, "found %s, want a plain value", strings.ToLower(from.Type().YAMLName()))
	}
	return v
}

func (r *Reader) mapping(v *Value, values []*ast.MappingValueNode) {
	v.Shape = Mapping
	first := make(map[string]Place, len(values))
	for i, value := range values {
		key := value.Key.GetToken()
		at := placeOf(key)
		if i == 0 {
			v.At = at
		}
		if before, twice := first[key.Value]; twice {
			r.Wrong(at, "%s stands here for the second time, first in line %d", key.Value, before.Line)
			continue
		}
		first[key.Value] = at
		v.Pairs = append(v.Pairs, Pair{Key: key.Value, At: at, Value: r.convert(value.Value)})
	}
}

// item converts an entry of a list. Within a mapping in one line the parser
// takes an entry a:b for a mapping; to YAML it is one word, for no space follows
// the colon.
func (r *Reader) item(from ast.Node) *Value {
	v := r.convert(from)
	if m, is := from.(*ast.MappingNode); !is || m.IsFlowStyle || len(v.Pairs) != 1 {
		return v
	}
	p := v.Pairs[0]
	after := Place{p.At.Line, p.At.Column + utf8.RuneCountInString(p.Key) + len(":")}
	if (p.Value.Shape == Text || p.Value.Shape == Number) && p.Value.At == after {
		return &Value{At: p.At, Shape: Text, Text: p.Key + ":" + p.Value.Text}
	}
	return v
}

func placeOf(t *token.Token) Place {
	if t == nil || t.Position == nil {
		return Place{1, 1}
	}
	return Place{max(1, t.Position.Line), max(1, t.Position.Column)}
}
