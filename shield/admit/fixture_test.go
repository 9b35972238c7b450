package admit

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/count"
)

const flooded = "flooded.example.com"

// counting is a gate to which the flooded subdomain is known.
func counting(t *testing.T, cfg Config) *Gate {
	t.Helper()
	c, err := count.New(count.Config{Hosts: 1000, Learn: 1000})
	if err != nil {
		t.Fatal(err)
	}
	c.Learn([]byte(flooded))
	cfg.Counter = c
	return New(cfg)
}

// held is a measure for the flooded subdomain.
func held(change func(*shield.Measure)) *shield.Measures {
	m := shield.Measure{
		Key: shield.KeyOf(0, []byte(flooded)), Host: flooded, Rung: shield.ShapeLocal, Admit: shield.Whole,
		Limit: 65.5, Until: time.Now().Add(time.Hour),
	}
	change(&m)
	return shield.NewMeasures([]shield.Measure{m})
}

// ServeHTTP is a door that says hello to whoever is let in.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ref := g.Count(r.Host)
	if why, m := g.Judge(ref, r); why != LetIn {
		ref.Refuse()
		g.Refuse(w, r, why, m)
		return
	}
	fmt.Fprintf(w, "GET %s", r.Host)
}

// askFrom asks as a client at an address.
func askFrom(g *Gate, client, host string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host, r.RemoteAddr = host, net.JoinHostPort(client, "40000")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}
