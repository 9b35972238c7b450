//go:build !linux

package watchdog

import "errors"

// Open fails.
func Open(string) (Device, error) { return nil, errors.New("watchdog: needs Linux") }
