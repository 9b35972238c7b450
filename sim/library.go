package sim

import "embed"

// Library holds the scenarios that come with the product, as NAME.yaml below
// testdata, and beside each the transcript of its story as NAME.txt.
//
//go:embed testdata/*.yaml testdata/*.txt
var Library embed.FS
