package failover

import (
	"testing"
	"time"

	"moonwatch/member"
)

// The table of the analysis behind the sizes: 3 years between two failures of a
// member, a risk of 1e-3 and of 1e-4.
func TestSparesForMembersThatFailOneByOne(t *testing.T) {
	const mtbf = 3 * 365 * 24
	for _, c := range []struct {
		members, repair, thousandth, tenThousandth int
	}{
		{50, 4, 1, 1},
		{50, 24, 2, 2},
		{50, 72, 2, 3},
		{200, 4, 1, 2},
		{200, 24, 2, 3},
		{200, 72, 4, 5},
		{1000, 4, 2, 3},
		{1000, 24, 5, 6},
		{1000, 72, 9, 11},
		{3000, 4, 4, 5},
		{3000, 24, 9, 11},
		{3000, 72, 18, 21},
	} {
		mean := float64(c.members*c.repair) / mtbf
		if a, b := enough(mean, 1e-3), enough(mean, 1e-4); a != c.thousandth || b != c.tenThousandth {
			t.Errorf("%d members, repaired in %d h: %d and %d spares, want %d and %d", c.members, c.repair, a, b, c.thousandth, c.tenThousandth)
		}
	}
}

func TestSparesCoverTheLargestDomainThatIsReplacedWithoutPeople(t *testing.T) {
	s := Sizing{MTBF: 3 * 365 * 24 * time.Hour, Repair: 24 * time.Hour, Risk: 1e-3}
	f := webFleet(21, 4, 5, 5, 5, 6) // 25 members: a fifth is 5
	a, err := Advise(&f, s)
	if err != nil || a[0].Lost != 5 || a[0].Largest != "b" || a[0].Want != 5 || a[0].Have != 4 || a[0].Missing() != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	f.Members[0].Retired = true
	if a, _ = Advise(&f, s); a[0].Have != 3 || a[0].Lost != 3 { // of 24, a domain of 5 is more than a fifth
		t.Errorf("a member retired: %+v", a)
	}
	if _, err := Advise(&f, Sizing{MTBF: time.Hour, Risk: 0.1}); err == nil {
		t.Error("a repair that takes no time is no repair")
	}
	if a, _ := Advise(&member.Fleet{}, s); len(a) != 0 {
		t.Errorf("no pools: %+v", a)
	}
}
