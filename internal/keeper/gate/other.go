//go:build !linux

package gate

import "errors"

// New finds no gate here.
func New(string) (Gate, error) { return nil, errors.New("a gate needs Linux") }

// Clear has nothing to clear here.
func Clear(string) error { return nil }

// Namespace tells nothing here.
func Namespace(int) (string, error) { return "", errors.New("a gate needs Linux") }
