package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/zap"

	"moonwatch/failover/driver/systemd"
	"moonwatch/internal/config"
	"moonwatch/member"
)

// What an agent that died was writing is cleared away in each place by the next one, and
// nothing else is.
func TestWhatADeadAgentWasWritingIsClearedAway(t *testing.T) {
	root := t.TempDir()
	at := func(names ...string) string { return filepath.Join(append([]string{root}, names...)...) }
	units := systemd.Config{Folder: at("units")}
	d := &Daemon{self: "web-1", log: zap.NewNop(), cfg: Config{
		Agent: &config.Agent{
			DataDir: at("data"), GossipKeyFile: at("etc", "gossip.keys"),
			TLS: config.TLS{Cert: at("etc", "cert.pem"), Key: at("etc", "key.pem"), CA: at("etc", "ca.pem")},
		},
		Systemd: &units, Addresses: at("addresses"),
	}}
	left := []string{
		at("data", "incarnation.1.new"), at("data", "notices.json.22.new"), at("data", "lapses.4.new"),
		at("etc", "gossip.keys.3.new"), at("etc", "cert.pem.4.new"), at("etc", "key.pem.5.new"), at("etc", "ca.pem.6.new"),
		at("units", "web.service.d", "50-moonwatch.conf.7.new"),
		at("addresses", "web%2Fvip", "web-0.vip.8.new"), at("addresses", "web%2Fvip", "web-0.vip.link.9.new"),
		at("haproxy", "slots.map.10.new"), at("haproxy", "state.11.new"),
	}
	stays := []string{
		at("data", "incarnation"), at("data", "ledger.db.new"), at("etc", "gossip.keys"), at("etc", "other.12.new"),
		at("units", "web.service.d", "50-moonwatch.conf"), at("units", "web.service.d", "60-mine.conf.13.new"),
		at("addresses", "web%2Fvip", "web-0.vip"), at("haproxy", "haproxy.cfg.14.new"),
	}
	for _, path := range slices.Concat(left, stays) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.clearLeftovers()
	door := member.Driver{Kind: "haproxy", HAProxy: &member.HAProxyDriver{
		Backend: "web", Map: at("haproxy", "slots.map"), Socket: at("haproxy", "socket"), StateFile: at("haproxy", "state"),
	}}
	if _, err := d.openDoor(member.Pool{Name: "web"}, door); err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is there still", path)
		}
	}
	for _, path := range stays {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%s is gone", path)
		}
	}
}
