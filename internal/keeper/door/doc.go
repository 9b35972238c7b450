// Package door is the socket between an agent and its keeper: a small strict
// protocol, a line of JSON each way, both with the protocol's version. Unknown
// keys, other versions and requests above 8 KiB are refused.
//
// Who may knock is decided by the kernel: only processes of root and of the
// keeper's own user are heard, and who enters a slot is the process at the other
// end, whatever it says of itself.
package door
