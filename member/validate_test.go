package member

import (
	"strings"
	"testing"
)

func good() *Fleet {
	return &Fleet{
		Version: 1,
		Members: []Member{{ID: "web-1", Domain: "a", Pool: "web"}, {ID: "web-2", Domain: "b", Pool: "web"}, {ID: "witness", Domain: "c"}},
		Pools:   []Pool{{Name: "web", Slots: []SlotID{"web-0", "web-1"}, Fence: []string{"none"}}},
	}
}

func TestAGoodFleetStands(t *testing.T) {
	if err := good().Validate(); err != nil {
		t.Error(err)
	}
	if p, ok := good().PoolOfSlot("web-1"); !ok || p.Name != "web" {
		t.Errorf("web-1 is in pool %q", p.Name)
	}
	if _, ok := good().Pool("db"); ok {
		t.Error("there is no pool db")
	}
	if _, ok := (*Fleet)(nil).PoolOfSlot("web-1"); ok {
		t.Error("without a fleet there is no slot")
	}
}

func TestEachMistakeOfAFleetIsNamed(t *testing.T) {
	for want, spoil := range map[string]func(*Fleet){
		"version is 2, want 1":                     func(f *Fleet) { f.Version = 2 },
		`name "" has 0 bytes`:                      func(f *Fleet) { f.Members[2].ID = "" },
		"has 33 bytes, want 1 to 32":               func(f *Fleet) { f.Members[2].ID = ID(strings.Repeat("x", 33)) },
		"web-1 stands there twice":                 func(f *Fleet) { f.Members[2].ID = "web-1" },
		"members.witness.failure_domain is empty":  func(f *Fleet) { f.Members[2].Domain = "" },
		"pools.web.slots: web-0 stands there twic": func(f *Fleet) { f.Pools[0].Slots[1] = "web-0" },
		"2 slots, and 1 members in the pool":       func(f *Fleet) { f.Members[1].Pool = "" },
		"2 slots, and 1 members in the pool: want": func(f *Fleet) { f.Members[1].Retired = true },
		`pools.web.fence is "prayer"`:              func(f *Fleet) { f.Pools[0].Fence = []string{"self", "prayer"} },
		"pools.web is exclusive and run by a systemd driver": func(f *Fleet) {
			f.Pools[0].Exclusive, f.Pools[0].Drivers = true, []Driver{{Kind: "systemd", Systemd: &SystemdDriver{Unit: "web@{slot}.service"}}}
		},
		"haproxy stands there twice": func(f *Fleet) {
			d := Driver{Kind: "haproxy", On: []ID{"witness"}}
			f.Pools[0].Drivers = []Driver{d, d}
		},
		"vip has no address for slot": func(f *Fleet) { f.Pools[0].Drivers = []Driver{{Kind: "vip", VIP: &VIPDriver{}}} },
		"vip names members in on": func(f *Fleet) {
			f.Pools[0].Drivers = []Driver{{Kind: "vip", On: []ID{"witness"}, VIP: &VIPDriver{}}}
		},
		"dns names nobody who tells it":           func(f *Fleet) { f.Pools[0].Drivers = []Driver{{Kind: "dns"}} },
		"dns is told by lb-1, want the name of a": func(f *Fleet) { f.Pools[0].Drivers = []Driver{{Kind: "dns", On: []ID{"lb-1"}}} },
		"has a url with a user": func(f *Fleet) {
			f.Pools[0].Drivers = []Driver{{Kind: "webhook", On: []ID{"witness"}, Webhook: &WebhookDriver{URL: "https://a:b@x/"}}}
		},
		"pools.web.spares.borrow_from has web, want another pool": func(f *Fleet) { f.Pools[0].Spares.BorrowFrom = []string{"web"} },
		`pools.web.spares.borrow_from has "bach", want the name`:  func(f *Fleet) { f.Pools[0].Spares.BorrowFrom = []string{"bach"} },
		"borrow_from has batch twice": func(f *Fleet) {
			f.Pools = append(f.Pools, Pool{Name: "batch"})
			f.Pools[0].Spares.BorrowFrom = []string{"batch", "batch"}
		},
		"web is run by drivers: systemd": func(f *Fleet) {
			f.Pools = append(f.Pools, Pool{Name: "batch"})
			f.Pools[0].Drivers = []Driver{{Kind: "systemd", Systemd: &SystemdDriver{Unit: "web@{slot}.service"}}}
			f.Pools[0].Spares.BorrowFrom = []string{"batch"}
		},
		"web is exclusive and batch is not": func(f *Fleet) {
			f.Pools = append(f.Pools, Pool{Name: "batch"})
			f.Pools[0].Exclusive, f.Pools[0].Spares.BorrowFrom = true, []string{"batch"}
		},
		`members.witness.pool is "db"`: func(f *Fleet) { f.Members[2].Pool = "db" },
	} {
		f := good()
		spoil(f)
		if err := f.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q named, got %v", want, err)
		}
	}
}

func TestAllMistakesOfAFleetAreNamedAtOnce(t *testing.T) {
	f := good()
	f.Version, f.Members[0].Domain, f.Members[2].Pool = 0, "", "db"
	if err := f.Validate(); strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("want three lines, got %v", err)
	}
}
