package shield

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOneHostHasOneName(t *testing.T) {
	long := strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "." + strings.Repeat("d", 61)
	for host, want := range map[string]string{
		"www.example.com":           "www.example.com",
		"WWW.Example.COM":           "www.example.com",
		"www.example.com.":          "www.example.com",
		"www.example.com:8443":      "www.example.com",
		"www.example.com.:":         "www.example.com",
		"_dmarc.example.com":        "_dmarc.example.com",
		"localhost":                 "localhost",
		"10.0.0.1:80":               "10.0.0.1",
		"[2001:DB8:0::1]:443":       "2001:db8::1",
		"[fe80::1%eth0]":            "fe80::1",
		"2001:db8::1":               "2001:db8::1",
		"bücher.example.com":        "xn--bcher-kva.example.com",
		"BÜCHER.example.com:80":     "xn--bcher-kva.example.com",
		"XN--BCHER-KVA.example.com": "xn--bcher-kva.example.com",
		"日本語.example.jp":            "xn--wgv71a119e.example.jp",
		long:                        long,
		long + ".":                  long,
	} {
		if got, ok := Normalise(nil, host); !ok || string(got) != want {
			t.Errorf("%q: %q %v, want %q", host, got, ok, want)
		}
	}
	for _, host := range []string{
		"", ".", "..", ".example.com", "a..b", ":80", "a:b", "a:123456", "[::1", "[::1]x", "[10.0.0.1]", "[::1]:x",
		"a b.example.com", "a/b", "\x00", "\xff\xfe.example.com", "a%zz", strings.Repeat("a", 254), strings.Repeat("x", 1<<20),
		"bücher.example.com:x", "ü\x80",
	} {
		if got, ok := Normalise(nil, host); ok {
			t.Errorf("%q is the name %q", host, got)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"www.example.com:80", "[::1]:443", "bücher.example", "a..b", "\xff", "10.1.2.3", "a.", "xn--a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		name, ok := Normalise(nil, host)
		if !ok {
			if name != nil {
				t.Fatalf("%q is refused with %q", host, name)
			}
			return
		}
		if len(name) == 0 || len(name) > maxHost {
			t.Fatalf("%q: %d bytes", host, len(name))
		}
		again, ok := Normalise(make([]byte, 0, HostRoom), string(name))
		if !ok || string(again) != string(name) {
			t.Fatalf("%q: %q, and that: %q %v", host, name, again, ok)
		}
		if k := KeyOf(7, name); k <= Nameless {
			t.Fatalf("key %x", uint64(k))
		}
		ParentKeyOf(7, name)
	})
}

func TestNamesInASCIICostNoAllocation(t *testing.T) {
	room := make([]byte, 0, HostRoom)
	var sum Key
	if n := testing.AllocsPerRun(100, func() {
		room, _ = Normalise(room, "Tenant-12345.Example.com:8443")
		k, _ := ParentKeyOf(3, room)
		sum += KeyOf(3, room) + k
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestKeysAreTheClusters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.StringMatching(`[a-z0-9-]{1,60}\.[a-z]{1,60}\.(com|org)`).Draw(t, "a")
		b := rapid.StringMatching(`[a-z0-9-]{1,60}\.[a-z]{1,60}\.(com|org)`).Draw(t, "b")
		salt := rapid.Uint64().Draw(t, "salt")
		if (KeyOf(salt, []byte(a)) == KeyOf(salt, []byte(b))) != (a == b) {
			t.Fatalf("%s and %s", a, b)
		}
		if KeyOf(salt, []byte(a)) == KeyOf(salt+1, []byte(a)) {
			t.Fatalf("%s has one key in two clusters", a)
		}
		ka, _ := ParentKeyOf(salt, []byte("x."+a))
		kb, _ := ParentKeyOf(salt, []byte("y."+a))
		if ka != kb || ka == KeyOf(salt, []byte(a)) {
			t.Fatalf("buckets %x %x, name %x", ka, kb, KeyOf(salt, []byte(a)))
		}
	})
}

func TestAddressesHaveNoParent(t *testing.T) {
	for _, name := range []string{"10.0.0.1", "2001:db8::1", "localhost"} {
		if _, ok := ParentKeyOf(0, []byte(name)); ok {
			t.Errorf("%s has a parent", name)
		}
	}
	if b, ok := Bucket([]byte("www.example.com")); !ok || b != "*.example.com" {
		t.Errorf("bucket %q", b)
	}
}
