// Package config reads the two files that people write: agent.yaml, which
// holds what is of one machine, and fleet.yaml, which the ledger owns.
//
// It is strict, as [strict.Reader] is: all mistakes come at once, as
// [strict.Mistakes], with file, line and column, what was found and what was
// wanted. What works but should be thought about is a warning, of the same
// shape.
//
// agent.yaml is overridden by MOONWATCH_ variables, and these by flags;
// [Agent.Settings] tells where each value came from. fleet.yaml is overridden
// by nothing: the ledger must hold what was reviewed.
package config
