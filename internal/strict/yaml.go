package strict

import (
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxDepth bounds nesting. Our files have 5; the parser calls itself once per level,
// and a file must not decide how deep.
const maxDepth = 32

// parse runs the YAML parser where it is safe to. What it panics about is a
// mistake of the file for us: the file came from outside, the daemon goes on.
func (r *Reader) parse(src string) (file *ast.File, ok bool) {
	defer func() {
		if cause := recover(); cause != nil {
			r.Wrong(Place{1, 1}, "the text is not YAML: %v", cause)
			file, ok = nil, false
		}
	}()
	tokens := lexer.Tokenize(src)
	if !r.plain(tokens) {
		return nil, false
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // we name both places ourselves
	if err != nil {
		at, why := Place{1, 1}, err.Error()
		if e, is := err.(yaml.Error); is { //nolint:errorlint // the parser returns it unwrapped, and its text has the place twice
			why = e.GetMessage()
			if t := e.GetToken(); t != nil {
				at = placeOf(t)
			}
		}
		r.Wrong(at, "the text is not YAML: %s", strings.TrimSpace(why))
		return nil, false
	}
	return file, true
}

// plain reports whether the text keeps to the part of YAML that we read, and
// to a depth at which it can be parsed.
func (r *Reader) plain(tokens token.Tokens) bool {
	before := len(r.Mistakes)
	flow, onLine, line := 0, 0, 0
	for _, t := range tokens {
		at := placeOf(t)
		if at.Line != line {
			line, onLine = at.Line, 0
		}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			r.Wrong(at, "anchors and aliases are not read here: write the value out")
		case token.TagType:
			r.Wrong(at, "tags are not read here: write the plain value")
		case token.DirectiveType:
			r.Wrong(at, "directives are not read here")
		case token.MappingKeyType:
			r.Wrong(at, "found ?, want key: value")
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType:
			onLine++
		case token.InvalidType:
			if r.Hint == nil {
				break
			}
			if hint := r.Hint(strings.TrimSpace(t.Origin)); hint != "" {
				r.Wrong(at, "%s", hint)
			}
		default: // keys and plain values
		}
		// A level of a block is at least one column deep.
		deep := flow > maxDepth || onLine > maxDepth || flow == 0 && at.Column > 16*maxDepth && t.Type == token.MappingValueType
		if deep || t.Position != nil && t.Position.IndentNum > 16*maxDepth {
			r.Wrong(at, "nested too deep, want at most %d levels", maxDepth)
		}
		if len(r.Mistakes) > before+10 {
			break
		}
	}
	return len(r.Mistakes) == before
}
