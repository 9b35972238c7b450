package haproxy

import (
	"strings"
	"testing"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/count"
)

const salt = 7

func TestValues(t *testing.T) {
	for want, m := range map[string]shield.Measure{
		"shape:300:1000000000": {Rung: shield.ShapeLocal, Admit: 300},
		"shape:1:12":           {Rung: shield.ShapeFleet, Admit: 1, Cap: 11.2},
		"shape:500:9":          {Rung: shield.Challenge, Admit: 500, Cap: 9},
		"stop":                 {Rung: shield.Stop}, "drop": {Rung: shield.Drop},
	} {
		if got := valueOf(m); got != want {
			t.Errorf("%v is %q, want %q", m.Rung, got, want)
		}
	}
}

func TestADoorSaysNothingOfShadowsAndOfWhatHasEnded(t *testing.T) {
	now := time.Now()
	room, front := count.NewRoom(salt)
	d := &Door{Front: front, room: room}
	m := func(host string, until time.Time, shadow bool) shield.Measure {
		return shield.Measure{Key: shield.KeyOf(salt, []byte(host)), Host: host, Rung: shield.Stop, Until: until, Shadow: shadow}
	}
	d.Enforce(shield.NewMeasures([]shield.Measure{
		m("a.example.com", now.Add(time.Second), false), m("over.example.com", now.Add(-time.Second), false), m("shadow.example.com", now.Add(time.Second), true),
		m("evil;shutdown sessions", now.Add(time.Second), false), m("", now.Add(time.Second), false),
	}))
	if got := d.want(now); len(got) != 1 || got["a.example.com"] != "stop" {
		t.Errorf("want %v", got)
	}
}

func TestAMapIsRead(t *testing.T) {
	holds, twice, err := parseMap("0x1 a.example.com shape:300:10\n0x2 b.example.com stop\n0x3 b.example.com drop\n0x4 c;d stop\n\n")
	if err != nil || len(holds) != 2 || holds["a.example.com"] != "shape:300:10" || len(twice) != 1 || twice[0] != "b.example.com" {
		t.Errorf("got %v, %v, %v", holds, twice, err)
	}
	if _, _, err := parseMap("Unknown map identifier. Please use #<id> or <file>.\n"); err == nil || !strings.Contains(err.Error(), "name the map") {
		t.Errorf("got %v", err)
	}
}

func TestDifferences(t *testing.T) {
	got := differences(map[string]string{"a": "1", "b": "2", "c": "3"}, map[string]string{"a": "1", "b": "9", "d": "4"})
	if len(got) != 3 || got[0] != "b" || got[1] != "c" || got[2] != "d" {
		t.Errorf("got %v", got)
	}
}

// Another version may tell of more, and of fields in another order.
func TestUnknownFieldsAreNoMistake(t *testing.T) {
	p, err := parsePoll("# table: moonwatch_hosts, type: string, size:102400, used:3, new:1\n" +
		"0x5: key=a.example.com use=0 exp=5 shard=0 gpc1=2 http_req_rate(1000)=7 new=x http_req_cnt=40\n\n" +
		"# table: moonwatch_totals, type: string, size:16, used:1\n0x7: key=shed use=0 exp=1 gpc0=9\n\n# pxname,svname,new,qcur,req_tot,\nwww,FRONTEND,1,,5,\n\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(p.hosts) != 1 || p.hosts[0] != (count.Reading{Name: "a.example.com", Asked: 40, Lately: 7, Refused: 2}) || p.used != 3 || p.size != 102400 {
		t.Errorf("got %+v", p)
	}
	if p.all["shed"] != 9 || p.stat["www"]["req_tot"] != 5 || p.complete("www", nil) != nil {
		t.Errorf("got %+v", p)
	}
}
