package conform

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/count"
)

func stopping(x *trial) {
	x.meet(flooded, neighbour)
	x.hold(stop)
	x.until("the first refusal", func() bool { return x.ask(1, flooded) == http.StatusServiceUnavailable })
	if let := x.askAll(300); let > 0 {
		x.Errorf("%d of 300 clients were let in though none should be", let)
	}
}

// renewing: a certificate authority finds the token of who is stopped, and that is no hole:
// nothing else is let in by that path, and no more than a few such requests.
func renewing(x *trial) {
	const token = "/.well-known/acme-challenge/LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
	x.meet(flooded, neighbour)
	x.hold(stop)
	x.until("the first refusal", func() bool { return x.ask(1, flooded) == http.StatusServiceUnavailable })
	for _, method := range []string{"GET", "HEAD"} {
		if status := x.askFor(1, method, token); status != http.StatusOK {
			x.Errorf("%s of the token was answered with %d", method, status)
		}
	}
	for _, target := range []string{
		"/.well-known/acme-challenge/", "/.well-known/acme-challenge", "/.well-known/", token + "?a=1", token + "/", "/x" + token, "/" + token,
		"/.well-known/acme-challenge/../../", "/.well-known/acme-challenge/..", "/.well-known/acme-challenge/%2e%2e%2f", "/.well-known/acme-challenge/a.b", "/?" + token,
	} {
		if status := x.askFor(1, "GET", target); !refusal(status) && status != http.StatusBadRequest {
			x.Errorf("GET %s was answered with %d", target, status)
		}
	}
	for _, method := range []string{"DELETE", "OPTIONS", "POST"} {
		if status := x.askFor(1, method, token); !refusal(status) {
			x.Errorf("%s of the token was answered with %d", method, status)
		}
	}
	const most, asks = 10, 200
	began, let := time.Now(), 0
	for i := range asks {
		if x.askFor(i, "GET", token) == http.StatusOK {
			let++
		}
	}
	took := time.Since(began).Seconds()
	x.Logf("%d of %d were let in within %.1f s", let, asks, took)
	if limit := most*(took+1) + most; float64(let) > limit {
		x.Errorf("%d were let in within %.1f s, want at most %.0f", let, took, limit)
	}
}

// naming: who is stopped does not come in by another way to write its name. A Host that is
// none, or none that anybody would write, is answered somehow and is nobody who is held, and
// whoever comes next is served.
func naming(x *trial) {
	x.meet(flooded, neighbour)
	x.hold(stop)
	x.until("the first refusal", func() bool { return refusal(x.ask(1, flooded)) })
	for _, host := range []string{"FLOODED.Tenants.Example", flooded + ".", flooded + ":443", flooded + ":99999", "Flooded.tenants.EXAMPLE.:80"} {
		if status := x.ask(1, host); !refusal(status) {
			x.Errorf("Host %q was answered with %d", host, status)
		}
	}
	for _, host := range []string{
		"", ".", "..", ":", ":80", "-", "[]", "[::1]", "[::1]:8080", "[2001:DB8::0:1]:443", "127.0.0.1:80", "a..b", "a b.example", "*.tenants.example",
		flooded + ".evil.example", "evil." + flooded, "xn--.example", "b\xc3\xbccher.example", "\xff\xfe.example",
		strings.Repeat("a", 254), strings.Repeat("a.", 1000) + "example",
	} {
		if status := x.ask(1, host); refusal(status) {
			x.Errorf("Host %.60q was answered with %d", host, status)
		}
		if status := x.ask(1, neighbour); status != http.StatusOK {
			x.Fatalf("after Host %.60q somebody else was answered with %d", host, status)
		}
	}
}

func releasing(x *trial) {
	x.meet(flooded, neighbour)
	x.hold(stop)
	x.until("the first refusal", func() bool { return refusal(x.ask(1, flooded)) })
	x.Door.Enforce(nil)
	x.until("the first that is let in", func() bool { return x.ask(1, flooded) == http.StatusOK })
	if let := x.askAll(100); let < 100 {
		x.Errorf("%d of 100 clients were let in after the release", let)
	}
}

// crowd is so many that chance alone strays by more than 2 points, from a fraction
// of 300 permille, once in 80,000 runs.
const crowd = 10_000

func admitting(x *trial) {
	x.meet(flooded, neighbour)
	x.hold(func(m *shield.Measure) { m.Admit = 300 })
	client := 0
	x.until("the first refusal", func() bool { client++; return x.ask(client, flooded) == http.StatusTooManyRequests })
	let := x.askAll(crowd)
	off := float64(let)/crowd - 0.3
	x.Logf("%d of %d clients were let in: %+.2f points", let, crowd, 100*off)
	if math.Abs(off) > 0.02 {
		x.Errorf("%d of %d clients were let in, want 30 %% within 2 points", let, crowd)
	}
}

// turn is the one of shield.StickyFor in which a moment lies.
func turn() int64 { return time.Now().UnixNano() / int64(shield.StickyFor) }

func sticking(x *trial) {
	x.meet(flooded)
	x.hold(func(m *shield.Measure) { m.Admit = 500 })
	client := 0
	x.until("the first refusal", func() bool { client++; return refusal(x.ask(client, flooded)) })
	in, out := 0, 0
	for i := range 40 {
		x.until("a turn in which nothing was drawn anew", func() bool {
			now, first, same := turn(), x.ask(i, flooded), true
			for range 5 {
				same = x.ask(i, flooded) == first && same
			}
			if turn() != now {
				return false
			}
			if !same {
				x.Fatalf("client %d was let in and refused within one turn", i)
			}
			if first == http.StatusOK {
				in++
			} else {
				out++
			}
			return true
		})
	}
	if in == 0 || out == 0 {
		x.Errorf("of 40 clients %d are in and %d out, want about half", in, out)
	}
}

// capping asks for a while as fast as it can, which is many times the cap. A door
// that counted what is asked would let nobody in from the second second on.
func capping(x *trial) {
	const most, burst, seconds = 20, 10, 4
	x.meet(flooded)
	x.hold(func(m *shield.Measure) { m.Cap, m.Burst = most, burst })
	x.until("the first refusal", func() bool { return refusal(x.ask(1, flooded)) })
	let, asked, late := 0, 0, 0
	began := time.Now()
	for time.Since(began) < seconds*time.Second {
		asked++
		if x.ask(asked, flooded) == http.StatusOK {
			let++
			if time.Since(began) > seconds*time.Second/2 {
				late++
			}
		}
	}
	took := time.Since(began).Seconds()
	x.Logf("%d of %d were let in within %.1f s, %d of them in the second half", let, asked, took, late)
	if limit := most*(took+1) + burst; float64(let) > limit {
		x.Errorf("%d were let in, want at most %.0f", let, limit)
	}
	if asked > 4*let && late < most*seconds/8 {
		x.Errorf("%d were let in in the second half, want about %d: the cap counts what was refused", late, most*seconds/2)
	}
}

func expiring(x *trial) {
	x.meet(flooded)
	x.hold(func(m *shield.Measure) { stop(m); m.Until = time.Now().Add(3 * time.Second) })
	x.until("the first refusal", func() bool { return refusal(x.ask(1, flooded)) })
	x.until("the first that is let in", func() bool { return x.ask(1, flooded) == http.StatusOK })
}

func abandoned(x *trial) {
	if x.Abandon == nil {
		x.Skip("the door ends with its agent")
	}
	x.meet(flooded)
	x.hold(stop)
	x.until("the first refusal", func() bool { return refusal(x.ask(1, flooded)) })
	x.Abandon()
	x.until("the first that is let in", func() bool { return x.ask(1, flooded) == http.StatusOK })
}

func shadowing(x *trial) {
	x.meet(flooded, neighbour)
	x.hold(func(m *shield.Measure) { stop(m); m.Shadow = true })
	for range 3 {
		if let := x.askAll(100); let < 100 {
			x.Fatalf("%d of 100 clients were let in, want all: it is a shadow", let)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func counting(x *trial) {
	x.meet(flooded, neighbour)
	x.hold(func(m *shield.Measure) { m.Admit = 500 })
	client := 0
	x.until("the first refusal", func() bool { client++; return refusal(x.ask(client, flooded)) })
	total, before := x.settled()
	const asked = 1000
	refused := asked - x.askAll(asked)
	var after shield.Count
	x.until("all is counted", func() bool {
		after = x.read()
		return after.Total-before.Total >= asked && after.Refused-before.Refused >= uint32(refused)
	})
	if got := after.Total - before.Total; got != asked {
		x.Errorf("%d requests were counted, want %d", got, asked)
	}
	if got := after.Refused - before.Refused; got != uint32(refused) {
		x.Errorf("%d refusals were counted, want %d", got, refused)
	}
	now, _ := x.settled()
	neighbours := uint64(asked / 100)
	if got := now.Asked - total.Asked; got != asked+neighbours {
		x.Errorf("%d requests of all were counted, want %d", got, asked+neighbours)
	}
	if got, want := now.Served-total.Served, asked-uint64(refused)+neighbours; got != want {
		x.Errorf("%d were counted as served, want %d", got, want)
	}
}

// read gives what was counted of the flooded subdomain.
func (x *trial) read() (read shield.Count) {
	_, counts := x.Door.Rotate(learnAll, []shield.Key{keyOf(flooded)})
	for _, c := range counts {
		if c.Key == keyOf(flooded) {
			read = c
		}
	}
	return read
}

// settled waits until what was asked is counted: two readings half a second apart
// are the same.
func (x *trial) settled() (total count.Total, read shield.Count) {
	x.until("nothing more is counted", func() bool {
		time.Sleep(500 * time.Millisecond)
		now, _ := x.Door.Rotate(learnAll, nil)
		same := now == total
		total = now
		return same
	})
	return total, x.read()
}

// bucketing: names that nobody has answered for are one subdomain, so a flood of
// made-up names is held as one; who is known is not held with them.
func bucketing(x *trial) {
	x.meet(neighbour)
	bucket, _ := shield.ParentKeyOf(Salt, []byte(neighbour))
	name, _ := shield.Bucket([]byte(neighbour))
	x.Door.Enforce(shield.NewMeasures([]shield.Measure{{
		Key: bucket, Host: name, Rung: shield.Stop, Since: time.Now(), Until: time.Now().Add(time.Hour),
	}}))
	i := 0
	x.until("the first refusal of a made-up name", func() bool {
		i++
		return refusal(x.ask(1, fmt.Sprintf("made-up-%d.tenants.example", i)))
	})
	for range 100 {
		i++
		if status := x.ask(1, fmt.Sprintf("made-up-%d.tenants.example", i)); !refusal(status) {
			x.Fatalf("a made-up name was answered with %d", status)
		}
	}
	if status := x.ask(1, neighbour); status != http.StatusOK {
		x.Errorf("who is known was answered with %d", status)
	}
}

// nameless: what is answered well under a Host that is no name is counted with all that have
// none, and so is what has no dot and nobody knows. Otherwise such requests would be in the
// total, and nobody could be held for them.
func nameless(x *trial) {
	x.meet(neighbour, "localhost")
	odd := slices.DeleteFunc([]string{"a..b", "x..tenants.example", ".tenants.example", ".", ":::", "[::", "a..b.", ".."}, func(host string) bool {
		return x.ask(1, host) != http.StatusOK // nobody behind the door ever hears of it
	})
	if !x.HasDefault && x.ask(1, noHost) == http.StatusOK {
		odd = append(odd, noHost)
	}
	x.settled() // those whom a door gets to know, it knows by now
	x.Door.Enforce(shield.NewMeasures([]shield.Measure{{
		Key: shield.Nameless, Rung: shield.Stop, Since: time.Now(), Until: time.Now().Add(time.Hour),
	}}))
	i := 0
	x.until("the first refusal", func() bool { i++; return refusal(x.ask(1, fmt.Sprintf("made-up-%d", i))) })
	for _, host := range append(odd, "made-up-at-last", "[::1]") {
		if status := x.ask(1, host); !refusal(status) {
			x.Errorf("Host %q was answered with %d, want what the nameless are", host, status)
		}
	}
	for _, host := range []string{neighbour, "localhost"} {
		if status := x.ask(1, host); status != http.StatusOK {
			x.Errorf("%s, who is known, was answered with %d", host, status)
		}
	}
}

func restarting(x *trial) {
	x.meet(flooded, neighbour)
	x.hold(stop)
	x.until("the first refusal", func() bool { return refusal(x.ask(1, flooded)) })
	x.Restart()
	x.until("the first refusal after the restart", func() bool {
		status, err := x.try(1, flooded)
		return err == nil && refusal(status)
	})
	if status := x.ask(1, neighbour); status != http.StatusOK {
		x.Errorf("somebody else was answered with %d", status)
	}
}

// bounded: each of many hosts asks a few times, and one asks for much. A tick
// tells of the one, and not of all.
func bounded(x *trial) {
	const hosts = 1500
	x.meet(flooded)
	for i := range hosts {
		x.ask(i, fmt.Sprintf("tenant-%d.tenants.example", i))
	}
	if let := x.askAll(2 * hosts); let < 2*hosts {
		x.Fatalf("%d of %d were let in, and nobody was held", let, 2*hosts)
	}
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, counts := x.Door.Rotate(learnAll, nil); len(counts) > hosts/2 {
			x.Fatalf("a tick tells of %d subdomains", len(counts))
		}
	}
}
