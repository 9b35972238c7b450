//go:build real

package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tenants has wrk ask for a thousand subdomains by turns.
const tenants = `
local requests, n = {}, 0
init = function()
  for i = 1, 1000 do requests[i] = wrk.format("GET", "/", {["Host"] = "tenant-" .. i .. ".tenants.example"}) end
end
request = function() n = n % 1000 + 1; return requests[n] end
`

// Load asks for a thousand subdomains by turns, tenant-1.tenants.example and so on, over
// 32 connections, as fast as it can.
type Load struct {
	t      testing.TB
	script string
}

// NewLoad skips the test where wrk is not installed.
func NewLoad(t testing.TB) *Load {
	t.Helper()
	if _, err := exec.LookPath("wrk"); err != nil {
		t.Skip("wrk is not installed")
	}
	l := &Load{t: t, script: filepath.Join(t.TempDir(), "tenants.lua")}
	must(t, os.WriteFile(l.script, []byte(tenants), 0o600))
	return l
}

var wrkSaid = regexp.MustCompile(`(\d+) requests in ([0-9.]+)(ms|s|m)`)

// Run asks for a while and gives how many requests were answered, and whether some were
// refused.
func (l *Load) Run(front string, long time.Duration) (answered int, took time.Duration, refused bool) {
	l.t.Helper()
	for end := time.Now().Add(time.Minute); !Listens(front); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Fatalf("nobody listens at %s", front)
		}
	}
	said, err := exec.CommandContext(l.t.Context(), "wrk", "-t1", "-c32", fmt.Sprintf("-d%ds", int(long.Seconds())), "-s", l.script, "http://"+front).CombinedOutput()
	if err != nil {
		l.t.Fatalf("wrk: %v: %s", err, said)
	}
	m := wrkSaid.FindStringSubmatch(string(said))
	if m == nil {
		l.t.Fatalf("wrk says %s", said)
	}
	answered, err = strconv.Atoi(m[1])
	must(l.t, err)
	took, err = time.ParseDuration(m[2] + m[3])
	must(l.t, err)
	if answered == 0 {
		l.t.Fatalf("nobody was answered: %s", said)
	}
	return answered, took, strings.Contains(string(said), "Non-2xx")
}

// CPU is what a process and its children have used of the processors.
func CPU(t testing.TB, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	used := time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	must(t, err)
	for child := range strings.FieldsSeq(string(children)) {
		id, err := strconv.Atoi(child)
		must(t, err)
		used += CPU(t, id)
	}
	return used
}
