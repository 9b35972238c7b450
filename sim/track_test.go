package sim

import "testing"

// TestTheSeedsThatFoundSomethingStayMended plays the stories that once broke a
// promise. Fifteen minutes of a world are cheap; the bug is not.
func TestTheSeedsThatFoundSomethingStayMended(t *testing.T) {
	for _, c := range []struct {
		seed  uint64
		found string
	}{
		{3, "silent checks of a lossy network condemned a healthy service"},
		{4, "an agent back after an outage stood accused of loss, and was condemned after its return"},
		{28, "a member that the council does not reach was held to be well"},
		{33, "one observer of sixteen kept a verdict standing in lossy weather"},
		{45, "a cascade never ended: without a roll call three checkers decide nothing about a service"},
		{112, "a verdict that was proposed before the council lost its quorum was committed after it"},
		{1116, "two observers that lost four probes of five condemned a healthy member"},
		{5482, "two observers that lost nine probes of ten each condemned a healthy member, their outages forgotten"},
		{1130, "partial silenced the healthy, and the deaf third condemned them all"},
	} {
		t.Run(c.found, func(t *testing.T) { play(t, c.seed, false, false) })
	}
}
