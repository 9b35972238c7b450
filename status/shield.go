package status

import (
	"time"

	"moonwatch/member"
	"moonwatch/shield"
)

// ShieldDocument is what `moonwatch shield` shows: what one door sees and does.
// Rates are of the fleet as that door knows it.
type ShieldDocument struct {
	Schema int       `json:"schema"`
	Now    time.Time `json:"now"`
	Door   member.ID `json:"door"`

	Mode     string  `json:"mode"`              // off, shadow or enforce
	Problem  string  `json:"problem,omitempty"` // why the door does not do as it is told; its traffic passes
	Unit     string  `json:"unit,omitempty"`    // of capacity, demand and limit: requests a second, or "time": requests at once
	Capacity float64 `json:"capacity"`          // 0: not known, and so nobody is held
	Learned  bool    `json:"learned"`           // nobody has configured it
	Asked    float64 `json:"asked"`             // requests a second, refused ones included
	Admitted float64 `json:"admitted"`
	Pressure float64 `json:"pressure"` // what is asked for / capacity
	Overload bool    `json:"overload"` // too much, and nobody in particular is to blame

	Subdomains int          `json:"subdomains"` // that are known
	Full       bool         `json:"full"`       // there is no room for more
	Doors      []member.ID  `json:"doors"`      // that are heard, this one among them
	AllDoors   []member.ID  `json:"all_doors"`  // that there are: of fleet.yaml, without those under a verdict
	Top        []ShieldLine `json:"top"`        // the heaviest first
	Held       []ShieldHeld `json:"held"`
	Notes      []ShieldNote `json:"notes"` // the newest last

	// Throttles are what this agent's ledger says of subdomains: on which rung the
	// doors' votes or people have put them.
	Throttles []ShieldThrottle `json:"throttles"`

	Host *ShieldHost `json:"host,omitempty"` // if one was asked about
}

// ShieldLine is one subdomain as all doors see it.
type ShieldLine struct {
	Host     string  `json:"host"` // empty: this door has not seen its name
	Asked    float64 `json:"asked"`
	Admitted float64 `json:"admitted"`
}

// ShieldHeld is a subdomain of which a part is let in.
type ShieldHeld struct {
	Host   string    `json:"host"`
	Rung   string    `json:"rung"`
	Shadow bool      `json:"shadow"` // it would be held
	Admit  int       `json:"admit_permille"`
	Demand float64   `json:"demand"` // in the document's unit
	Limit  float64   `json:"limit"`
	Cap    float64   `json:"cap"` // requests a second that this door lets in at most; 0: no cap
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"` // it ends by itself if it is not renewed
	Why    string    `json:"why"`
	Doors  []string  `json:"doors"`        // by whose evidence, or by whose votes
	By     string    `json:"by,omitempty"` // the operator who pinned it
}

// ShieldThrottle is one word of the ledger about a subdomain.
type ShieldThrottle struct {
	Host  string      `json:"host"`
	Rung  string      `json:"rung"`            // observe: people want it left alone
	Doors []member.ID `json:"doors,omitempty"` // that voted
	By    string      `json:"by,omitempty"`    // the operator who pinned it; empty: the doors voted
	Why   string      `json:"why"`
	Since time.Time   `json:"since"`
	Until time.Time   `json:"until"`
}

// ThrottledBy puts what stands in a ledger into words.
func ThrottledBy(s shield.Standing, now time.Time) []ShieldThrottle {
	out := []ShieldThrottle{}
	for _, t := range s.At(now) {
		out = append(out, ShieldThrottle{Host: t.Host, Rung: t.Rung.String(), Doors: t.Doors, By: t.By, Why: t.Why, Since: t.Since.UTC(), Until: t.Until.UTC()})
	}
	return out
}

// HeldBy puts a measure into words.
func HeldBy(m shield.Measure, unit shield.CapacityRules) ShieldHeld {
	return ShieldHeld{
		Host: m.Host, Rung: m.Rung.String(), Shadow: m.Shadow, Admit: m.Admit, Demand: unit.InUnit(m.Demand), Limit: unit.InUnit(m.Limit), Cap: m.Cap,
		Since: m.Since.UTC(), Until: m.Until.UTC(), Why: m.Why, Doors: m.Doors, By: m.By,
	}
}

// ShieldNote is what the door decided at a moment.
type ShieldNote struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	Host string    `json:"host,omitempty"`
	Text string    `json:"text"`
}

// ShieldHost says how one host is treated, whatever it is counted under.
type ShieldHost struct {
	Host    string      `json:"host"`    // in its normal form; empty: it is no name
	Counted string      `json:"counted"` // under which name: its own, the bucket of unknown names, or none
	Weight  float64     `json:"weight"`  // of that in sharing out the capacity, 1 if fleet.yaml names none
	Held    *ShieldHeld `json:"held,omitempty"`
	// Throttle is what the ledger says of it, also where this door does not do it.
	Throttle *ShieldThrottle `json:"throttle,omitempty"`
}
