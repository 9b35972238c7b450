package dns

import (
	"context"
	"errors"
	"net/netip"

	"github.com/miekg/dns"

	"moonwatch/failover/driver"
)

// message is a change as an update with its prerequisites.
func (d *Driver) message(c change) *dns.Msg {
	m := new(dns.Msg).SetUpdate(d.config.Zone)
	if c.now.marked {
		m.Used([]dns.RR{d.txt(c.aim.mark, c.now.route, c.now.markedFor)})
	} else {
		m.RRsetNotUsed([]dns.RR{d.txt(c.aim.mark, c.want, c.aim.address)})
	}
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		var present []dns.RR
		for _, address := range c.now.addresses {
			if rr := d.address(c.aim.name, address); rr.Header().Rrtype == kind {
				present = append(present, rr)
			}
		}
		m.Used(present)
		if len(present) == 0 {
			m.RRsetNotUsed([]dns.RR{&dns.ANY{Hdr: dns.RR_Header{Name: c.aim.name, Rrtype: kind}}})
		}
	}
	for _, address := range c.gone {
		m.Remove([]dns.RR{d.address(c.aim.name, address)})
	}
	for _, address := range c.come {
		m.Insert([]dns.RR{d.address(c.aim.name, address)})
	}
	m.RemoveRRset([]dns.RR{d.txt(c.aim.mark, c.want, c.aim.address)})
	m.Insert([]dns.RR{d.txt(c.aim.mark, c.want, c.aim.address)})
	return m
}

// update makes a change. It conflicts if the records are not as they were read;
// then nothing was changed.
func (d *Driver) update(ctx context.Context, c change) (result driver.Result, conflict bool) {
	conn, end, err := d.session(ctx)
	if err != nil {
		return driver.Retryable.Because("%s: not done: %v", c.aim.req, err), false
	}
	defer end()
	answer, err := d.exchange(ctx, conn, d.message(c))
	switch {
	case errors.Is(err, errSetup):
		return driver.Permanent.Because("%s: %v", c.aim.req, err), false
	case errors.Is(err, errClocks):
		return driver.Retryable.Because("%s: not done: %v", c.aim.req, err), false
	case err != nil:
		return driver.Unknown.Because("%s: sent, and then: %v", c.aim.req, err), false
	}
	rcode := dns.RcodeToString[answer.Rcode]
	switch answer.Rcode {
	case dns.RcodeSuccess:
		return driver.Done.Because("%s: %s", c.aim.req, c), false
	case dns.RcodeNXRrset, dns.RcodeYXRrset, dns.RcodeNameError, dns.RcodeYXDomain:
		return driver.Result{}, true
	case dns.RcodeRefused, dns.RcodeNotAuth, dns.RcodeNotZone, dns.RcodeNotImplemented, dns.RcodeFormatError:
		return driver.Permanent.Because("%s: the server answers %s: it has to let key %s change zone %s",
			c.aim.req, rcode, d.config.Key.Name, d.config.Zone), false
	default:
		return driver.Unknown.Because("%s: the server answers %s", c.aim.req, rcode), false
	}
}

func (d *Driver) header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: uint32(d.config.TTL.Seconds())}
}

func (d *Driver) address(name string, address netip.Addr) dns.RR {
	if address.Is4() {
		return &dns.A{Hdr: d.header(name, dns.TypeA), A: address.AsSlice()}
	}
	return &dns.AAAA{Hdr: d.header(name, dns.TypeAAAA), AAAA: address.AsSlice()}
}

func (d *Driver) txt(name string, r driver.Route, address netip.Addr) dns.RR {
	return &dns.TXT{Hdr: d.header(name, dns.TypeTXT), Txt: []string{r.Mark(), address.String()}}
}
