// Package scenario is what people write and keep of the simulator: a scenario
// file, the plan that a scenario and a seed are compiled to, and the result of
// playing it.
//
// A scenario (YAML) says in words of operations what a fleet goes through and
// what is expected of it. Compiled with a seed it is a Plan (JSON): concrete
// times and members wherever they can be known beforehand. The plan is the
// replay file and what a failing run is shrunk to. Nothing here reads a file, a
// clock or chance of its own: the same plan gives the same bytes.
package scenario
