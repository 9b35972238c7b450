// Command debpackage makes the Debian package that an nfpm.yaml describes:
//
//	debpackage NFPM.YAML OUT.deb
//
// It is nfpm as a library, and its format deb alone. nfpm's own program has all formats;
// the modules of two of them (rpm, msix) are not to be had from every module proxy, and
// this has a third of its dependencies. It is a module of its own, so that the linter's
// versions and the packager's do not move each other.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: debpackage NFPM.YAML OUT.deb")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "debpackage:", err)
		os.Exit(1)
	}
}

// write makes the package at to. The description's ${NAME}s come from the environment.
func write(from, to string) (err error) {
	all, err := nfpm.ParseFileWithEnvMapping(from, os.Getenv)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	info, err := all.Get("deb")
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	info = nfpm.WithDefaults(info)
	if err := nfpm.PrepareForPackager(info, "deb"); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(to) // half a package is none
		}
	}()
	return deb.Default.Package(info, f)
}
