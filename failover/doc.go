// Package failover decides how a lost member is replaced, and when it is safer
// to replace nobody.
//
// Its parts:
//
//   - State folds the facts of this package: slots, cases, spares, budget and
//     brake. It is the same on every agent, and the gates live in it: an
//     irreversible step is allowed or refused when the ledger applies the
//     command, whoever proposed it.
//   - Conductor sits on the council's leader. It opens cases and proposes
//     their next step. A new leader's Conductor starts from the State alone.
//   - Executor sits on every agent. It does a step only when the agent's own
//     State shows it as the case's current step with this agent as executor.
//
// The caller keeps the ledger, carries out effects and hands results back.
package failover
