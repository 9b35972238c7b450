package member

import (
	"fmt"
	"strings"
	"testing"
)

func TestProfileFastIsRefusedAbove32Members(t *testing.T) {
	f := Fleet{Version: 1, Profile: ProfileFast}
	for i := range FastMembers {
		f.Members = append(f.Members, Member{ID: ID(fmt.Sprintf("m-%d", i)), Domain: "a"})
	}
	f.Members = append(f.Members, Member{ID: "old", Domain: "a", Retired: true}) // is not observed any more
	if err := f.checkProfile(); err != nil {
		t.Fatal(err)
	}
	f.Members[FastMembers].Retired = false
	if err := f.Validate(); err == nil || !strings.Contains(err.Error(), "profile is fast, for at most 32 members, and there are 33: want profile lan") {
		t.Errorf("33 members: %v", err)
	}
	f.Profile = ProfileLAN
	if err := f.Validate(); err != nil && strings.Contains(err.Error(), "profile") {
		t.Errorf("profile lan: %v", err)
	}
}
