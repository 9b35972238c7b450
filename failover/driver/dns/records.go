package dns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"moonwatch/failover/driver"
)

// records are what the server has for a slot.
type records struct {
	route     driver.Route // by the mark
	marked    bool
	markedFor netip.Addr   // the address that the mark names
	addresses []netip.Addr // all under the slot's name, sorted
}

func (d *Driver) read(ctx context.Context, a aim) (records, error) {
	conn, end, err := d.session(ctx)
	if err != nil {
		return records{}, err
	}
	defer end()
	var r records
	marks, err := d.query(ctx, conn, a.mark, dns.TypeTXT)
	if err != nil {
		return records{}, err
	}
	if err := r.parseMarks(a, marks); err != nil {
		return records{}, err
	}
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		found, err := d.query(ctx, conn, a.name, kind)
		if err != nil {
			return records{}, err
		}
		for _, rr := range found {
			address, ok := addressOf(rr)
			if !ok {
				return records{}, fmt.Errorf("record %q is none that was asked for", rr)
			}
			r.addresses = append(r.addresses, address)
		}
	}
	slices.SortFunc(r.addresses, netip.Addr.Compare)
	return r, nil
}

// query asks for the records of one name and kind.
func (d *Driver) query(ctx context.Context, conn net.Conn, name string, kind uint16) ([]dns.RR, error) {
	m := new(dns.Msg).SetQuestion(name, kind)
	m.RecursionDesired = false
	answer, err := d.exchange(ctx, conn, m)
	if err != nil {
		return nil, err
	}
	rcode := dns.RcodeToString[answer.Rcode]
	switch {
	case answer.Rcode == dns.RcodeRefused || answer.Rcode == dns.RcodeNotAuth:
		return nil, fmt.Errorf("%w: it answers %s to key %s", errSetup, rcode, d.config.Key.Name)
	case answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError:
		return nil, fmt.Errorf("the server answers %s", rcode)
	case !answer.Authoritative || answer.Truncated:
		return nil, fmt.Errorf("%w: it is not authoritative for %s", errSetup, name)
	}
	for _, rr := range answer.Answer {
		if h := rr.Header(); dns.CanonicalName(h.Name) != name || h.Rrtype != kind {
			return nil, fmt.Errorf("%w: %s has %q, want records of kind %s only", errSetup, name, rr, dns.TypeToString[kind])
		}
	}
	return answer.Answer, nil
}

func (r *records) parseMarks(a aim, marks []dns.RR) error {
	if len(marks) == 0 {
		return nil
	}
	txt, ok := marks[0].(*dns.TXT)
	if !ok || len(marks) != 1 || len(txt.Txt) != 2 {
		return fmt.Errorf("%w: %s has %q, want one TXT record with mark and address", errSetup, a.mark, marks)
	}
	route, err := driver.ParseMark(a.req.Slot, txt.Txt[0])
	if err != nil {
		return fmt.Errorf("%w: %s: %w", errSetup, a.mark, err)
	}
	address, err := netip.ParseAddr(txt.Txt[1])
	if err != nil {
		return fmt.Errorf("%w: %s: %w", errSetup, a.mark, err)
	}
	r.route, r.marked, r.markedFor = route, true, address
	return nil
}

func addressOf(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		address, ok := netip.AddrFromSlice(rr.A)
		return address.Unmap(), ok
	case *dns.AAAA:
		return netip.AddrFromSlice(rr.AAAA)
	default:
		return netip.Addr{}, false
	}
}

// String reads as part of a sentence.
func (r records) String() string {
	return fmt.Sprintf("%s by its mark, addresses %s", r.route, r.addresses)
}

// change is an update from what was read to what is wanted.
type change struct {
	aim  aim
	now  records
	want driver.Route
	gone []netip.Addr // taken away
	come []netip.Addr // added
}

// String says what would be done.
func (c change) String() string {
	return fmt.Sprintf("change %s from %s: take away %s, add %s, and mark %s as %s at %s",
		c.aim.name, c.now, c.gone, c.come, c.aim.mark, c.want.Mark(), c.aim.address)
}

// weigh holds the records against a request, as driver.Compare holds a mark. It
// is Unknown if the mark is as wanted and the addresses are not.
func weigh(a aim, now records) (change, driver.Result) {
	want, answer := driver.Compare(a.req, now.route, now.marked)
	c := change{aim: a, now: now, want: want}
	if answer.Outcome == driver.Refused || answer.Outcome == driver.Permanent {
		return c, answer
	}
	if !a.address.IsValid() && want.Drained && now.marked { // nobody may know any more where a lost member was
		a.address = now.markedFor
		c.aim = a
	}
	if !a.address.IsValid() {
		return c, driver.Permanent.Because("%s: nobody knows the address of %s", a.req, a.req.Member)
	}
	has := func(address netip.Addr) bool { return slices.Contains(now.addresses, address) }
	if now.marked && now.markedFor != a.address && has(now.markedFor) {
		c.gone = append(c.gone, now.markedFor)
	}
	switch {
	case want.Drained && has(a.address):
		c.gone = append(c.gone, a.address)
	case !want.Drained && !has(a.address):
		c.come = append(c.come, a.address)
	}
	switch {
	case len(c.gone) > 0 && len(c.gone) == len(now.addresses) && len(c.come) == 0:
		return c, driver.Permanent.Because("%s: not done: %s would have no address left, and resolvers would remember that", a.req, a.name)
	case answer.Outcome == driver.Done && len(c.gone)+len(c.come) == 0 && now.markedFor == a.address:
		return c, driver.Done.Because("%s: %s has %s", a.req, a.name, now)
	case answer.Outcome == driver.Done:
		return c, driver.Unknown.Because("%s: %s has %s: its addresses were changed by somebody else", a.req, a.name, now)
	default:
		return c, driver.Retryable.Because("%s: %s has %s, want %s at %s", a.req, a.name, now, want, a.address)
	}
}
