package scenario

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// mistake says in the words of a plan, with its line and column where JSON tells
// it, what is wrong with the text.
func mistake(b []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return placed(b, syntax.Offset, err)
	case errors.As(err, &kind):
		return placed(b, kind.Offset, fmt.Errorf("%s is a %s, want %s", kind.Field, kind.Value, wanted(kind.Type)))
	}
	if key, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		key = strings.Trim(key, `"`)
		return placed(b, int64(bytes.Index(b, []byte(`"`+key+`"`))), fmt.Errorf("unknown key %s", key))
	}
	return err
}

// placed adds a line and a column. An offset beyond the text has none.
func placed(b []byte, at int64, err error) error {
	if at < 0 || at > int64(len(b)) {
		return err
	}
	before := b[:at]
	return fmt.Errorf("%d:%d: %w", 1+bytes.Count(before, []byte("\n")), len(before)-bytes.LastIndexByte(before, '\n'), err)
}

// wanted names what a value has to be.
func wanted(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch text := reflect.TypeFor[encoding.TextUnmarshaler](); {
	case t == reflect.TypeFor[Duration]():
		return `a time such as "30s"`
	case t.Implements(text), reflect.PointerTo(t).Implements(text):
		return "a text"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number that is not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "keys and values"
	default:
		return "a text"
	}
}
