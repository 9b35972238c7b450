package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand is for those who make packages, and not listed.
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "man FOLDER",
		Short:   "Write the man pages of all commands",
		Long:    "Write the man pages of all commands, one file each. SOURCE_DATE_EPOCH sets their date.",
		Example: "  moonwatch man man1",
		Hidden:  true,
		Args:    exactly("FOLDER"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("man pages: %w", err)
			}
			c.Root().DisableAutoGenTag = true
			header := &doc.GenManHeader{Section: "1", Source: "Moonwatch " + a.parts.version, Manual: "Moonwatch"}
			if err := doc.GenManTree(c.Root(), header, args[0]); err != nil {
				return fmt.Errorf("man pages: %w", err)
			}
			return nil
		},
	}
}
