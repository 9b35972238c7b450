package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// floodedDoor is what a door of three says in a flood: one subdomain is stopped by their
// votes, one is shaped, and people have set aside a third.
func floodedDoor() status.ShieldDocument {
	doors := []member.ID{"web-1", "web-2", "web-3"}
	d := status.ShieldDocument{
		Schema: status.Schema, Now: noon, Door: "web-1", Mode: member.ShieldEnforce, Capacity: 320, Learned: true, Asked: 812, Admitted: 270, Pressure: 2.54,
		Subdomains: 40, Doors: doors[:2], AllDoors: doors,
		Top: []status.ShieldLine{{Host: "a.example.com", Asked: 600, Admitted: 0}, {Host: "b.example.com", Asked: 120, Admitted: 82}, {Asked: 10, Admitted: 10}},
		Held: []status.ShieldHeld{
			{Host: "a.example.com", Rung: "stop", Demand: 600, Limit: 50, Since: noon.Add(-42 * time.Second), Until: noon.Add(20 * time.Second), Doors: []string{"web-1", "web-2"}, Why: "asked for 12.0 times its share, pressure 2.54; 2 of 3 doors voted"},
			{Host: "b.example.com", Rung: "shape-fleet", Admit: 683, Demand: 120, Limit: 82, Since: noon.Add(-8 * time.Second), Until: noon.Add(2 * time.Second), Doors: []string{"web-1", "web-2"}, Why: "14 % of the demand, 6.0 times its usual; pressure 2.54; 2 of 3 doors"},
		},
		Throttles: []status.ShieldThrottle{
			{Host: "a.example.com", Rung: "stop", Doors: doors[:2], Why: "asked for 12.0 times its share", Since: noon.Add(-42 * time.Second), Until: noon.Add(20 * time.Second)},
			{Host: "c.example.com", Rung: "observe", By: "mia", Why: "it is their sale", Since: noon.Add(-time.Hour), Until: noon.Add(time.Hour)},
		},
		Notes: []status.ShieldNote{{At: noon.Add(-50 * time.Second), What: "pressure", Text: "demand is 254 % of the capacity of 320"}, {At: noon.Add(-42 * time.Second), What: "rung", Host: "a.example.com", Text: "stop: 2 of 3 doors voted"}},
	}
	return d
}

// shielded is a server whose agent says so of the shield.
func shielded(t *testing.T, says func() status.ShieldDocument) *Server {
	t.Helper()
	s := New(Config{Shield: says})
	t.Cleanup(s.Close)
	s.SetPage(fleetPage(7))
	return s
}

func TestTheShieldSaysWhoIsHeldHowHardByWhoseWordAndUntilWhen(t *testing.T) {
	s := shielded(t, floodedDoor)
	for path, want := range map[string][]string{
		"/shield": {
			`lang="en"`, "Subdomains held: 2", "254 %", "<b>320</b> a second (learned)", "<b>2</b> of 3 doors", "Doors that are not heard: web-3",
			"a.example.com", "stop", "votes of web-1, web-2", "42.0 s", "12:00:20", "asked for 12.0 times its share",
			"shape-fleet", "68.3 %", "all doors, seen by web-1, web-2", "left alone", "operator mia", "it is their sale", "74 %",
			"(a name that this door has not seen)", "demand is 254 %", `aria-current="page">Shield`, `<noscript><meta http-equiv="refresh"`,
		},
		"/shield?lang=ja": {`lang="ja"`, "制限中のサブドメイン：2", "web-1, web-2 の投票", "オペレーター mia", "応答のないドア：web-3", "割り当ての 12.0 倍を要求"},
	} {
		body := get(s, path).Body.String()
		for _, x := range want {
			if !strings.Contains(body, x) {
				t.Errorf("%s lacks %q", path, x)
			}
		}
	}
	if w := get(s, "/shield", "Accept-Language", "ja"); !strings.Contains(w.Body.String(), `lang="ja"`) || !strings.Contains(strings.Join(w.Header().Values("Vary"), ","), "Accept-Language") {
		t.Error("the language that a browser wants is not heard")
	}
	if body := get(s, "/").Body.String(); !strings.Contains(body, `href="/shield?lang=en"`) {
		t.Error("the status page does not lead to it")
	}
}

func TestEveryStateOfTheShieldHasItsWord(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*status.ShieldDocument)
	}{
		{"Nobody is held", func(d *status.ShieldDocument) { d.Held, d.Pressure = nil, 0.3 }},
		{"More is asked for than there should be", func(d *status.ShieldDocument) { d.Held = nil }},
		{"nobody in particular is to blame", func(d *status.ShieldDocument) { d.Overload = true }},
		{"Subdomains that would be held: 2", func(d *status.ShieldDocument) {
			d.Mode, d.Held[0].Shadow, d.Held[1].Shadow = member.ShieldShadow, true, true
		}},
		{"would be: shape-fleet", func(d *status.ShieldDocument) { d.Held[1].Shadow = true }},
		{"Everything is decided and nothing is done", func(d *status.ShieldDocument) { d.Mode = member.ShieldShadow }},
		{"Everything is counted, and nobody is held.", func(d *status.ShieldDocument) { d.Mode = member.ShieldOff }},
		{"not known, and so nobody is held", func(d *status.ShieldDocument) { d.Capacity = 0 }},
		{"its traffic passes: its socket is gone", func(d *status.ShieldDocument) { d.Problem = "its socket is gone" }},
		{"There is no room for more subdomains", func(d *status.ShieldDocument) { d.Full = true }},
		{"this door alone", func(d *status.ShieldDocument) { d.Held[1].Rung = "shape-local" }},
		{"This agent has no door", func(d *status.ShieldDocument) { *d = status.ShieldDocument{Now: noon, Throttles: d.Throttles} }},
		{"votes of web-1, web-2", func(d *status.ShieldDocument) { *d = status.ShieldDocument{Now: noon, Throttles: d.Throttles} }},
	} {
		d := floodedDoor()
		c.change(&d)
		for _, lang := range []string{"en", "ja"} {
			body := get(shielded(t, func() status.ShieldDocument { return d }), "/shield?lang="+lang).Body.String()
			if lang == "en" && !strings.Contains(body, c.want) || !strings.HasSuffix(strings.TrimSpace(body), "</html>") {
				t.Errorf("%s: lacks %q", lang, c.want)
			}
		}
	}
	if w := get(open(t, fleetPage(7)), "/shield"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "This agent has no door") {
		t.Errorf("of an agent that knows of no shield: %d", w.Code)
	}
}

func TestTheShieldOfAStormIsAtMost30KB(t *testing.T) {
	d := floodedDoor()
	for i := range 200 {
		host := fmt.Sprintf("tenant-%d-%x.a-rather-long-name.example.com", i, i*7919)
		d.Top = append(d.Top, status.ShieldLine{Host: host, Asked: float64(i * 13), Admitted: float64(i * 7)})
		held, stands := d.Held[i%2], d.Throttles[0]
		held.Host, stands.Host = host, host
		d.Held, d.Throttles = append(d.Held, held), append(d.Throttles, stands)
		d.Notes = append(d.Notes, status.ShieldNote{At: noon, What: "held", Host: host, Text: held.Why})
	}
	s := shielded(t, func() status.ShieldDocument { return d })
	for _, path := range []string{"/shield", "/shield?lang=ja"} {
		total, body := transferred(t, s, path)
		t.Logf("%s: %d bytes, %d plain", path, total, len(body))
		if total > 30_000 || strings.Count(body, "/api/v1/shield") < 4 {
			t.Errorf("%s: %d bytes, want at most 30,000, and word of what is left out", path, total)
		}
	}
}

func TestMarkupFromTheShieldIsText(t *testing.T) {
	const evil = `"><script>alert(1)</script>`
	d := floodedDoor()
	d.Door, d.Mode, d.Problem, d.AllDoors = evil, evil, evil, []member.ID{evil}
	for i := range d.Held {
		d.Held[i].Host, d.Held[i].Rung, d.Held[i].Why, d.Held[i].By = evil, evil, evil, evil
		d.Throttles[i].Host, d.Throttles[i].Rung, d.Throttles[i].Why, d.Throttles[i].By = evil, evil, evil, evil
		d.Notes[i].What, d.Notes[i].Host, d.Notes[i].Text = evil, evil, evil
		d.Top[i].Host = evil
	}
	for _, lang := range []string{"en", "ja", "%22%3E%3Cscript%3E"} {
		if body := get(shielded(t, func() status.ShieldDocument { return d }), "/shield?lang="+lang).Body.String(); strings.Contains(body, "<script>") {
			t.Errorf("%s: it runs", lang)
		}
	}
}
