package member

import "fmt"

// The timing profiles of this build (PROTOCOL 10).
const (
	ProfileLAN   = "lan"
	ProfileDemo  = "demo"  // lan with shorter windows of the brake
	ProfileFast  = "fast"  // own hardware on one LAN
	ProfileCloud = "cloud" // virtual machines on shared hosts
	ProfileWAN   = "wan"   // failure domains that are cities
)

// Profiles are the names of all of them, the default first.
func Profiles() []string {
	return []string{ProfileLAN, ProfileFast, ProfileCloud, ProfileWAN, ProfileDemo}
}

// FastMembers is how many members profile fast carries: every member above sixteen
// observers sends them a probe each tenth of a second, and a larger fleet has no one
// switch whose round trips fit into its time-outs.
const FastMembers = 32

// checkProfile refuses a profile that the fleet has outgrown.
func (f *Fleet) checkProfile() error {
	n := 0
	for _, m := range f.Members {
		if !m.Retired {
			n++
		}
	}
	if f.Profile == ProfileFast && n > FastMembers {
		return fmt.Errorf("profile is fast, for at most %d members, and there are %d: want profile lan", FastMembers, n)
	}
	return nil
}
