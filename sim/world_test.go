package sim

import (
	"testing"
	"time"
)

// story starts a world and lets it come to rest: everything serves.
func story(t *testing.T, cfg Config, seed uint64) *World {
	t.Helper()
	cfg.Seed = seed
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Verbose = true
	t.Cleanup(func() {
		if t.Failed() {
			for _, l := range w.Lines() {
				t.Log(l)
			}
		}
	})
	if err := w.Run(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	if !w.allServed() {
		t.Fatalf("after %v: %v", w.Now(), w.Troubles())
	}
	return w
}
