// Package conform says in checks what every door of the shield has to keep, and
// runs them over a real one by asking it as clients do.
//
// Who is held is refused, and everybody else never; of who is stopped, a certificate
// authority is let in now and then. The admitted fraction is right
// within 2 points, the same clients are in it for a while, and a cap holds what is
// admitted and not what is asked for. A release lets in again; so does a measure
// that nobody renews, and the end of whoever decides. A shadow does nothing. What
// is counted is what was asked, refusals included. A door that is started anew does
// again what it was told, without being told. What a tick costs is bounded, whatever
// names clients invent.
//
// It is imported by tests alone.
package conform

import (
	"testing"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/count"
)

// Salt is what the doors under test make their keys with.
const Salt = 42

// Door is what whoever decides needs of a door.
type Door interface {
	Enforce(*shield.Measures)
	Rotate(learn int, wanted []shield.Key) (count.Total, []shield.Count)
}

// Subject is a kind of door.
type Subject struct {
	// Fresh opens a door, alike each time, that counts with Salt.
	Fresh func(t *testing.T) *Target
	// NoRestart says why a door cannot be started anew without its agent.
	NoRestart string
	// NoBuckets says why unknown names are not counted together.
	NoBuckets string
}

// Target is one open door.
type Target struct {
	Door Door
	// Addr is where clients ask, over HTTP/1.1. What they are told in answer to "/" and to
	// paths of a certificate authority is 200 unless the door refuses, whatever the Host.
	Addr string
	// Abandon ends whoever tells the door what to do, as a crash would. The door
	// itself goes on.
	Abandon func()
	// HasDefault says that who names no Host asks for a name that the door has for that.
	HasDefault bool
	// Restart ends the door as a crash would and starts it anew, empty.
	Restart func()
}

// Run runs all checks.
func Run(t *testing.T, s Subject) {
	for _, c := range []struct {
		claim string
		check func(*trial)
		not   string
	}{
		{"who is stopped is refused, and nobody else", stopping, ""},
		{"who is stopped can renew its certificate, and nothing else comes in by that", renewing, ""},
		{"a name is one name however it is written, and no Host harms anybody else", naming, ""},
		{"a release lets in again", releasing, ""},
		{"the admitted fraction is right", admitting, ""},
		{"a client keeps its decision", sticking, ""},
		{"a cap holds what is admitted, not what is asked", capping, ""},
		{"what is not renewed ends", expiring, ""},
		{"without whoever decides everybody is let in", abandoned, ""},
		{"a shadow does nothing", shadowing, ""},
		{"what is asked is counted, refusals included", counting, ""},
		{"unknown names are held together, known ones alone", bucketing, s.NoBuckets},
		{"what is no name is held together, and nothing without a dot has a bucket", nameless, ""},
		{"a door that is started anew does as it was told", restarting, s.NoRestart},
		{"a tick is bounded, whoever asks", bounded, ""},
	} {
		t.Run(c.claim, func(t *testing.T) {
			if c.not != "" {
				t.Skip(c.not)
			}
			c.check(&trial{T: t, Target: s.Fresh(t)})
		})
	}
}

// patience is how long a check waits for what has to come. It is long for the sake
// of machines that have other things to do; how long it took is logged.
const patience = 30 * time.Second

// trial is one check of one door.
type trial struct {
	*testing.T
	*Target
}

// The subdomains of the checks. The flooded one's parent is not its neighbour's.
const (
	flooded   = "flooded.tenants.example"
	neighbour = "neighbour.tenants.example"
)

func keyOf(host string) shield.Key { return shield.KeyOf(Salt, []byte(host)) }

// hold holds the flooded subdomain for an hour.
func (x *trial) hold(change func(*shield.Measure)) {
	m := shield.Measure{
		Key: keyOf(flooded), Host: flooded, Rung: shield.ShapeLocal, Admit: shield.Whole, Limit: 100,
		Since: time.Now(), Until: time.Now().Add(time.Hour),
	}
	change(&m)
	x.Door.Enforce(shield.NewMeasures([]shield.Measure{m}))
}

func stop(m *shield.Measure) { m.Rung, m.Admit = shield.Stop, 0 }

// meet lets the door serve hosts until it counts them alone.
func (x *trial) meet(hosts ...string) {
	x.Helper()
	for _, host := range hosts {
		x.until("the door gets to know "+host, func() bool {
			x.ask(0, host)
			_, counts := x.Door.Rotate(learnAll, []shield.Key{keyOf(host)})
			for _, c := range counts {
				if c.Key == keyOf(host) && c.Total > 0 {
					return true
				}
			}
			return false
		})
	}
}

const learnAll = 10_000

// until waits for what has to come, and logs how long that took.
func (x *trial) until(what string, done func() bool) {
	x.Helper()
	began := time.Now()
	for !done() {
		if time.Since(began) > patience {
			x.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(time.Millisecond)
	}
	x.Logf("%s: after %v", what, time.Since(began).Round(100*time.Microsecond))
}
