package member

import (
	"strings"
	"testing"
	"time"
)

func TestTheProfilesOfLeasesAreSafe(t *testing.T) {
	for name, profile := range map[string]string{"": "", "lan": ProfileLAN, "calm": ProfileCloud, "wan": ProfileWAN} {
		terms, ok := LeaseProfile(name)
		if !ok {
			t.Fatalf("no profile %q", name)
		}
		for _, councillors := range []int{3, 5} {
			if err := terms.Validate((&Fleet{Profile: profile}).Elects(councillors)); err != nil {
				t.Errorf("profile %q, %d councillors: %v", name, councillors, err)
			}
		}
	}
	if got := LeaseLan().Promote(); got != 11110*time.Millisecond {
		t.Errorf("lan gives a slot away after %v, PROTOCOL 6 says 11.1 s", got)
	}
	if got := LeaseCalm().Promote(); got != 20200*time.Millisecond {
		t.Errorf("calm gives a slot away after %v, PROTOCOL 6 says 20.2 s", got)
	}
	if _, ok := LeaseProfile("quick"); ok {
		t.Error("a profile that nobody knows is one")
	}
}

// Each inequality of PROTOCOL 6 is looked at: the smallest step over it is refused.
func TestUnsafeTermsAreRefusedByName(t *testing.T) {
	for _, c := range []struct {
		why   string
		spoil func(*LeaseTerms)
		says  string
	}{
		{"S + Ds <= W", func(x *LeaseTerms) { x.Within += time.Millisecond }, "stop + within is 9.001s and watchdog is 9s"},
		{"RTT + W <= L(1-d)", func(x *LeaseTerms) { x.Length = 10100 * time.Millisecond }, "round_trip + watchdog is 10s and length less 1 % is 9.999s"},
		{"3r <= S", func(x *LeaseTerms) { x.Renew, x.RoundTrip = 2001*time.Millisecond, 20*time.Millisecond }, "3 x renew is 6.003s and stop is 6s"},
		{"S - r - RTT > election", func(x *LeaseTerms) { x.Renew = 1400 * time.Millisecond }, "stop - renew - round_trip is 3.6s, want more than 3.6s"},
		{"a time", func(x *LeaseTerms) { x.Renew = 0 }, "renew is 0s, want 20ms to 10m0s"},
	} {
		terms := LeaseLan()
		c.spoil(&terms)
		if err := terms.Validate((&Fleet{}).Elects(3)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want a mistake that says %q", c.why, err, c.says)
		}
	}
}

func TestAFleetWithoutTermsHasThoseOfALan(t *testing.T) {
	var none *Fleet
	if none.Leases() != LeaseLan() || (&Fleet{}).Leases() != LeaseLan() {
		t.Error("the default is another one")
	}
	f := &Fleet{Version: 1, Lease: LeaseTerms{Length: time.Second}}
	if err := f.Validate(); err != nil {
		t.Errorf("terms that no slot uses are refused: %v", err)
	}
	f.Members = []Member{{ID: "a", Domain: "x", Pool: "db"}}
	f.Pools = []Pool{{Name: "db", Exclusive: true, Slots: []SlotID{"db-0"}}}
	if err := f.Validate(); err == nil || !strings.Contains(err.Error(), "lease: renew is 0s") {
		t.Errorf("unsafe terms of an exclusive slot: %v", err)
	}
}
