// Package whatif answers "what would Moonwatch do if": it reads a fault as
// people say it, applies it to a fleet in the simulated world, and tells what
// would be done, when, with which spares, what the brake would hold and which
// requests would fail.
//
// It decides nothing about a failure: the world that it sets up runs the shipped
// decisions. It reads no file and no clock.
package whatif
