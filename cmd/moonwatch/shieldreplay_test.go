package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// aSale is the log of a minute and a half: eight tenants with 40 requests a second, and
// for twenty seconds a sale with 400.
func aSale() string {
	var log strings.Builder
	chance := rand.New(rand.NewPCG(1, 2))
	for s := range 90 {
		at := time.Date(2026, 3, 1, 12, 0, s, 0, time.UTC)
		var lines []string
		line := func(host string, client int) {
			lines = append(lines, fmt.Sprintf("%s:443 192.0.%d.%d - - [%s] \"GET /x HTTP/1.1\" 200 123 \"-\" \"Mozilla/5.0 (X11)\"\n", host, 2+client/250, client%250, at.Format("02/Jan/2006:15:04:05 -0700")))
		}
		for k := range 40 {
			line(fmt.Sprintf("tenant-%d.example.com", k%8), chance.IntN(200))
		}
		if s >= 30 && s < 50 {
			for range 400 {
				line("sale.example.com", 250+chance.IntN(1000))
			}
		}
		chance.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		log.WriteString(strings.Join(lines, ""))
	}
	return log.String()
}

// replays runs the command over a log in a folder of its own.
func replays(t *testing.T, log string, args ...string) result {
	t.Helper()
	in := newApp(t)
	in.in = strings.NewReader(log)
	return in.call(append([]string{"shield", "replay", "-"}, args...)...)
}

func TestALogShowsWhatTheShieldWouldHaveDone(t *testing.T) {
	log := aSale()
	r := replays(t, log, "--capacity", "200")
	r.wants(t, exitOK)
	golden(t, "shield-replay.txt", r.out)
	if again := replays(t, log, "--capacity", "200"); again.out != r.out {
		t.Errorf("the second time it shows\n%s", again.out)
	}
	replays(t, log, "--capacity", "5000").wants(t, exitOK, "Nobody would have been held.")
	replays(t, log).wants(t, exitOK, "The capacity is not known", "try --capacity")

	var x struct {
		Schema, Requests, Refused int
		Held                      []struct{ Host, Rung string }
		Lines                     struct{ Read, Skipped int }
	}
	r = replays(t, log+"a line that is none\n", "--capacity", "200", "--json")
	if err := json.Unmarshal([]byte(r.out), &x); err != nil {
		t.Fatalf("%v: %s", err, r.out)
	}
	if x.Schema != 1 || len(x.Held) != 1 || x.Held[0].Host != "sale.example.com" || x.Held[0].Rung != "shape-local" || x.Refused < 4000 || x.Lines.Read != x.Requests+1 || x.Lines.Skipped != 1 {
		t.Errorf("got %+v", x)
	}
}

func TestALogMayBePacked(t *testing.T) {
	t.Chdir(t.TempDir())
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, aSale())
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(".", name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("access.log.gz", packed.Bytes())
	call(t, "shield", "replay", "access.log.gz", "--capacity", "200").wants(t, exitOK, "access.log.gz: 11600 requests,", "sale.example.com")
	write("half.gz", packed.Bytes()[:packed.Len()/2])
	call(t, "shield", "replay", "half.gz").wants(t, exitError, "unexpected EOF")
	write("text.gz", []byte("hello"))
	call(t, "shield", "replay", "text.gz").wants(t, exitError, "unpack text.gz")
}

func TestAReplaySaysWhatItWants(t *testing.T) {
	call(t, "shield", "replay").wants(t, exitUsage, "FILE is missing")
	call(t, "shield", "replay", "nowhere.log").wants(t, exitError, "nowhere.log")
	replays(t, "").wants(t, exitError, "it is empty, want an access log")
	replays(t, "hello\nworld\n").wants(t, exitError, "none of its 2 lines is a request", "line 1", "02/Jan/2006:15:04:05")
	replays(t, "x", "--capacity", "-3").wants(t, exitUsage, "--capacity is -3")
	replays(t, "x", "--highest", "shape-fleet").wants(t, exitUsage, "want challenge, stop or drop")
	plain := `192.0.2.1 - - [01/Mar/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5` + "\n"
	replays(t, plain).wants(t, exitError, "it names no host", "--host HOST")
	replays(t, plain+"nonsense\n"+plain, "--host", "www.example.com").wants(t, exitOK, "Standard input: 2 requests", "1 of 3 lines are no requests", "line 2:")
}
