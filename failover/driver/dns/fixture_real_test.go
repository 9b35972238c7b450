//go:build real

package dns

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"moonwatch/failover/driver"
	"moonwatch/member"
)

const (
	ourSecret   = "bW9vbndhdGNoIG1vb253YXRjaCBtb29ud2F0Y2ghISE="
	otherSecret = "c29tZWJvZHkgZWxzZSBzb21lYm9keSBlbHNlISEhISE="
)

// bind is a BIND with zone example.test in a folder of its own. Names name0 to
// name999 have one address, 192.0.2.99, that is no slot's.
type bind struct {
	t       *testing.T
	dir     string
	address string
	cmd     *exec.Cmd
	log     bytes.Buffer
}

func newBind(t *testing.T) *bind {
	t.Helper()
	if _, err := exec.LookPath("named"); err != nil {
		t.Skip("named is not installed")
	}
	b := &bind{t: t, dir: t.TempDir(), address: freeAddress(t)}
	_, port, err := net.SplitHostPort(b.address)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(b.dir, "named.conf"), fmt.Appendf(nil, `
options {
	directory %q; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; };
	pid-file none; session-keyfile none; recursion no; dnssec-validation no; notify no;
};
controls {};
key moonwatch { algorithm hmac-sha256; secret %q; };
key reader { algorithm hmac-sha256; secret %q; };
zone example.test { type primary; file "zone"; allow-update { key moonwatch; }; };
`, b.dir, port, ourSecret, ourSecret), 0o600))
	must(t, os.WriteFile(filepath.Join(b.dir, "zone"), []byte(`$TTL 30
@ SOA ns hostmaster 1 3600 600 86400 30
@ NS ns
ns A 127.0.0.1
taken._moonwatch.name0 TXT "hello"
alias CNAME name0
$GENERATE 0-999 name$ A 192.0.2.99
`), 0o600))
	b.start()
	return b
}

func (b *bind) start() {
	b.t.Helper()
	b.cmd = exec.Command("named", "-g", "-n", "1", "-c", filepath.Join(b.dir, "named.conf"))
	b.cmd.Stdout, b.cmd.Stderr = &b.log, &b.log
	must(b.t, b.cmd.Start())
	cmd := b.cmd
	b.t.Cleanup(func() {
		if b.cmd == cmd {
			b.kill()
		}
		if b.t.Failed() {
			said := b.log.String()
			b.t.Logf("named said at last:\n%s", said[max(0, len(said)-2000):])
		}
	})
	for end := time.Now().Add(20 * time.Second); b.lookUp("ns.example.test.", dns.TypeA) == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatal("named does not come")
		}
	}
}

func (b *bind) kill() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
	b.cmd = nil
}

// lookUp asks without the driver, and unsigned.
func (b *bind) lookUp(name string, kind uint16) []string {
	answer, _, err := (&dns.Client{Net: "tcp"}).Exchange(new(dns.Msg).SetQuestion(name, kind), b.address)
	if err != nil {
		return nil
	}
	var found []string
	for _, rr := range answer.Answer {
		_, value, _ := strings.Cut(rr.String(), dns.TypeToString[kind]+"\t")
		found = append(found, value)
	}
	slices.Sort(found)
	return found
}

// state is what the server has for slot web-0 under a name.
func (b *bind) state(name string) string {
	return fmt.Sprint(b.lookUp(name, dns.TypeA), b.lookUp(name, dns.TypeAAAA), b.lookUp("web-0._moonwatch."+name, dns.TypeTXT))
}

// change makes an update without the driver.
func (b *bind) change(remove, insert string) {
	b.t.Helper()
	m := new(dns.Msg).SetUpdate("example.test.")
	for text, do := range map[string]func([]dns.RR){remove: m.Remove, insert: m.Insert} {
		if text != "" {
			rr, err := dns.NewRR(text)
			must(b.t, err)
			do([]dns.RR{rr})
		}
	}
	m.SetTsig("moonwatch.", dns.HmacSHA256, fudge, time.Now().Unix())
	answer, _, err := (&dns.Client{Net: "tcp", TsigSecret: map[string]string{"moonwatch.": ourSecret}}).Exchange(m, b.address)
	must(b.t, err)
	if answer.Rcode != dns.RcodeSuccess {
		b.t.Fatalf("update: %s", dns.RcodeToString[answer.Rcode])
	}
}

// members is a roster.
var members = map[member.ID]netip.Addr{
	"web-1": netip.MustParseAddr("192.0.2.1"), "spare-1": netip.MustParseAddr("192.0.2.7"),
	"spare-6": netip.MustParseAddr("2001:db8::7"), "late": netip.MustParseAddr("192.0.2.13"),
}

func (b *bind) config(server string) Config {
	return Config{
		Server: server, Zone: "example.test", TTL: 5 * time.Second,
		Key:     Key{Name: "moonwatch", Algorithm: "hmac-sha256", Secret: ourSecret},
		Name:    func(slot member.SlotID) string { return "name0.example.test" },
		Address: func(id member.ID) (netip.Addr, bool) { a, ok := members[id]; return a, ok },
	}
}

func opened(t *testing.T, c Config) *Driver {
	t.Helper()
	d, err := New(c)
	must(t, err)
	return d
}

func request(step string, who member.ID, epoch member.SlotEpoch) driver.Request {
	return driver.Request{
		Case: "C-12", Step: step, Attempt: 1, Member: who, Pool: "web", Slot: "web-0", SlotEpoch: epoch,
		Deadline: time.Now().Add(20 * time.Second),
	}
}

func does(t *testing.T, d driver.Driver, req driver.Request) {
	t.Helper()
	wants(t, d.Apply(t.Context(), req), driver.Done)
}

func wants(t *testing.T, got driver.Result, want driver.Outcome, says ...string) {
	t.Helper()
	if got.Outcome != want {
		t.Errorf("got %v (%s), want %v", got.Outcome, got.Detail, want)
	}
	for _, text := range says {
		if !strings.Contains(got.Detail, text) {
			t.Errorf("%v is explained by %q, want %q in it", got.Outcome, got.Detail, text)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
