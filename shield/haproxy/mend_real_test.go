//go:build real

package haproxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"moonwatch/shield"
	"moonwatch/shield/conform"
)

const flooded = "flooded.tenants.example"

func measures(change ...func(*shield.Measure)) *shield.Measures {
	m := shield.Measure{
		Key: shield.KeyOf(conform.Salt, []byte(flooded)), Host: flooded, Rung: shield.ShapeLocal, Admit: 300, Cap: 70,
		Until: time.Now().Add(time.Hour),
	}
	for _, c := range change {
		c(&m)
	}
	return shield.NewMeasures([]shield.Measure{m})
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	text   string
}

// ask asks over plain HTTP as a client that says what it accepts.
func ask(t *testing.T, p *proxy, accept, tongue string) answer {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+p.Front+"/", nil)
	must(t, err)
	req.Host, req.Close = flooded, true
	req.Header.Set("Accept", accept)
	req.Header.Set("Accept-Language", tongue)
	res, err := http.DefaultTransport.RoundTrip(req)
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return answer{res.StatusCode, res.Header, string(text)}
}

func TestAMapThatSomebodyElseEditedIsPutRightAndSaid(t *testing.T) {
	for what, edit := range map[string]string{
		"another value": "set map MAP " + flooded + " stop", "taken out": "del map MAP " + flooded, "emptied": "clear map MAP",
		"somebody else put in": "add map MAP innocent.tenants.example stop", "twice": "add map MAP " + flooded + " drop",
	} {
		t.Run(what, func(t *testing.T) {
			p := newProxy(t)
			core, logs := observer.New(zap.WarnLevel)
			d := p.door(func(c *Config) { c.Log = zap.New(core) })
			d.Enforce(measures())
			const value = "shape:300:70"
			eventually(t, "the map holds the host", func() bool { return p.held(flooded) == value })
			eventually(t, "it is edited", func() bool {
				p.Ask(strings.ReplaceAll(edit, "MAP", p.marks()))
				return logs.Len() > 0
			})
			eventually(t, "the map is put right", func() bool {
				holds, twice, err := parseMap(p.Ask("show map " + p.marks()))
				return err == nil && len(twice) == 0 && len(holds) == 1 && holds[flooded] == value
			})
			if said := logs.All()[0].Message; !strings.Contains(said, "somebody else edited") {
				t.Errorf("it is said: %s", said)
			}
		})
	}
}

func TestAReloadForgetsNothing(t *testing.T) {
	p := newProxy(t)
	d := p.door(nil)
	d.Enforce(measures())
	eventually(t, "the map holds the host", func() bool { return p.held(flooded) != "" })
	p.Reload()
	eventually(t, "the new process holds the host", func() bool { return p.held(flooded) != "" })
	eventually(t, "no problem is left", func() bool { return d.Problem() == "" })
	d.Close()
	if left := p.held(flooded); left != "" {
		t.Errorf("a door that was closed left %s", left)
	}
}

func TestASocketThatComesAndGoesIsSaid(t *testing.T) {
	p := newProxy(t)
	w := newWire(t, p.Socket())
	d := p.door(func(c *Config) { c.Socket, c.AnswerWithin = w.path, 300*time.Millisecond })
	d.Enforce(measures(func(m *shield.Measure) { m.Rung = shield.Stop }))
	for _, mode := range []string{cut, hang} {
		eventually(t, "the host is refused", func() bool { return ask(t, p, "*/*", "").status == http.StatusServiceUnavailable })
		w.become(mode)
		eventually(t, "it is said", func() bool { return d.Problem() != "" })
		eventually(t, "everybody is let in", func() bool { return ask(t, p, "*/*", "").status == http.StatusOK })
		w.become("")
		eventually(t, "it is well again", func() bool { return d.Problem() == "" })
	}
}

func TestPeopleGetAPageAndProgramsAProblem(t *testing.T) {
	p := newProxy(t)
	d := p.door(nil)
	for _, rung := range []struct {
		rung   shield.Rung
		status int
	}{{shield.Stop, http.StatusServiceUnavailable}, {shield.ShapeLocal, http.StatusTooManyRequests}} {
		d.Enforce(measures(func(m *shield.Measure) { m.Rung, m.Admit, m.Cap = rung.rung, 0, 0 }))
		eventually(t, "it is refused", func() bool { return ask(t, p, "*/*", "").status == rung.status })
		for _, c := range []struct{ accept, tongue, kind, says string }{
			{"text/html,*/*", "ja,en;q=0.5", "text/html; charset=utf-8", "アクセスが集中"},
			{"text/html,*/*", "de", "text/html; charset=utf-8", "Please wait a little"},
			{"application/json", "", "application/problem+json", fmt.Sprintf(`"status":%d`, rung.status)},
		} {
			res := ask(t, p, c.accept, c.tongue)
			if res.status != rung.status || res.header.Get("Content-Type") != c.kind || !strings.Contains(res.text, c.says) || res.header.Get("Retry-After") == "" {
				t.Errorf("%s of %s was answered with %d, %s, Retry-After %q: %s", c.accept, c.tongue, res.status, res.header.Get("Content-Type"), res.header.Get("Retry-After"), res.text)
			}
		}
	}
}

// A dropped subdomain is refused by its name before the handshake; others shake hands.
func TestADroppedSubdomainIsRefusedBeforeItsHandshake(t *testing.T) {
	p := newProxy(t)
	d := p.door(nil)
	shake := func(name string) (int, error) {
		counted := &counter{}
		raw, err := net.Dial("tcp", p.tls)
		must(t, err)
		counted.Conn = raw
		defer raw.Close()
		_ = raw.SetDeadline(time.Now().Add(20 * time.Second))
		err = tls.Client(counted, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake() //nolint:gosec // the certificate is the test's own
		return counted.read, err
	}
	if _, err := shake(flooded); err != nil {
		t.Fatalf("a handshake before: %v", err)
	}
	d.Enforce(measures(func(m *shield.Measure) { m.Rung = shield.Drop }))
	eventually(t, "the handshake is refused", func() bool { read, err := shake(flooded); return err != nil && read == 0 })
	if _, err := shake("neighbour.tenants.example"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	d.Enforce(nil)
	eventually(t, "the handshake is let in again", func() bool { _, err := shake(flooded); return err == nil })
}

type counter struct {
	net.Conn
	read int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read += n
	return n, err
}
