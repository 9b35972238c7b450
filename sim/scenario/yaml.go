package scenario

import (
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxDepth bounds nesting. Ours is 5; the parser calls itself once per level,
// and a file must not decide how deep.
const maxDepth = 32

// parseYAML runs the parser where it is safe to. What it panics about is a
// mistake of the file for us.
func parseYAML(n *notes, src []byte) (file *ast.File, ok bool) {
	defer func() {
		if cause := recover(); cause != nil {
			n.wrong(place{1, 1}, "the text is not YAML: %v", cause)
			file, ok = nil, false
		}
	}()
	tokens := lexer.Tokenize(string(src))
	if !plain(n, tokens) {
		return nil, false
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // we name both places ourselves
	if err != nil {
		at, why := place{1, 1}, err.Error()
		if e, is := err.(yaml.Error); is { //nolint:errorlint // the parser returns it unwrapped, and its text has the place twice
			why = e.GetMessage()
			if t := e.GetToken(); t != nil {
				at = placeOf(t)
			}
		}
		n.wrong(at, "the text is not YAML: %s", strings.TrimSpace(why))
		return nil, false
	}
	return file, true
}

// plain reports whether the text keeps to the part of YAML that we read, and
// to a depth at which it can be parsed.
func plain(n *notes, tokens token.Tokens) bool {
	before := len(n.mistakes)
	flow, onLine, line := 0, 0, 0
	for _, t := range tokens {
		at := placeOf(t)
		if at.line != line {
			line, onLine = at.line, 0
		}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			n.wrong(at, "anchors and aliases are not read here: write the value out")
		case token.TagType:
			n.wrong(at, "tags are not read here: write the plain value")
		case token.DirectiveType:
			n.wrong(at, "directives are not read here")
		case token.MappingKeyType:
			n.wrong(at, "found ?, want key: value")
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType:
			onLine++
		case token.InvalidType:
			if strings.HasPrefix(strings.TrimSpace(t.Origin), "@") {
				n.wrong(at, `a name stands in quotes here: "@victim"`)
			}
		default: // keys and plain values
		}
		// A level of a block is at least one column deep.
		deep := flow > maxDepth || onLine > maxDepth || flow == 0 && at.column > 16*maxDepth && t.Type == token.MappingValueType
		if deep || t.Position != nil && t.Position.IndentNum > 16*maxDepth {
			n.wrong(at, "nested too deep, want at most %d levels", maxDepth)
		}
		if len(n.mistakes) > before+10 {
			break
		}
	}
	return len(n.mistakes) == before
}

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(1, t.Position.Line), max(1, t.Position.Column)}
}
