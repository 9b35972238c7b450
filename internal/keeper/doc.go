// Package keeper decides what the keeper of a member does: the tiny second
// process that talks to nobody but its agent and its kernel, outlives the agent and
// enforces the leases of exclusive slots (PROTOCOL 6, docs/adr/014).
//
// An agent hands over each lease that the council granted. While the newest one
// is fresh the keeper lets the slot's processes run; when it is older than S it
// stops them, by force from half of Ds on, and looks until none is left. A stop
// that is not confirmed within Ds is unknown: the watchdog is not fed, and resets
// the machine at W.
//
// The package is a decision: it is told the time since the machine was booted
// (CLOCK_BOOTTIME, which goes on while the machine sleeps and which nobody can
// set) and what happened, and returns what it wants done. Its folders do it:
// group owns processes, watchdog the device, door the socket, unit the process.
package keeper
