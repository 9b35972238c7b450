package daemon

import (
	"crypto/ed25519"
	"encoding/json"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// TestWhoIsExpelled: an observer that has just been started has met nobody yet, and takes
// the ledger's word that a member is up with another key.
func TestWhoIsExpelled(t *testing.T) {
	at := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	key := func(name string) ed25519.PublicKey {
		seed := make([]byte, ed25519.SeedSize)
		copy(seed, name)
		return ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	}
	by := func(id member.ID, name string, after time.Duration) consensus.Revoked {
		return consensus.Revoked{Member: id, Key: key(name), Reason: "stolen", By: "alice", At: at.Add(after), Fact: 7}
	}
	up := func(after time.Duration) consensus.Record { return consensus.Record{LastUp: at.Add(after)} }
	snapshot, err := json.Marshal(map[string]any{"state": map[string]any{
		"revoked": []consensus.Revoked{
			by("gone", "gone", 0), by("back", "back", 0), by("back-early", "back-early", 0),
			by("twice", "twice", 0), by("twice", "twice-again", time.Hour), by("down-again", "down-again", 0),
			{Operator: "bob", Key: key("bob"), At: at},
		},
		"records": map[member.ID]consensus.Record{
			"back": up(time.Minute), "back-early": up(-time.Minute), "twice": up(time.Minute), "down-again": up(time.Minute),
		},
		"standing": map[member.ID]consensus.Standing{"down-again": {Kind: consensus.VerdictDown}, "just-down": {Kind: consensus.VerdictDown}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	l := consensus.NewLedger()
	if err := l.Restore(snapshot); err != nil {
		t.Fatal(err)
	}
	r := readRevoked(l)
	for _, x := range []struct {
		when string
		id   member.ID
		met  ed25519.PublicKey // nil: not met
		want bool
	}{
		{"not met, and not called up since", "gone", nil, true},
		{"met with the withdrawn key", "gone", key("gone"), true},
		{"met with another key, whatever the ledger says", "gone", key("new"), false},
		{"not met, and called up since", "back", nil, false},
		{"met with the withdrawn key, although it was called up", "back", key("back"), true},
		{"not met, and called up before the revocation alone", "back-early", nil, true},
		{"not met, called up since the first revocation and not the second", "twice", nil, true},
		{"not met, called up since, and under a verdict again", "down-again", nil, true},
		{"under a verdict, and never withdrawn", "just-down", nil, false},
		{"no member of whom anything is known", "", nil, false},
	} {
		if got := r.expels(x.id, x.met); got != x.want {
			t.Errorf("%s: expelled %v, want %v", x.when, got, x.want)
		}
	}
	if readRevoked(consensus.NewLedger()).expels("gone", nil) {
		t.Error("without any revocation somebody is expelled")
	}
}
