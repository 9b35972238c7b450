package daemon

import (
	"net/http"
	"time"

	"moonwatch/shield"
	"moonwatch/status"
)

// serveShield tells what this agent's door sees and does about subdomains, and
// with ?host= how one of them is treated.
func (d *Daemon) serveShield(w http.ResponseWriter, r *http.Request) {
	now := d.shielding.document.Load()
	if now == nil {
		reply(w, http.StatusNotFound, map[string]string{"error": "this agent has no door: ask one with a gateway, a HAProxy or another door"})
		return
	}
	doc := *now
	if host := r.URL.Query().Get("host"); host != "" {
		x := d.explainHost(host)
		doc.Host = &x
	}
	reply(w, http.StatusOK, doc)
}

// shieldSeen is what this agent knows of the shield: what its door sees and does, or
// without one, what the ledger says.
func (d *Daemon) shieldSeen() status.ShieldDocument {
	if now := d.shielding.document.Load(); now != nil {
		return *now
	}
	now := time.Now().UTC()
	if p := d.page.Load(); p != nil {
		now = p.Now.UTC() // the document is the same as long as what is known is: its page is kept
	}
	doc := status.ShieldDocument{Schema: status.Schema, Now: now, Throttles: []status.ShieldThrottle{}}
	if r := d.shielding.ruling.Load(); r != nil {
		doc.AllDoors, doc.Throttles = r.doors, status.ThrottledBy(r.stands, doc.Now)
	}
	return doc
}

// explainHost says under what a host is counted, and what is done about that.
func (d *Daemon) explainHost(host string) status.ShieldHost {
	key, name, ok := d.shielding.keyOf(host)
	x := status.ShieldHost{Host: string(name), Counted: string(name)}
	measures := d.door.Measures()
	switch {
	case !ok:
		x.Counted = ""
	case !d.door.Counts(key) && measures.Find(key) == nil:
		// Not one request was counted under its own name.
		key, x.Counted = shield.Nameless, ""
		if parent, has := shield.ParentKeyOf(d.shielding.salt, name); has {
			key = parent
			x.Counted, _ = shield.Bucket(name)
		}
	}
	x.Weight = 1
	policy := policyOf(d.shielding.fleet.Load())
	if w, own := policy.Weights[x.Counted]; own {
		x.Weight = w
	}
	if r := d.shielding.ruling.Load(); r != nil {
		for _, t := range status.ThrottledBy(r.stands, time.Now()) {
			if t.Host == x.Counted || t.Host == x.Host {
				x.Throttle = &t
			}
		}
	}
	if m := measures.Find(key); m != nil {
		held := status.HeldBy(*m, shield.CapacityFor(policy))
		x.Held = &held
	}
	return x
}
