//go:build real

package haproxy

import (
	"os/exec"
	"testing"

	"go.uber.org/goleak"

	"moonwatch/shield/conform"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHAProxyTakesTheSampleConfiguration(t *testing.T) {
	p := unstarted(t)
	if said, err := exec.Command("haproxy", "-c", "-f", p.Config()).CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, said)
	}
}

func TestHAProxyConforms(t *testing.T) {
	conform.Run(t, conform.Subject{
		Fresh: func(t *testing.T) *conform.Target {
			p := newProxy(t)
			w := newWire(t, p.Socket())
			d := p.door(func(c *Config) { c.Socket = w.path })
			return &conform.Target{
				Door: d, Addr: p.Front,
				Abandon: func() { w.cut(); d.Close() }, // nothing is taken back
				Restart: func() { p.Kill(); p.Start() },
			}
		},
	})
}
