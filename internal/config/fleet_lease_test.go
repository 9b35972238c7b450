package config

import (
	"testing"

	"moonwatch/member"
)

// A build that does not know the profile reads the terms, and grants by them.
func TestAProfilesLeasesAreWrittenOut(t *testing.T) {
	for profile, want := range map[string]member.LeaseTerms{
		"lan": {}, "fast": {}, "cloud": member.LeaseCalm(), "wan": member.LeaseWAN(),
	} {
		f, _, err := ParseFleet("fleet.yaml", []byte(`
version: 1
profile: `+profile+`
members:
  db-1: {failure_domain: a, pool: db, council: allowed}
  db-2: {failure_domain: b, pool: db, council: allowed}
  db-3: {failure_domain: c, pool: db, council: allowed}
pools:
  db:
    slots: {db: 1}
    exclusive: true
    fence: [lease]
    actions: {activate: db-start, stop: db-stop}
`))
		if err != nil {
			t.Fatalf("%s: %v", profile, err)
		}
		if f.Lease != want {
			t.Errorf("%s: the leases of fleet.yaml are %+v, want %+v", profile, f.Lease, want)
		}
		if usual, _ := member.LeaseProfile(f.LeaseName()); f.Leases() != usual {
			t.Errorf("%s: leases by %+v, want %+v", profile, f.Leases(), usual)
		}
	}
}
