package scenario

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// maxFile bounds a file in bytes: a fleet of 10,000 members is half of it.
const maxFile = 1 << 20

// shape says what kind of thing stands in the file.
type shape int

const (
	empty shape = iota
	text
	number
	truth
	mapping
	list
)

// node is a value in the file with its place.
type node struct {
	at    place
	shape shape
	text  string  // as written, of text, number and truth
	pairs []pair  // of a mapping, in file order, without repeated keys
	items []*node // of a list
}

// pair is a key with its value.
type pair struct {
	key   string
	at    place // of the key
	value *node
}

// found describes the value as part of a sentence.
func (n *node) found() string {
	switch n.shape {
	case empty:
		return "empty"
	case mapping:
		return "a mapping"
	case list:
		if len(n.items) == 0 {
			return "an empty list"
		}
		return "a list"
	case number:
		return "the number " + n.text
	case truth:
		return n.text
	default:
		return quoted(n.text)
	}
}

// quoted shows a text of the file, but not all of a long one.
func quoted(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "..."
	}
	return fmt.Sprintf("%q", s)
}

// readTree reads the one document of a file, a mapping. It gives nil if that
// cannot be had; then a mistake says why.
func readTree(n *notes, b []byte) *node {
	top := place{1, 1}
	if len(b) > maxFile {
		n.wrong(top, "the file has %d bytes, want at most %d", len(b), maxFile)
		return nil
	}
	if !utf8.Valid(b) {
		n.wrong(badByte(b), "the text is not UTF-8")
		return nil
	}
	b = []byte(strings.TrimPrefix(string(b), "\ufeff"))
	file, ok := parseYAML(n, b)
	if !ok {
		return nil
	}
	var root *node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		v := n.convert(doc.Body)
		if root != nil {
			n.wrong(v.at, "a second document begins here, want one")
			return nil
		}
		root = v
	}
	switch {
	case root == nil || root.shape == empty:
		n.wrong(top, "the file is empty")
		return nil
	case root.shape != mapping:
		n.wrong(root.at, "the file holds %s, want keys and values", root.found())
		return nil
	}
	return root
}

// badByte is the place of the first byte that is no UTF-8.
func badByte(b []byte) place {
	at := place{1, 1}
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size <= 1 {
			break
		}
		at.column++
		if r == '\n' {
			at = place{at.line + 1, 1}
		}
		b = b[size:]
	}
	return at
}

// convert makes our tree of the parser's.
func (n *notes) convert(from ast.Node) *node {
	if from == nil {
		return &node{at: place{1, 1}}
	}
	v := &node{at: placeOf(from.GetToken())}
	switch from := from.(type) {
	case *ast.MappingNode:
		n.mapping(v, from.Values)
	case *ast.MappingValueNode:
		n.mapping(v, []*ast.MappingValueNode{from})
	case *ast.SequenceNode:
		v.shape = list
		for _, item := range from.Values {
			v.items = append(v.items, n.convert(item).whole())
		}
	case *ast.StringNode:
		v.shape, v.text = text, from.Value
	case *ast.LiteralNode:
		v.shape = text
		if from.Value != nil {
			v.text = from.Value.Value
		}
	case *ast.BoolNode:
		v.shape, v.text = truth, from.GetToken().Value
	case *ast.NullNode:
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		v.shape, v.text = number, from.GetToken().Value
	default:
		n.wrong(v.at, "found %s, want a plain value", strings.ToLower(from.Type().YAMLName()))
	}
	return v
}

func (n *notes) mapping(v *node, values []*ast.MappingValueNode) {
	v.shape = mapping
	first := make(map[string]place, len(values))
	for i, value := range values {
		key := value.Key.GetToken()
		at := placeOf(key)
		if i == 0 {
			v.at = at
		}
		if before, twice := first[key.Value]; twice {
			n.wrong(at, "%s stands here for the second time, first in line %d", key.Value, before.line)
			continue
		}
		first[key.Value] = at
		v.pairs = append(v.pairs, pair{key: key.Value, at: at, value: n.convert(value.Value)})
	}
}

// whole undoes that the parser takes a:b in a list for a mapping. To YAML it is
// one word, for no space follows the colon.
func (n *node) whole() *node {
	if n.shape != mapping || len(n.pairs) != 1 {
		return n
	}
	p := n.pairs[0]
	if v := p.value; (v.shape == text || v.shape == number) && p.touches(v.at) {
		return &node{at: p.at, shape: text, text: p.key + ":" + v.text}
	}
	return n
}

// touches reports that what stands at a place follows the key's colon without a
// space.
func (p pair) touches(at place) bool {
	return at.line == p.at.line && at.column == p.at.column+utf8.RuneCountInString(p.key)+1
}
