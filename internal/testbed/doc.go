// Package testbed makes machines for tests on real processes: network namespaces
// behind a bridge, and namespaces with a real systemd as PID 1. It is built with the
// tag "real" alone. Whatever it makes ends with the test that made it, and nothing of
// it is in this machine's own network, units or folders.
package testbed
