package sdnotify

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func TestTheInitSystemHearsWhatItAskedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	env := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": strconv.Itoa(os.Getpid())}
	notify, every := From(func(k string) string { return env[k] })
	if every != 15*time.Second {
		t.Errorf("it is told every %v, want half of 30 s", every)
	}
	notify("READY=1")
	b := make([]byte, 64)
	n, err := l.Read(b)
	if err != nil || string(b[:n]) != "READY=1" {
		t.Errorf("%v: it heard %q", err, b[:n])
	}
	env["WATCHDOG_PID"] = "1"
	if _, every := From(func(k string) string { return env[k] }); every != 0 {
		t.Errorf("another process is asked, and this one answers every %v", every)
	}
	if notify, _ := From(func(string) string { return "" }); notify != nil {
		t.Error("nobody asks, and somebody is told")
	}
	l.Close()
	notify("WATCHDOG=1") // an init system that is gone holds nobody up
}
