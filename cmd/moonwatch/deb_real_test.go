//go:build real

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTheDebianPackage builds the package with scripts/deb.sh, looks into it, installs
// it with dpkg on a layer over this machine's files, runs what was installed, and
// removes it again: a member's keys and ledger outlive that.
func TestTheDebianPackage(t *testing.T) {
	for _, name := range []string{"dpkg", "dpkg-deb", "gzip", "chroot", "mount"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("dpkg and mount want root")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // the packager is built on first use
	defer cancel()
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	folder := t.TempDir()
	run("../../scripts/deb.sh", folder)
	found, err := filepath.Glob(filepath.Join(folder, "moonwatch_*.deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("built %v, want one package", found)
	}
	deb := found[0]

	control := run("dpkg-deb", "--info", deb)
	version := strings.TrimSpace(run("dpkg-deb", "--field", deb, "Version"))
	for _, want := range []string{"Package: moonwatch\n", "postinst", "prerm", "postrm"} {
		if !strings.Contains(control, want) {
			t.Errorf("the package does not say %q:\n%s", want, control)
		}
	}
	content := run("dpkg-deb", "--contents", deb)
	for _, want := range []string{
		`-rwxr-xr-x root/root .* \./usr/bin/moonwatch`, `\./lib/systemd/system/moonwatch-agent\.service`,
		`\./lib/systemd/system/moonwatch-keeper\.service`, `\./usr/share/bash-completion/completions/moonwatch`,
		`\./usr/share/zsh/vendor-completions/_moonwatch`, `\./usr/share/fish/vendor_completions\.d/moonwatch\.fish`,
		`\./usr/share/man/man1/moonwatch\.1\.gz`, `\./usr/share/man/man1/moonwatch-explain\.1\.gz`,
		`drwxr-x--- root/root .* \./etc/moonwatch/\n`, `\./usr/share/doc/moonwatch/docs/runbooks/held-brake\.md`,
		`\./usr/share/doc/moonwatch/configs/prometheus/moonwatch-alerts\.yml`, `\./usr/share/doc/moonwatch/copyright`,
	} {
		if !regexp.MustCompile(want).MatchString(content) {
			t.Errorf("the package lacks %s:\n%s", want, content)
		}
	}

	x := &installed{t: t, ctx: ctx, root: overlay(ctx, t)}
	x.run("dpkg", "--install", deb)
	if got := x.run("dpkg-query", "-W", "-f=${Status} ${Version}", "moonwatch"); got != "install ok installed "+version {
		t.Errorf("dpkg says %q", got)
	}
	if got := x.run("moonwatch", "version"); !strings.HasPrefix(got, "moonwatch "+version) {
		t.Errorf("the installed program says %q, the package is %s", got, version)
	}
	x.run("getent", "group", "moonwatch")
	if links, _ := filepath.Glob(filepath.Join(x.root, "etc/systemd/system/*/moonwatch-*")); links != nil {
		t.Errorf("it would start at the next boot, before it is configured: %v", links)
	}
	for shell, path := range map[string]string{
		"bash": "/usr/share/bash-completion/completions/moonwatch",
		"zsh":  "/usr/share/zsh/vendor-completions/_moonwatch",
		"fish": "/usr/share/fish/vendor_completions.d/moonwatch.fish",
	} {
		if x.run("cat", path) != x.run("moonwatch", "completion", shell) {
			t.Errorf("%s: not what the program says", path)
		}
		if _, err := exec.LookPath(shell); err == nil {
			x.run(shell, "-n", path) // its shell can read it
		}
	}
	if page := x.run("gzip", "-dc", "/usr/share/man/man1/moonwatch-explain.1.gz"); !strings.Contains(page, `.TH "MOONWATCH-EXPLAIN" "1"`) {
		t.Errorf("no man page:\n%.500s", page)
	}

	// A member of a cluster: what makes it one is its own, also when the package goes.
	x.run("moonwatch", "init", "--dir", "/etc/moonwatch", "--cluster", "prod", "--name", "web-1", "--address", "10.0.0.1")
	x.run("sh", "-c", "mkdir -p /var/lib/moonwatch && echo history > /var/lib/moonwatch/ledger.db")
	x.groupMayAsk()
	own := "/etc/moonwatch/agent.yaml /etc/moonwatch/web-1.key /var/lib/moonwatch/ledger.db"
	before := x.run("sh", "-c", "sha256sum "+own)
	x.run("dpkg", "--install", deb)
	x.run("dpkg", "--remove", "moonwatch")
	if _, err := os.Stat(filepath.Join(x.root, "usr/bin/moonwatch")); !os.IsNotExist(err) {
		t.Errorf("after its removal the program is still there: %v", err)
	}
	said := x.run("dpkg", "--purge", "moonwatch")
	for _, want := range []string{"/etc/moonwatch is kept", "/var/lib/moonwatch is kept"} {
		if !strings.Contains(said, want) {
			t.Errorf("a purge does not say that %s:\n%s", want, said)
		}
	}
	if after := x.run("sh", "-c", "sha256sum "+own); after != before {
		t.Errorf("of %s a purge left\n%s", before, after)
	}
	x.run("sh", "-c", "rm -r /etc/moonwatch /var/lib/moonwatch")
	x.run("dpkg", "--install", deb)
	x.run("dpkg", "--purge", "moonwatch")
	if _, err := os.Stat(filepath.Join(x.root, "etc/moonwatch")); !os.IsNotExist(err) {
		t.Errorf("it was never configured, and its folder is still there: %v", err)
	}
}

// groupMayAsk starts the agent that was installed, and asks it at its socket as somebody of
// the group that the package has made, and as somebody who is not of it.
func (x *installed) groupMayAsk() {
	x.t.Helper()
	agent := exec.CommandContext(x.ctx, "chroot", x.root, "moonwatch", "agent", "--config", "/etc/moonwatch/agent.yaml",
		"--bind", "127.83.0.1:7946", "--link", "127.83.0.1:7947", "--http=", "--debug=", "--gateway=")
	var said bytes.Buffer
	agent.Stdout, agent.Stderr = &said, &said
	if err := agent.Start(); err != nil {
		x.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- agent.Wait() }()
	as := func(groups string) (string, error) {
		out, err := exec.CommandContext(x.ctx, "chroot", "--userspec=65534:65534", "--groups="+groups, x.root,
			"moonwatch", "holds", "--agent", "unix:/run/moonwatch/agent.sock").CombinedOutput()
		return string(out), err
	}
	within := time.Now().Add(30 * time.Second)
	for {
		out, err := as("moonwatch")
		if err == nil {
			if !strings.Contains(out, "Nobody holds anything.") {
				x.t.Errorf("one of the group is told %s", out)
			}
			break
		}
		select {
		case err := <-ended:
			x.t.Fatalf("the agent ended: %v\n%s", err, said.String())
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(within) {
			x.t.Errorf("one of group moonwatch may not ask: %v: %s", err, out)
			break
		}
	}
	if out, err := as("65534"); err == nil || !strings.Contains(out, "this user may not use the socket") {
		x.t.Errorf("one who is not of the group: %v: %s", err, out)
	}
	if err := agent.Process.Signal(os.Interrupt); err != nil {
		x.t.Error(err)
	}
	if err := <-ended; err != nil {
		x.t.Errorf("the agent ended: %v\n%s", err, said.String())
	}
}

// installed is this machine's file system with what dpkg does to it on a layer of its
// own: the scripts of the package run, and change nothing outside of it.
type installed struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // of one test
	root string
}

// overlay mounts a layer over this machine's root until the test ends.
func overlay(ctx context.Context, t *testing.T) string {
	t.Helper()
	at := t.TempDir()
	if out, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "moonwatch-deb", at).CombinedOutput(); err != nil {
		t.Skipf("a layer cannot be mounted: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", at).Run() }) //nolint:errcheck // TempDir says so if it is still there
	for _, d := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(at, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root := filepath.Join(at, "root")
	layers := "lowerdir=/,upperdir=" + filepath.Join(at, "upper") + ",workdir=" + filepath.Join(at, "work")
	if out, err := exec.CommandContext(ctx, "mount", "-t", "overlay", "moonwatch-deb", "-o", layers, root).CombinedOutput(); err != nil {
		t.Skipf("a layer cannot be mounted: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", root).Run() }) //nolint:errcheck // as above
	return root
}

// run runs a program inside. The package to install is outside, in a folder of the
// layer's lower part.
func (x *installed) run(argv ...string) string {
	x.t.Helper()
	out, err := exec.CommandContext(x.ctx, "chroot", append([]string{x.root}, argv...)...).CombinedOutput()
	if err != nil {
		x.t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}
