//go:build !linux

package demo

import "errors"

func becomeSubreaper() error {
	return errors.New("become child subreaper: the demo needs Linux")
}
