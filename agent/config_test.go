package agent

import (
	"strings"
	"testing"
	"time"
)

func TestTheDefaultsWork(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestEveryUnsafeNumberIsNamed(t *testing.T) {
	for want, spoil := range map[string]func(*Config){
		"probe_interval is 0s":         func(c *Config) { c.ProbeInterval = 0 },
		"reprobe_interval is 1s":       func(c *Config) { c.ReprobeInterval = time.Second },
		"probe_timeout is 300ms":       func(c *Config) { c.TimeoutMin = 300 * time.Millisecond },
		"patience is 500ms":            func(c *Config) { c.Patience = 500 * time.Millisecond },
		"lost_run is 1 to 14":          func(c *Config) { c.LostRunMin = 1 },
		"lost_run is 4 to 3":           func(c *Config) { c.LostRunMax = 3 },
		"loss_window is 65":            func(c *Config) { c.LossWindow = 65 },
		"loss_count is 41":             func(c *Config) { c.LossCount = 41 },
		"loss_clear is 0.3":            func(c *Config) { c.LossClear = 0.3 },
		"vote_life is 2s":              func(c *Config) { c.VoteLife = 2 * time.Second },
		"mass_life is 10s":             func(c *Config) { c.MassLife = 10 * time.Second },
		"checkers is 0, want at least": func(c *Config) { c.Checkers = 0 },
	} {
		c := Default()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q named, got %v", want, err)
		}
	}
}

func TestAllMistakesAreNamedAtOnce(t *testing.T) {
	if err := (Config{}).Validate(); strings.Count(err.Error(), "\n") < 5 {
		t.Errorf("an empty config: %v", err)
	}
}
