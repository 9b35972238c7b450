package config

import (
	"fmt"

	"moonwatch/member"
)

// CheckEnforcer refuses an agent whose member may run an exclusive slot and that
// has no keeper: nobody would end the slot when its lease is over, so it is never
// given one, and the pool is a spare short without a word about it.
func CheckEnforcer(a *Agent, f *member.Fleet) error {
	if a.KeeperSocket != "" {
		return nil
	}
	for _, m := range f.Members {
		if m.ID != a.Name || m.Retired {
			continue
		}
		if pool, ok := f.Pool(m.Pool); ok && pool.Exclusive {
			return fmt.Errorf("keeper_socket is \"\" and %s is of pool %s, which is exclusive: no enforcer. Run 'moonwatch keeper' on this machine "+
				"(configs/systemd/moonwatch-keeper.service) and set keeper_socket: /run/moonwatch/keeper.sock", a.Name, pool.Name)
		}
	}
	return nil
}
