package haproxy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"moonwatch/shield/count"
)

// hotShare: subdomains with more than 1/hotShare of all requests are told of, so
// a poll has about that many lines at most, however many subdomains there are.
const hotShare = 256

// look asks what was counted and books it.
func (d *Door) look(ctx context.Context) error {
	if err := d.gauge(ctx); err != nil {
		return err
	}
	var commands []string
	if !d.down {
		// The lease, first of all: it says that somebody is there who decides. Who could
		// not put the map right in the last round lets it run out: nobody knows what the
		// map holds, and for how long.
		commands = append(commands, "set table "+doorTable+" key lease data.gpc0 1")
	}
	commands = append(commands,
		fmt.Sprintf("show table %s data.http_req_rate gt %d", hostsTable, d.totals.rate/hotShare),
		"show table "+totalTable,
		"show stat "+d.cfg.Frontend+" 1 -1",
	)
	for _, b := range d.cfg.Backends {
		commands = append(commands, "show stat "+b+" 2 -1")
	}
	wanted, _ := d.room.Wanted()
	for _, raw := range wanted {
		commands = append(commands, "show table "+hostsTable+" key "+raw)
	}
	answer, err := d.ask(ctx, commands)
	if err != nil {
		return err
	}
	p, err := parsePoll(answer)
	if err != nil {
		return err
	}
	if err := p.complete(d.cfg.Frontend, d.cfg.Backends); err != nil {
		return err
	}
	d.book(p)
	return nil
}

// gauge asks for the rate of all requests, if that is not known: who is above which
// part of it is asked for next, and without it that would be everybody.
func (d *Door) gauge(ctx context.Context) error {
	if d.totals.known {
		return nil
	}
	answer, err := d.ask(ctx, []string{"show stat " + d.cfg.Frontend + " 1 -1"})
	if err != nil {
		return err
	}
	p, err := parsePoll(answer)
	if err != nil {
		return err
	}
	d.totals.rate = p.stat[d.cfg.Frontend]["req_rate"]
	return nil
}

// book takes in what a poll said.
func (d *Door) book(p *poll) {
	if p.stat[d.cfg.Frontend]["req_tot"] < d.totals.last.asked {
		d.mended = time.Time{} // another process: it has forgotten the map
	}
	grown, busy := d.totals.book(p, d.cfg.Frontend)
	// As at the gateway: one answer in twenty, and at least three.
	trouble := busy >= 3 && busy*20 >= grown.Asked-min(grown.Asked, grown.Refused)
	for _, b := range d.cfg.Backends {
		trouble = trouble || p.stat[b]["qcur"] > 0
	}
	d.room.Book(count.Answer{Hosts: p.hosts, Known: p.used, Full: p.size > 0 && p.used >= p.size, Grown: grown, Trouble: trouble})
}

// totals follow HAProxy's counters, which begin anew with each of its processes.
type totals struct {
	known bool // there is an earlier reading
	last  reading
	rate  uint64 // requests a second, lately
}

type reading struct{ asked, good, shed, stopped, busy uint64 }

// book gives by how much they grew since the last reading, and how many answers of 503
// there were.
func (t *totals) book(p *poll, frontend string) (grown count.Total, busy uint64) {
	f := p.stat[frontend]
	now := reading{
		asked: f["req_tot"], good: f["hrsp_1xx"] + f["hrsp_2xx"] + f["hrsp_3xx"] + f["hrsp_4xx"],
		shed: p.all["shed"], stopped: p.all["stopped"], busy: p.all["503"],
	}
	t.rate = f["req_rate"]
	was := t.last
	t.last = now
	if !t.known { // what was counted while nobody looked is nobody's tick
		t.known = true
		return count.Total{}, 0
	}
	asked, good := count.Grown(now.asked, was.asked), count.Grown(now.good, was.good)
	shed, stopped := count.Grown(now.shed, was.shed), count.Grown(now.stopped, was.stopped)
	busy = count.Grown(now.busy, was.busy)
	// A refusal of 429 counts as 4xx.
	return count.Total{Asked: asked, Refused: shed + stopped, Served: good - min(good, shed)}, busy
}

// poll is what HAProxy said.
type poll struct {
	hosts      []count.Reading
	all        map[string]uint64            // of all hosts: shed, stopped, 503
	stat       map[string]map[string]uint64 // by proxy and column
	used, size int                          // of the table of hosts
	tables     map[string]bool
}

var errEntry = errors.New("haproxy's table has a line that is not understood")

// parsePoll reads the answers, which come one after another. It accepts fields and
// columns that it does not know, and nothing else that it does not know.
func parsePoll(answer string) (*poll, error) {
	p := &poll{all: map[string]uint64{}, stat: map[string]map[string]uint64{}, tables: map[string]bool{}}
	table := ""
	var columns []string
	for line := range strings.Lines(answer) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "":
			columns = nil
		case strings.HasPrefix(line, "# table: "):
			if table = p.begin(line); table == "" {
				return nil, odd(line)
			}
		case strings.HasPrefix(line, "# pxname,"):
			columns = strings.Split(line[2:], ",")
		case strings.HasPrefix(line, "0x") && table != "":
			if err := p.entry(table, line); err != nil {
				return nil, err
			}
		case columns != nil:
			p.row(columns, strings.Split(line, ","))
		default:
			return nil, odd(line)
		}
	}
	return p, nil
}

// begin reads "# table: moonwatch_hosts, type: string, size:102400, used:3".
func (p *poll) begin(line string) string {
	name, rest, _ := strings.Cut(strings.TrimPrefix(line, "# table: "), ",")
	if name != hostsTable && name != totalTable {
		return ""
	}
	p.tables[name] = true
	if name == hostsTable {
		for part := range strings.SplitSeq(rest, ",") {
			what, n, _ := strings.Cut(strings.TrimSpace(part), ":")
			value, err := strconv.Atoi(strings.TrimSpace(n))
			switch {
			case what == "size" && err == nil:
				p.size = value
			case what == "used" && err == nil:
				p.used = value
			}
		}
	}
	return name
}

// entry reads "0x55: key=www.example.com use=0 exp=599266 http_req_cnt=2 ...".
func (p *poll) entry(table, line string) error {
	_, rest, found := strings.Cut(line, "key=")
	key, fields, ended := strings.Cut(rest, " use=")
	if !found || !ended {
		return fmt.Errorf("%w: %.100q", errEntry, line)
	}
	values := map[string]uint64{}
	for field := range strings.FieldsSeq(fields) {
		what, n, is := strings.Cut(field, "=")
		if value, err := strconv.ParseUint(n, 10, 64); is && err == nil {
			name, _, _ := strings.Cut(what, "(") // http_req_rate(1000)
			values[name] = value
		}
	}
	if table == totalTable {
		p.all[key] = values["gpc0"]
		return nil
	}
	for _, want := range []string{"http_req_cnt", "http_req_rate", "gpc1"} {
		if _, has := values[want]; !has {
			return fmt.Errorf("%w: %.100q, want %s in it: take over the tables of configs/haproxy/moonwatch.cfg", errEntry, line, want)
		}
	}
	p.hosts = append(p.hosts, count.Reading{Name: key, Asked: values["http_req_cnt"], Lately: values["http_req_rate"], Refused: values["gpc1"]})
	return nil
}

func (p *poll) row(columns, values []string) {
	if len(values) < 2 || values[1] != "FRONTEND" && values[1] != "BACKEND" {
		return
	}
	row := map[string]uint64{}
	for i, name := range columns[:min(len(columns), len(values))] {
		if n, err := strconv.ParseUint(values[i], 10, 64); err == nil {
			row[name] = n
		}
	}
	p.stat[values[0]] = row
}

// complete refuses an answer that was cut short, or is another program's.
func (p *poll) complete(frontend string, backends []string) error {
	for _, t := range []string{hostsTable, totalTable} {
		if !p.tables[t] {
			return fmt.Errorf("haproxy does not tell of table %s", t)
		}
	}
	if _, ok := p.stat[frontend]["req_tot"]; !ok {
		return fmt.Errorf("haproxy does not tell of requests to frontend %s, want one of mode http", frontend)
	}
	for _, b := range backends {
		if _, ok := p.stat[b]["qcur"]; !ok {
			return fmt.Errorf("haproxy does not tell of backend %s", b)
		}
	}
	return nil
}
