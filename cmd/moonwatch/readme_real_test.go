//go:build real

package main

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// notTried is the exit code with which the script says that this machine does
// not let it be tried.
const notTried = 77

// The script wants "ip", "unshare", "nginx" and "curl"; scripts/test-deps.sh reads that
// here. It takes three quarters of a minute, most of which the machine that came back is
// waited for; each of its waits ends by itself.
func TestTheClusterOfTheREADMEHealsItself(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	program := filepath.Join(t.TempDir(), "moonwatch")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(ctx, "../../scripts/try-readme.sh", program).CombinedOutput()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() == notTried {
		t.Skip(strings.TrimSpace(string(out)))
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
