// Package config reads the two files that people write: agent.yaml, which
// holds what is of one machine, and fleet.yaml, which the ledger owns.
//
// It is strict. An unknown key, a key that stands twice, a value of the wrong
// type or one that cannot work is a [Mistake] with file, line and column, what
// was found and what was wanted; all mistakes come at once, as [Mistakes].
// Nothing is guessed and nothing is left out silently. What works but should
// be thought about is a warning, of the same shape.
//
// A file is read as plain YAML: no anchors, aliases, tags or second document.
// They save some typing and cost everybody who reads the file at three in the
// morning.
//
// agent.yaml is overridden by MOONWATCH_ variables, and these by flags;
// [Agent.Settings] tells where each value came from. fleet.yaml is overridden
// by nothing: the ledger must hold what was reviewed.
package config
