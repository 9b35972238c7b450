package haproxy

import (
	"strings"
	"testing"
	"time"

	"moonwatch/shield"
)

const salt = 7

func tick(h *hosts, entries ...entry) (learned []string) {
	for _, e := range entries {
		if name := h.book(e); name != "" {
			learned = append(learned, name)
		}
	}
	h.forget()
	return learned
}

func only(t *testing.T, counts []shield.Count) shield.Count {
	t.Helper()
	if len(counts) != 1 {
		t.Fatalf("told of %d subdomains: %+v", len(counts), counts)
	}
	return counts[0]
}

func TestATickHoldsWhatGrewInIt(t *testing.T) {
	h := newHosts(salt)
	key := shield.KeyOf(salt, []byte("a.example.com"))
	if got := tick(&h, entry{key: "a.example.com", asked: 1000, rate: 30, shed: 5}); len(got) != 1 || got[0] != "a.example.com" {
		t.Errorf("learned %v", got)
	}
	if c := only(t, h.rotate(nil)); c.Key != key || c.Asked != 30 || c.Total != 1000 || c.Refused != 0 {
		t.Errorf("at first sight: %+v, want the last second's requests and no old refusal", c)
	}
	tick(&h, entry{key: "a.example.com", asked: 1010, rate: 40, shed: 9})
	tick(&h, entry{key: "a.example.com", asked: 1025, rate: 50, shed: 9}, entry{key: "a.example.com", asked: 1025, rate: 50, shed: 9})
	if c := only(t, h.rotate(nil)); c.Asked != 25 || c.Total != 1025 || c.Refused != 4 {
		t.Errorf("two polls later: %+v", c)
	}
	if counts := h.rotate(nil); len(counts) != 0 {
		t.Errorf("without a poll there is something new: %v", counts)
	}
	if c := only(t, h.rotate([]shield.Key{key})); c.Asked != 0 || c.Total != 1025 {
		t.Errorf("wanted without a poll: %+v", c)
	}
}

// A host that was below the rate for an hour has asked for much in that time, and it
// was not now.
func TestWhatGrewWhileNobodyLookedIsNotThisTicks(t *testing.T) {
	h := newHosts(salt)
	tick(&h, entry{key: "a.example.com", asked: 10, rate: 1})
	h.rotate(nil)
	tick(&h)
	tick(&h, entry{key: "a.example.com", asked: 9010, rate: 3})
	if c := only(t, h.rotate(nil)); c.Asked != 3 || c.Total != 9010 {
		t.Errorf("got %+v", c)
	}
}

func TestAProcessThatBeganAnewTakesNothingBack(t *testing.T) {
	h := newHosts(salt)
	tick(&h, entry{key: "a.example.com", asked: 10, rate: 10, shed: 4})
	tick(&h, entry{key: "a.example.com", asked: 3, rate: 3, shed: 1})
	if c := only(t, h.rotate(nil)); c.Total != 13 || c.Refused != 1 {
		t.Errorf("got %+v", c)
	}
}

func TestKeysAreThoseOfTheOtherDoors(t *testing.T) {
	h := newHosts(salt)
	bucket, _ := shield.ParentKeyOf(salt, []byte("other.example.com"))
	for raw, want := range map[string]shield.Key{
		"a.example.com": shield.KeyOf(salt, []byte("a.example.com")), "*.example.com": bucket, "-": shield.Nameless,
	} {
		if key, _, ok := h.keyOf(raw); !ok || key != want {
			t.Errorf("%s has key %v, want %v", raw, key, want)
		}
	}
	for _, raw := range []string{"", "*", "A.example.com", "a.example.com.", "a b", "[::1]", "a..b", "*.", "\xff.example.com"} {
		if key, _, ok := h.keyOf(raw); ok {
			t.Errorf("%q has key %v, want none: it is not in its normal form", raw, key)
		}
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	h := newHosts(salt)
	for i := range 3 * mostHosts {
		tick(&h, entry{key: "h" + string(rune('a'+i%26)) + time.Duration(i).String() + ".example.com", asked: 1, rate: 1})
		if len(h.by) > mostHosts+1 {
			t.Fatalf("%d are remembered", len(h.by))
		}
	}
}

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
	d := &Door{hosts: newHosts(salt)}
	m := func(host string, until time.Time, shadow bool) shield.Measure {
		return shield.Measure{Key: shield.KeyOf(salt, []byte(host)), Host: host, Rung: shield.Stop, Until: until, Shadow: shadow}
	}
	d.measures = shield.NewMeasures([]shield.Measure{
		m("a.example.com", now.Add(time.Second), false), m("over.example.com", now.Add(-time.Second), false), m("shadow.example.com", now.Add(time.Second), true),
		m("evil;shutdown sessions", now.Add(time.Second), false), m("", now.Add(time.Second), false),
	})
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
	if len(p.hosts) != 1 || p.hosts[0] != (entry{key: "a.example.com", asked: 40, rate: 7, shed: 2}) || p.used != 3 || p.size != 102400 {
		t.Errorf("got %+v", p)
	}
	if p.all["shed"] != 9 || p.stat["www"]["req_tot"] != 5 || p.complete("www", nil) != nil {
		t.Errorf("got %+v", p)
	}
}
