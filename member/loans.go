package member

import (
	"fmt"
	"slices"
)

// CheckLoans wants a pool to borrow from other pools of this fleet, each once, and from
// such as can run what it runs.
func (f *Fleet) CheckLoans(p Pool) []error {
	var errs []error
	for i, from := range p.Spares.BorrowFrom {
		lender, ok := f.Pool(from)
		key := "pools." + p.Name + ".spares.borrow_from"
		switch {
		case from == p.Name:
			errs = append(errs, fmt.Errorf("%s has %s, want another pool: its own spares it has anyway", key, from))
		case !ok:
			errs = append(errs, fmt.Errorf("%s has %q, want the name of a pool", key, from))
		case slices.Contains(p.Spares.BorrowFrom[:i], from):
			errs = append(errs, fmt.Errorf("%s has %s twice", key, from))
		case p.Unit("") != "":
			errs = append(errs, fmt.Errorf("%s has %s, and %s is run by drivers: systemd: whether its unit is installed on a lender's members is not tested; want a pool that is run by actions", key, from, p.Name))
		case p.Exclusive && !lender.Exclusive:
			errs = append(errs, fmt.Errorf("%s has %s: %s is exclusive and %s is not, so its members need no enforcer, and nothing would end a lease there", key, from, p.Name, from))
		}
	}
	return errs
}
