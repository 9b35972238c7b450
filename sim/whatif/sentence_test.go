package whatif

import (
	"errors"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
)

// demo is the fleet of the demo: five slots and two spares.
func demo() Fleet {
	cfg := sim.Demo()
	f := Fleet{Fleet: &cfg.Fleet, Council: cfg.Council, Occupants: map[member.SlotID]member.ID{}}
	cfg.Fleet.Pools[0].Hosts = []string{"www.example.com", "*.shop.example.com"}
	for i, s := range cfg.Fleet.Pools[0].Slots {
		f.Occupants[s] = cfg.Fleet.Members[i].ID
	}
	return f
}

func TestASentenceIsUnderstoodAsPeopleMeanIt(t *testing.T) {
	for says, want := range map[string]string{
		"kill web-3":                             "0s crash [web-3]",
		"Kill web-3 and web-4":                   "0s crash [web-3 web-4]",
		"kill web-3, web-4 at 30s":               "30s crash [web-3 web-4]",
		"lose failure domain b":                  "0s crash [web-1 web-4]",
		"lose failure-domain b for 5m":           "0s crash [web-1 web-4] for 5m0s",
		"half of the pool":                       "0s crash [spare-0 spare-1 web-0 web-1]",
		"lose half of pool web":                  "0s crash [spare-0 spare-1 web-0 web-1]",
		"stall the leader":                       "0s pause leader for 5s",
		"stall the leader for 20s at 1m":         "1m0s pause leader for 20s",
		"kill the agent of web-0":                "0s kill-agent [web-0]",
		"kill the service of slot web-2":         "0s kill-service [web-2]",
		"kill 2 members of the pool":             "0s crash [spare-0 web-1]",
		"kill 20% of the fleet":                  "0s crash [spare-0 web-1]",
		"kill a spare":                           "0s crash [spare-0]",
		"kill all spares":                        "0s crash [spare-0 spare-1]",
		"kill a minority of the council":         "0s crash [web-0 web-1]",
		"isolate a majority of the council":      "0s isolate [web-0 web-1 web-2]",
		"cut web-0 from web-1 and web-2 for 10s": "0s cut [web-0] and [web-1 web-2] for 10s",
		"cut failure domain a from domain b":     "0s cut [spare-0 web-0 web-3] and [web-1 web-4]",
		"restart web-1":                          "0s crash [web-1] for 30s",
		"lose 30% of the packets of web-2":       "0s lossy [web-2] 30 %",
		"fill the disk of web-0":                 "0s full-disk [web-0]",
		"stall the disk of the leader for 10s":   "0s stall-disk leader for 10s",
	} {
		d, err := Understand(says, demo())
		got := d.String()
		if d.Leader {
			got = strings.Replace(got, string(d.Do), string(d.Do)+" leader", 1)
		}
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", says, got, err, want)
		}
	}
}

func TestWhatIsNotUnderstoodSaysWhatThereIs(t *testing.T) {
	for says, want := range map[string]string{
		"":                              "begins with none of",
		"explode web-3":                 "kill WHO",
		"kill":                          "it ends where a member was expected",
		"kill wbe-3":                    "there is no member wbe-3: is it web-3?",
		"kill nobody":                   "there are",
		"lose failure domain x":         "there is no failure domain x: is it a?",
		"kill slot web-9":               "there is no slot web-9: is it web-",
		"half of pool db":               "there is no pool db",
		"kill 9 members of the pool":    "9 of 7 members are impossible",
		"kill -3 of the pool":           "-3 of 7 members are impossible",
		"kill 2 of nobody":              "there is no member nobody",
		"kill a nobody":                 "there is no member nobody",
		"lose 30 of the packets of web": "there is no member packets",
		"kill 120% of the fleet":        "impossible",
		"kill web-3 for ever":           `"ever" is no time`,
		"kill web-3 tomorrow":           `"tomorrow" was not expected`,
		"cut web-0":                     `"from" is missing`,
		"cut the leader from web-0":     "isolate the leader instead",
		"kill the leader and web-0":     "are two sentences",
		"flood www.example.com by 50":   "occupants bear any load here, and the fleet's shield is not played",
		"flood":                         "'moonwatch shield replay' says what it would have done",
		"cut web-0 from domain a":       "web-0 cannot be cut off from itself",
		"kill failure b":                `wants "domain NAME"`,
	} {
		_, err := Understand(says, demo())
		if err == nil || !errors.Is(err, ErrNotUnderstood) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", says, err, want)
		}
	}
}

func TestEveryFormIsUnderstood(t *testing.T) {
	f := demo()
	for _, form := range Forms() {
		says := strings.NewReplacer("from WHO", "from web-2", "WHO", "web-0", "NAME", "b").Replace(form)
		if _, err := Understand(says, f); err != nil {
			t.Error(err)
		}
	}
	for _, who := range Subjects() {
		who = strings.NewReplacer("a member's name", "web-0", "slot NAME", "slot web-1", "domain NAME", "domain b",
			"pool NAME", "pool web", "A and B", "web-0 and web-1").Replace(who)
		if d, err := Understand("kill "+who+" at 10s", f); err != nil || d.At != 10*time.Second {
			t.Error(d, err)
		}
	}
}
