package sim

import "moonwatch/consensus"

// once checks promise 5 on every fact: a command that is handed in again leaves
// no second one. The ledger remembers the last few thousand commands; a repeat
// later than that is another command.
func (c *checker) once(f consensus.Fact) {
	const remembered = 8192
	c.look(ruleOnce)
	if at, known := c.stood[f.Command.ID]; known && f.Index-at < remembered {
		c.fail(ruleOnce, "fact %d is command %s, which stands as fact %d", f.Index, f.Command.ID, at)
	}
	c.stood[f.Command.ID] = f.Index
}
