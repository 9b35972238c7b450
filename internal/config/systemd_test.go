package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSystemdTakesTheUnitsAsTheyAre lets systemd judge the files that people copy.
func TestSystemdTakesTheUnitsAsTheyAre(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	const from = "../../configs/systemd"
	dir := t.TempDir()
	exe, err := os.Executable() // what stands in the units has to be there
	if err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) string {
		text = strings.NewReplacer("/usr/bin/moonwatch", exe, "/usr/bin/mydb", exe).Replace(text)
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	units := []string{
		put("moonwatch-keeper.service", read("moonwatch-keeper.service")),
		put("moonwatch-agent.service", read("moonwatch-agent.service")),
		put("mydb.service", "[Service]\nExecStart="+exe+"\n"),
	}
	put("mydb.service.d/moonwatch.conf", read("slot.conf"))
	put("moonwatch-agent.service.d/sandbox.conf", read("moonwatch-agent-sandbox.conf"))
	c := exec.Command(analyze, append([]string{"verify", "--man=no", "--generators=no"}, units...)...)
	c.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
	out, err := c.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, dir) || strings.Contains(line, "moonwatch") || strings.Contains(line, "mydb") {
			t.Errorf("systemd: %s", line)
		}
	}
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	// A unit with a mistake is found, or this test says nothing.
	bad := put("bad.service", "[Service]\nExecStart="+exe+"\nWatchdogSec=soon\n")
	if out, _ := exec.Command(analyze, "verify", "--man=no", "--generators=no", bad).CombinedOutput(); !strings.Contains(string(out), "soon") {
		t.Errorf("a mistake went unseen: %s", out)
	}
}

// TestSystemdNeverGivesAUnitUp: what ends at once and is started again after a second has
// ended five times within systemd's ten seconds, and would stay failed.
func TestSystemdNeverGivesAUnitUp(t *testing.T) {
	for _, name := range []string{"moonwatch-agent.service", "moonwatch-keeper.service"} {
		b, err := os.ReadFile(filepath.Join("../../configs/systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		section := ""
		limit := ""
		for line := range strings.Lines(string(b)) {
			switch line = strings.TrimSpace(line); {
			case strings.HasPrefix(line, "["):
				section = line
			case section == "[Unit]" && strings.HasPrefix(line, "StartLimitIntervalSec="):
				limit = line
			}
		}
		if limit != "StartLimitIntervalSec=0" {
			t.Errorf("%s: [Unit] says %q, want StartLimitIntervalSec=0", name, limit)
		}
	}
}
