package haproxy

import (
	"strings"
	"testing"
	"time"

	"moonwatch/shield"
)

// sane is what a HAProxy with nothing to tell answers to a poll.
const sane = "\n# table: moonwatch_hosts, type: string, size:102400, used:0\n\n# table: moonwatch_totals, type: string, size:16, used:1\n\n" +
	"# pxname,svname,qcur,req_rate,req_tot,hrsp_2xx,\nwww,FRONTEND,,0,5,5,\n\n"

func TestAConfigListsAllItsMistakes(t *testing.T) {
	err := Config{Frontend: "www; quit", Backends: []string{"a b"}, Map: "", Every: -1, Work: 2, MendEvery: -1, AnswerWithin: -1}.Validate()
	for _, want := range []string{"socket is empty", `frontend is "www; quit"`, `backend is "a b"`, `map is ""`, "every is", "work is 2", "mend_every is", "answer_within is"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in %v", want, err)
		}
	}
	if _, err := Open(Config{}); err == nil {
		t.Error("a door without a socket opens")
	}
}

// Whatever HAProxy does, the door goes on ticking, says what is wrong, and stops
// nobody.
func TestAHAProxyThatDoesNotAnswerIsSaidAndAskedAgain(t *testing.T) {
	for what, c := range map[string]struct{ mode, says string }{
		"gone":          {cut, "haproxy"},
		"slow":          {hang, "no answer"},
		"older":         {"Unknown command. Please enter one of the following commands only :\n", "want HAProxy 2.6 or later"},
		"not set up":    {"No such table\n\n", "take over the tables"},
		"another's":     {"HTTP/1.1 400 Bad request\r\n\r\n", "is not understood"},
		"cut short":     {"# table: moonwatch_hosts, type: string, size:102400, used:3\n", "does not tell of table moonwatch_totals"},
		"half a line":   {"# table: moonwatch_hosts, type: string, size:1, used:1\n0x5: key=www.exa", "not understood"},
		"other fields":  {"# table: moonwatch_hosts, type: string, size:1, used:1\n0x5: key=a use=0 exp=1 gpc0=4\n", "want http_req_cnt in it"},
		"other table":   {"# table: customers, type: ip, size:1, used:1\n", "is not understood"},
		"no permission": {"Permission denied\n", "level admin"},
		"mode tcp":      {strings.ReplaceAll(sane, "req_tot", "other"), "want one of mode http"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWire(t, "")
			w.become(c.mode)
			within := 20 * time.Second // on a machine with other work to do, too
			if c.mode == hang {
				within = 200 * time.Millisecond
			}
			d, err := Open(Config{Socket: w.path, Frontend: "www", Map: "/m", AnswerWithin: within})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			d.Enforce(shield.NewMeasures([]shield.Measure{{Key: 5, Host: "a.example", Rung: shield.Stop, Until: time.Now().Add(time.Hour)}}))
			for range 3 {
				select {
				case <-d.Ticks():
				case <-time.After(30 * time.Second):
					t.Fatal("no tick")
				}
			}
			if got := d.Problem(); !strings.Contains(got, c.says) {
				t.Errorf("the problem is said to be %q, want %q", got, c.says)
			}
			if total, counts := d.Rotate(1, nil); total.Asked != 0 || len(counts) != 0 || d.Trouble() {
				t.Errorf("it counts %v and %v", total, counts)
			}
		})
	}
}
