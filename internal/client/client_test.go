package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moonwatch/consensus"
	"moonwatch/status"
	"moonwatch/status/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// to gives a client of a server that answers every path with h.
func to(t *testing.T, h http.Handler) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return client(t, s.URL)
}

func client(t *testing.T, address string) *Client {
	t.Helper()
	c, err := New(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func says(code int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

// pages is what an agent serves.
func pages(t *testing.T, p *status.Page) *web.Server {
	t.Helper()
	s := web.New(web.Config{})
	t.Cleanup(s.Close)
	if p != nil {
		s.SetPage(*p)
	}
	return s
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"unix:/run/moonwatch/agent.sock": "unix:/run/moonwatch/agent.sock", "unix:///run/a.sock": "unix:/run/a.sock", "/run/a.sock": "unix:/run/a.sock",
		"unix:agent.sock": "unix:agent.sock", "127.0.0.1:7980": "127.0.0.1:7980", "[::1]:7980": "[::1]:7980", "web-1:7980": "web-1:7980",
		"http://web-1:7980/": "http://web-1:7980/", "https://page.example.com": "https://page.example.com",
	} {
		c, err := New(address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if c.Address() != want {
			t.Errorf("%s became %s, want %s", address, c.Address(), want)
		}
	}
	for _, address := range []string{"", "unix:", "web-1", ":7980", "web-1:", "web-1:0", "web-1:99999", "ftp://x", "http://", "http://a:b@web-1", "http://web-1?x=1", "a/b:1"} {
		if _, err := New(address); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v, want ErrAddress", address, err)
		}
	}
}

func TestDocumentsComeFromHTTPAndFromTheSocketAlike(t *testing.T) {
	page := status.Page{Schema: status.Schema, Now: time.Unix(1000, 0).UTC(), Cluster: "shop", Cases: []status.Case{{ID: "C-4"}}}
	h := pages(t, &page)
	path := filepath.Join(t.TempDir(), "agent.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.Start()
	defer s.Close()
	for _, c := range []*Client{to(t, h), client(t, "unix:"+path)} {
		a, err := c.Get(t.Context(), PageDocument)
		if err != nil {
			t.Fatal(err)
		}
		if a.Page.Cluster != "shop" || !json.Valid(a.Raw) {
			t.Errorf("%s: page of %q", c.Address(), a.Page.Cluster)
		}
		if a, err = c.Get(t.Context(), FailoversDocument); err != nil || len(a.Page.Cases) != 1 || !a.Page.Now.Equal(page.Now) {
			t.Errorf("%s: failovers %+v, %v", c.Address(), a.Page, err)
		}
	}
}

func TestErrorsSayWhatToDoNext(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as after a kill
	l.Close()
	const ours = "application/json"
	for name, c := range map[string]struct {
		client *Client
		is     error
		say    string
	}{
		"no socket":       {client(t, "unix:"+filepath.Join(dir, "none.sock")), ErrUnreachable, "there is no such socket. Start the agent"},
		"stale socket":    {client(t, "unix:"+stale), ErrUnreachable, "nobody listens there"},
		"port closed":     {client(t, "127.0.0.1:1"), ErrUnreachable, "nobody listens there"},
		"starting":        {to(t, pages(t, nil)), ErrStarting, "ask again in a moment"},
		"another program": {to(t, says(200, "text/html", "<html>")), ErrNotAgent, "is this the agent's page address"},
		"an error page":   {to(t, says(502, "text/html", "<html>")), ErrNotAgent, "status 502"},
		"a redirect":      {to(t, http.RedirectHandler("http://elsewhere.example/", http.StatusFound)), ErrNotAgent, "status 302"},
		"half an answer":  {to(t, says(200, ours, `{"schema":1,`)), ErrNotAgent, "unexpected end"},
		"no schema":       {to(t, says(200, ours, `{}`)), ErrNotAgent, "no schema"},
		"a later schema":  {to(t, says(200, ours, `{"schema":99}`)), nil, "use the program of the agent's version"},
		"not offered":     {to(t, says(404, "text/plain", "404 page not found")), ErrNotOffered, ""},
		"no such path":    {to(t, says(404, ours, `{"error":"no such path: there are ..."}`)), ErrNotOffered, ""},
		"broken":          {to(t, says(500, ours, `{"error":"disk on fire"}`)), nil, "disk on fire"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.client.Get(t.Context(), PageDocument)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.say) {
				t.Errorf("error %v, want %v and %q", err, c.is, c.say)
			}
			if err != nil && !strings.Contains(err.Error(), c.client.Address()) {
				t.Errorf("error %v does not name %s", err, c.client.Address())
			}
		})
	}
}

func TestSocketOfOthersIsNamedAsSuch(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may use every socket")
	}
	path := filepath.Join(t.TempDir(), "agent.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := client(t, path).Get(t.Context(), PageDocument); err == nil || !strings.Contains(err.Error(), "group (moonwatch)") {
		t.Errorf("error %v", err)
	}
}

func TestASlowAgentAndAnImpatientPersonAreToldApart(t *testing.T) {
	c := to(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := c.Get(short, PageDocument); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "took too long") {
		t.Errorf("slow: %v", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := c.Get(gone, PageDocument); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Errorf("impatient: %v", err)
	}
}

func TestExplainPassesOnWhatTheAgentKnowsInstead(t *testing.T) {
	page := status.Page{Schema: 1, Members: []status.Member{{ID: "web-1", Domain: "a"}}}
	c := to(t, pages(t, &page))
	if e, raw, err := c.Explain(t.Context(), "web-1"); err != nil || len(e.Lines) == 0 || !json.Valid(raw) {
		t.Errorf("explain web-1: %+v, %v", e, err)
	}
	if _, _, err := c.Explain(t.Context(), "../../etc"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "members: web-1") {
		t.Errorf("explain of a stranger: %v", err)
	}
}

func TestFleetThatIsNotToldIsNotOffered(t *testing.T) {
	if _, err := to(t, pages(t, nil)).Fleet(t.Context()); !errors.Is(err, ErrNotOffered) {
		t.Errorf("fleet: %v", err)
	}
	f, err := to(t, says(200, "application/json", `{"fact":2,"fleet":{"version":1}}`)).Fleet(t.Context())
	if err != nil || f.Fact != 2 || f.Fleet.Version != 1 {
		t.Errorf("fleet %+v, %v", f, err)
	}
}

func command(t *testing.T) consensus.Command {
	t.Helper()
	c, err := consensus.NewCommand(consensus.KindFleet, "fleet-1", "web-1", time.Unix(0, 0), map[string]int{"version": 1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSubmitHandsInTheEncodedCommand(t *testing.T) {
	want, err := command(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	var got atomic.Pointer[string]
	c := to(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		s := r.Method + " " + r.URL.Path + " " + string(b)
		got.Store(&s)
		says(202, "application/json", `{"id":"fleet-1"}`)(w, r)
	}))
	if err := c.Submit(t.Context(), command(t)); err != nil {
		t.Fatal(err)
	}
	if *got.Load() != "POST /api/v1/commands "+string(want) {
		t.Errorf("sent %s", *got.Load())
	}
}

func TestSubmitToTheReadOnlyDoorNamesTheSocket(t *testing.T) {
	err := to(t, pages(t, &status.Page{Schema: 1})).Submit(t.Context(), command(t))
	if !errors.Is(err, ErrNotOffered) || !strings.Contains(err.Error(), "--agent unix:PATH") {
		t.Errorf("submit: %v", err)
	}
	err = to(t, says(400, "application/json", `{"error":"not signed"}`)).Submit(t.Context(), command(t))
	if err == nil || !strings.Contains(err.Error(), "not signed") {
		t.Errorf("submit: %v", err)
	}
}

func TestWaitAsksUntilTheCouncilHasDecided(t *testing.T) {
	answers := []http.HandlerFunc{
		says(200, "application/json", `{"state":"pending"}`),
		says(503, "application/json", `{"error":"starting"}`), // the agent was started anew
		says(200, "application/json", `{"state":"refused","fact":7,"reason":"no"}`),
	}
	var asked atomic.Int32
	c := to(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answers[asked.Add(1)-1](w, r) }))
	o, err := c.Wait(t.Context(), "fleet-1")
	if err != nil || o != (Outcome{Refused, 7, "no"}) {
		t.Errorf("outcome %+v, %v", o, err)
	}
}

func TestWaitEndsWithItsContextAndSaysThatItIsPending(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	o, err := to(t, says(200, "application/json", `{"state":"pending"}`)).Wait(ctx, "fleet-1")
	if o.State != Pending || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("outcome %+v, %v", o, err)
	}
}

func TestWaitForACommandThatTheAgentForgot(t *testing.T) {
	if _, err := to(t, says(404, "application/json", `{"error":"command x: not seen"}`)).Wait(t.Context(), "x"); !errors.Is(err, ErrUnknown) {
		t.Errorf("wait: %v", err)
	}
	if _, err := to(t, says(200, "application/json", `{"state":"maybe"}`)).Wait(t.Context(), "x"); !errors.Is(err, ErrNotAgent) {
		t.Errorf("wait: %v", err)
	}
}
