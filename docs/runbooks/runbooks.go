// Package runbooks carries the runbooks of this folder, so that every agent can show
// them: whoever is called at night has the page that tells what to do one click away, of
// the build that runs.
package runbooks

import "embed"

// Files are the runbooks: NAME.md for each held reason (held-NAME) and each alert.
//
//go:embed *.md
var Files embed.FS
