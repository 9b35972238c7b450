// Package demo runs a whole cluster on one machine and tells a story with it:
// seven real agents with a real web service behind the gateway, one fault, and
// what came of it.
//
//	launcher (this process)                     127.A.B.8
//	  | embedded agent: follows the ledger, page, gateway
//	  | load: 200 requests a second through the gateway
//	  | control socket: moonwatch demo kill|stop|isolate|heal MEMBER
//	  |
//	  +-- agent vm-1 (failure domain a)         127.A.B.1
//	  |     `-- action web-start -> web service   (outlives its agent)
//	  +-- ...
//	  `-- agent vm-7 (failure domain c)         127.A.B.7
//
// What it owns: one folder, and in it everything that the cluster is made of,
// and every process that is started from it. It ends exactly these processes,
// known by process id and start time, and removes the folder, also after
// SIGTERM; what a launcher that was killed has left, the next one sweeps.
// The launcher is a child subreaper, so services whose agent was killed come
// back to it and not to init.
//
// Nothing is simulated: certificates, gossip key, fleet.yaml, actions and
// faults (signals) are what they are in production. Only some windows are
// shorter, and the launcher says which.
package demo
