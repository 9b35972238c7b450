package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWithoutAKeeperItsCommandsSaySo(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.sock")
	call(t, "keeper", "status", "--socket", none).wants(t, exitError, "no such file or directory")
	call(t, "keeper", "enter", "--socket", none, "--slot", "db-0", "--slot-epoch", "3", "--", "true").wants(t, 75, "enter slot db-0", "no such file or directory")
	call(t, "keeper", "enter", "--socket", none, "--slot", "db-0", "--", "true").wants(t, exitUsage, "want the name of a slot and a whole number above 0")
	call(t, "keeper", "enter", "--socket", none).wants(t, exitUsage, "PROGRAM is missing")
	call(t, "keeper", "enter", "--socket", none, "--slot", "db-0", "--slot-epoch", "3", "--unit", "../x", "--", "true").wants(t, exitUsage, "want the name of a unit, such as mydb.service")
	call(t, "keeper", "end").wants(t, exitUsage, "want the name of a unit, such as mydb.service")
	call(t, "keeper", "end", "--unit", "mydb.service", "--dir", t.TempDir()).wants(t, exitOK)
	call(t, "keeper", "--watchdog", filepath.Join(t.TempDir(), "watchdog"), "--dir", t.TempDir(), "--socket", none).wants(t, exitError, "watchdog: stat")
	call(t, "keeper", "--cgroup", "relative", "--dir", t.TempDir(), "--socket", none).wants(t, exitError, `cgroup is "relative", want auto, none or the absolute path`)
	call(t, "keeper", "--gate", "wall", "--cgroup", "none", "--dir", t.TempDir(), "--socket", none).wants(t, exitError, `gate is "wall", want auto, nft or off`)
	call(t, "keeper", "--gate", "nft", "--cgroup", "none", "--dir", t.TempDir(), "--socket", none).wants(t, exitError, "a gate needs slots in a cgroup of version 2")
}

func TestAPublicPoolThatNoFleetHasIsAWarning(t *testing.T) {
	sample, err := os.ReadFile("../../configs/agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "agent.yaml")
	text := strings.NewReplacer("public:\n  listen: \"\"", "public:\n  listen: \":8090\"", "  pools: []\n", "  pools: [wep]\n").Replace(string(sample))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	call(t, "config", "check", path, "../../configs/fleet.yaml").wants(t, exitOK, `public.pools names "wep"`, "did you mean web?")
}

func TestAMemberOfAnExclusivePoolNeedsAKeeper(t *testing.T) {
	sample, err := os.ReadFile("../../configs/agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := os.ReadFile("testdata/exclusive-fleet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	with, without, db := filepath.Join(dir, "with.yaml"), filepath.Join(dir, "without.yaml"), filepath.Join(dir, "fleet.yaml")
	text := strings.Replace(string(sample), "name: web-1", "name: db-1", 1)
	for path, b := range map[string]string{
		with: text, without: strings.Replace(text, "/run/moonwatch/keeper.sock", `""`, 1), db: string(fleet),
	} {
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	call(t, "config", "check", with, db).wants(t, exitOK)
	call(t, "config", "check", without).wants(t, exitOK)
	call(t, "config", "check", db, without).wants(t, exitError, "db-1 is of pool db, which is exclusive: no enforcer", "moonwatch keeper", "keeper_socket: /run/moonwatch/keeper.sock")
}
