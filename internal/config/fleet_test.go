package config

import (
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"moonwatch/member"
)

// sampleFleet is what configs/fleet.yaml shows.
func sampleFleet() member.Fleet {
	f := member.Fleet{
		Version: 1, Profile: "lan", Brake: defaultBrake,
		Pools: []member.Pool{
			{
				Name: "api", Hosts: []string{"api.example.com"}, Fence: []string{"none"},
				Slots:  []member.SlotID{"api-0", "api-1"},
				Spares: member.Spares{Warm: 1, Floor: 1},
				Checks: member.Checks{GRPC: &member.GRPCCheck{
					Port: 9090, Service: "orders.v1.Orders", Interval: 2 * time.Second, Timeout: 500 * time.Millisecond,
				}},
				Actions: member.Actions{Activate: "api-start", Stop: "api-stop"},
				Drivers: []member.Driver{{Kind: "gateway", Port: 8081}},
			},
			{
				Name: "web", Hosts: []string{"www.example.com", "*.example.com"}, Fence: []string{"none"},
				Slots:  []member.SlotID{"web-0", "web-1", "web-2", "web-3", "web-4"},
				Spares: member.Spares{Warm: 2, Floor: 1},
				Checks: member.Checks{HTTP: &member.HTTPCheck{
					Port: 8080, Path: "/healthz", Interval: 2 * time.Second, Timeout: 500 * time.Millisecond,
				}},
				Actions: member.Actions{Activate: "web-start", Stop: "web-stop", Restart: "web-restart"},
				Drivers: []member.Driver{{Kind: "gateway"}}, Armed: true,
			},
		},
	}
	f.Notify = member.NotifyPolicy{
		On: []member.ID{"witness-1", "web-1", "api-2"},
		Receivers: []member.Receiver{{Name: "ops", Kind: "webhook", Webhook: &member.WebhookReceiver{
			URL: "https://ops.example.com/moonwatch", SecretFile: "/etc/moonwatch/notify.key",
		}}},
	}
	for _, m := range []struct {
		id, domain, pool string
		council          bool
	}{
		{"web-1", "a", "web", true},
		{"web-2", "a", "web", false},
		{"web-3", "b", "web", true},
		{"web-4", "b", "web", true},
		{"web-5", "c", "web", true},
		{"web-6", "c", "web", false},
		{"web-7", "a", "web", false},
		{"api-1", "a", "api", false},
		{"api-2", "b", "api", false},
		{"api-3", "c", "api", true},
		{"witness-1", "d", "", true},
	} {
		f.Members = append(f.Members, member.Member{
			ID: member.ID(m.id), Domain: member.FailureDomain(m.domain), Pool: m.pool, Council: m.council,
		})
	}
	return f
}

func TestTheSampleFleetLoads(t *testing.T) {
	const path = "../../configs/fleet.yaml"
	want := sampleFleet()
	golden(t, path, string(RenderFleet(want)))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, warnings, err := ParseFleet(path, b)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v %v", err, warnings)
	}
	if !reflect.DeepEqual(*f, want) {
		t.Errorf("got  %+v\nwant %+v", *f, want)
	}
	// The two samples describe one cluster.
	roster := member.NewRoster(1, f.Members)
	for _, id := range append(sampleAgent().ExpectCouncillors, sampleAgent().Name) {
		if m, ok := roster.Member(id); !ok || !m.Council {
			t.Errorf("agent.yaml names %s, want a member of fleet.yaml that may sit in the council", id)
		}
	}
}

// A driver is shown as fleet.yaml has it, and read again as the same.
func TestTheSampleWithAddressesLoads(t *testing.T) {
	const path = "../../configs/fleet-vip.yaml"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, warnings, err := ParseFleet(path, b)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v %v", err, warnings)
	}
	if err := f.Validate(); err != nil {
		t.Error(err)
	}
	six, ok := f.Pools[0].Driver("vip6")
	if !ok || six.VIP.Addresses["edge-0"] != netip.MustParsePrefix("2001:db8::10/128") || six.VIP.Interface != "eth0" {
		t.Errorf("%+v", six)
	}
	again, _, err := ParseFleet("again.yaml", RenderFleet(*f))
	if err != nil || !reflect.DeepEqual(again, f) {
		t.Errorf("%v: got\n%+v\nwant\n%+v", err, again, f)
	}
}

func TestTheFleetOfTheContractLoads(t *testing.T) {
	f, _, err := ParseFleet("fleet.yaml", []byte(`
version: 1
members:                          # the roster; a certificate alone enrols nobody
  web-1: {failure_domain: a, pool: web, council: allowed}
  spare-1: {failure_domain: b, pool: web}
pools:
  web:
    hosts: [www.example.com, "*.example.com"]   # what gateway and shield match
    exclusive: false
    fence: [none]                 # none | self | lease | watchdog | power
    slots: {web: 1}               # web-0
    spares: {warm: 2, floor: 1}
    checks: {http: {port: 8080, path: /healthz, interval: 2s, timeout: 500ms}}
    actions: {activate: web-start, stop: web-stop, restart: web-restart}   # names in actions_dir
    drivers: [{kind: gateway}]
    armed: true                   # a new pool starts false: everything is recorded as "would have"
brake: {guarded: {min: 2, share: 5%}, cascade: {min: 3, share: 20%}}
never_stop: []
`))
	if err != nil {
		t.Fatal(err)
	}
	if f.Brake != defaultBrake || f.Members[1].ID != "spare-1" || f.Members[1].Council || f.Pools[0].Checks.Timeout() != 500*time.Millisecond {
		t.Errorf("got %+v", f)
	}
}

func TestDefaultsOfAFleet(t *testing.T) {
	f, _, err := ParseFleet("fleet.yaml", []byte(`
version: 1
members:
  b: {failure_domain: z2, pool: p}
  a: {failure_domain: z1, pool: p}
pools:
  q: {}
  p: {slots: {p: 1, r: 1}, checks: {http: {port: 80}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &member.Fleet{
		Version: 1, Profile: "lan", Brake: defaultBrake,
		Members: []member.Member{{ID: "b", Domain: "z2", Pool: "p"}, {ID: "a", Domain: "z1", Pool: "p"}}, // in file order
		Pools: []member.Pool{ // by name
			{Name: "p", Fence: []string{"none"}, Slots: []member.SlotID{"p-0", "r-0"}, Checks: member.Checks{
				HTTP: &member.HTTPCheck{Port: 80, Path: "/", Interval: 2 * time.Second, Timeout: 500 * time.Millisecond},
			}},
			{Name: "q", Fence: []string{"none"}},
		},
	}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
}

// TestTheSparesOfTheManualLoad holds docs/spares.md to what it shows.
func TestTheSparesOfTheManualLoad(t *testing.T) {
	doc, err := os.ReadFile("../../docs/spares.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^spares: \{.*reserve.*$`).FindAll(doc, -1)
	if len(lines) == 0 {
		t.Fatal("docs/spares.md shows no spares with a reserve")
	}
	for _, line := range lines {
		f, _, err := ParseFleet("fleet.yaml", fmt.Appendf(nil, "version: 1\nmembers:\n  a: {failure_domain: z, pool: p}\npools:\n  p:\n    slots: {p: 1}\n    %s\n  batch: {}\n", line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if s := f.Pools[1].Spares; s.Warm != 3 || s.Reserve != 1 {
			t.Errorf("%s is read as %+v", line, s)
		}
	}
}

// The parser calls itself once per level; a file must not decide how deep.
func TestDeepNestingIsRefusedBeforeItIsParsed(t *testing.T) {
	for name, text := range map[string]string{
		"lists in braces": "a: " + strings.Repeat("[", 200_000),
		"maps in braces":  "a: " + strings.Repeat("{a: ", 100_000),
		"lists in a line": "a:\n" + strings.Repeat("- ", 200_000),
		"stairs":          stairs(1200),
		"keys asked for":  strings.Repeat("? ", 100_000),
		"tags":            "a: " + strings.Repeat("!t ", 100_000),
		"anchors":         "a: " + strings.Repeat("&a ", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			begin := processorTime(t) // not the clock's: other work may have the processors
			_, _, err := ParseFleet("fleet.yaml", []byte(text))
			wellFormed(t, err, []byte(text))
			if err == nil {
				t.Error("it was accepted")
			}
			if took := processorTime(t) - begin; took > 20*time.Second {
				t.Errorf("refused only after %v of a processor", took)
			}
		})
	}
}

// processorTime is what this process has used of the processors so far.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func stairs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
	}
	return b.String()
}

func TestALargeFleetLoadsQuickly(t *testing.T) {
	f := sampleFleet()
	for i := range 2000 {
		f.Members = append(f.Members, member.Member{ID: member.ID(fmt.Sprintf("bulk-%d", i)), Domain: "a", Pool: "web"})
	}
	begin := time.Now()
	if _, _, err := ParseFleet("fleet.yaml", RenderFleet(f)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func FuzzParseFleet(f *testing.F) {
	seed(f, "fleet", RenderFleet(sampleFleet()))
	f.Fuzz(func(t *testing.T, b []byte) {
		fleet, warnings, err := ParseFleet("fleet.yaml", b)
		wellFormed(t, err, b)
		if err != nil {
			if fleet != nil || warnings != nil {
				t.Fatalf("got %v, %v beside %v", fleet, warnings, err)
			}
			return
		}
		if err := fleet.Validate(); err != nil {
			t.Fatal(err)
		}
		// What was read can be written, and reads the same again.
		text := RenderFleet(*fleet)
		again, _, err := ParseFleet("fleet.yaml", text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if !reflect.DeepEqual(again, fleet) {
			t.Fatalf("got  %+v\nwant %+v\nin\n%s", again, fleet, text)
		}
	})
}

func TestARetiredMemberIsKeptAndHoldsNoSlot(t *testing.T) {
	text := func(retired string) string {
		return `version: 1
members:
  web-1: {failure_domain: a, pool: web, council: allowed}
  web-2: {failure_domain: b, pool: web, council: allowed}
  web-3: {failure_domain: c, pool: web, council: allowed` + retired + `}
  witness: {failure_domain: d, council: allowed}
pools:
  web: {slots: {web: 3}, spares: {warm: 0, floor: 0}, checks: {http: {port: 80, path: /}}, actions: {activate: web-start, stop: web-stop}, armed: true}
`
	}
	if _, _, err := ParseFleet("fleet.yaml", []byte(text(""))); err != nil {
		t.Fatal(err)
	}
	_, _, err := ParseFleet("fleet.yaml", []byte(text(", retired: true")))
	if err == nil || !strings.Contains(err.Error(), "pools.web has 3 slots and 2 members") {
		t.Errorf("%v, want that a retired member holds no slot", err)
	}
	f, _, err := ParseFleet("fleet.yaml", []byte(strings.Replace(text(", retired: true"), "web: 3", "web: 2", 1)))
	if err != nil || !f.Members[2].Retired || f.Members[1].Retired {
		t.Fatalf("%+v, %v", f, err)
	}
	again, _, err := ParseFleet("fleet.yaml", RenderFleet(*f))
	if err != nil || !reflect.DeepEqual(f, again) {
		t.Errorf("%+v, %v: want what was rendered", again, err)
	}
}
