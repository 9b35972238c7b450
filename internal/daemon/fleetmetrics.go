package daemon

import (
	"math"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/status"
)

// fleetMetrics are the page in numbers: what this agent's copy of the ledger says of
// the fleet. Every agent exports the same, so a graph asks for those whose knowledge is
// young (configs/prometheus/moonwatch-rules.yml).
type fleetMetrics struct {
	members, slots, spares, held                 *prometheus.GaugeVec
	accused, unlisted                            prometheus.Gauge
	openCases, freeSpares, escalated, caseAge    prometheus.Gauge
	poolsShort, poolsDisarmed, holds, requests   prometheus.Gauge
	budgetSpent, budgetLimit                     prometheus.Gauge
	quorum, leads, lostSeats                     prometheus.Gauge
	head, knowledgeAge, blocked, listed, aheadOf prometheus.Gauge
}

// The values of the label verdict: every kind a member can stand under, and none.
const noVerdict = "none"

var standing = []string{
	noVerdict, string(consensus.VerdictPartial), string(consensus.VerdictAgentLost), string(consensus.VerdictServiceDown),
	string(consensus.VerdictDomainCut), string(consensus.VerdictDown),
}

var slotStates = []status.SlotState{status.SlotServing, status.SlotStarting, status.SlotTrouble, status.SlotDrained, status.SlotVacant}

// The values of the label state of spares.
var spareStates = []string{"free", "claimed", "condemned", "unready", "quarantined", "burn_in"}

func newFleetMetrics(reg prometheus.Registerer, d *Daemon) fleetMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "moonwatch_daemon_" + name, Help: help})
		reg.MustRegister(g)
		return g
	}
	gauges := func(name, help, label string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "moonwatch_daemon_" + name, Help: help}, []string{label})
		reg.MustRegister(g)
		return g
	}
	m := fleetMetrics{
		members:       gauges("members", "Members of the roster, by the verdict they stand under.", "verdict"),
		slots:         gauges("slots", "Slots, by how they do.", "state"),
		spares:        gauges("spares", "Members without a slot over all pools, by what keeps them from being claimed; a condemned one may be counted as unready too.", "state"),
		held:          gauges("held_cases", "Cases that are held, by what they wait for.", "reason"),
		accused:       gauge("accused_members", "Members that an observer accuses and no verdict condemns."),
		unlisted:      gauge("unlisted_members", "Agents that gossip knows and the roster does not."),
		openCases:     gauge("open_cases", "Cases that go on."),
		escalated:     gauge("escalated_cases", "Cases that only people can end."),
		caseAge:       gauge("oldest_case_seconds", "Age of the oldest case that goes on and whose slot is not served yet, 0 without one."),
		freeSpares:    gauge("free_spares", "Spares that could be claimed, over all pools."),
		poolsShort:    gauge("pools_short", "Pools with fewer free spares than their floor."),
		poolsDisarmed: gauge("pools_disarmed", "Pools in which nothing is armed: all is recorded as what would have been done."),
		holds:         gauge("holds", "Orders of people that hold something back."),
		requests:      gauge("open_requests", "What an operator asked for and has not been answered."),
		budgetSpent:   gauge("budget_spent_replacements", "Replacements begun within the budget's window."),
		budgetLimit:   gauge("budget_limit_replacements", "Replacements that may begin within the budget's window."),
		quorum:        gauge("council_quorum", "1 while a leader is known that most councillors follow, as far as this agent knows."),
		leads:         gauge("council_leads", "1 while this agent leads the council."),
		lostSeats:     gauge("council_lost_seats", "Councillors and learners that cannot be counted on."),
		head:          gauge("ledger_head", "Index of the last fact in this agent's ledger."),
		knowledgeAge:  gauge("knowledge_age_seconds", "How old this agent's knowledge of the fleet is, 0 while the council is heard."),
		blocked:       gauge("blocked", "1 while this agent decides nothing: it met a fact that it does not understand, or its disk is full."),
		listed:        gauge("listed", "1 while this agent is in the roster."),
		aheadOf:       gauge("clock_ahead_seconds", "This machine's clock before the councillors' median; negative: behind."),
	}
	build := gauges("build_info", "1, with the version of this build.", "version")
	build.WithLabelValues(Version).Set(1)
	reg.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "moonwatch_daemon_certificate_expires_timestamp_seconds", Help: "When this agent's certificate ends.",
		}, d.certificateEnds),
		collectors.NewGoCollector(),
	)
	if runtime.GOOS == "linux" {
		reg.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	for _, v := range standing {
		m.members.WithLabelValues(v)
	}
	for _, s := range slotStates {
		m.slots.WithLabelValues(string(s))
	}
	for _, s := range spareStates {
		m.spares.WithLabelValues(s)
	}
	for _, r := range failover.HeldReasons() {
		m.held.WithLabelValues(string(r))
	}
	return m
}

// certificateEnds is not a number before the certificate is opened.
func (d *Daemon) certificateEnds() float64 {
	if d.keys == nil {
		return math.NaN()
	}
	return float64(d.keys.Pair().Expires().Unix())
}

// observe sets the gauges to what a page shows.
func (m fleetMetrics) observe(p status.Page, clockAhead time.Duration) {
	m.observeMembers(p)
	m.observeCases(p)
	m.observePools(p.Pools)
	m.holds.Set(float64(len(p.Holds)))
	m.requests.Set(howMany(p.Requests, func(r status.Request) bool { return r.Open }))
	m.budgetSpent.Set(float64(p.Budget.Spent))
	m.budgetLimit.Set(float64(p.Budget.MaySpend))
	m.quorum.Set(yes(p.Council.Quorum))
	m.leads.Set(yes(p.Council.Leader == p.Self.Name))
	m.lostSeats.Set(float64(len(p.Council.Lost)))
	m.head.Set(float64(p.Knowledge.Head))
	m.knowledgeAge.Set(p.Knowledge.Age(p.Now).Seconds())
	m.blocked.Set(yes(p.Knowledge.Blocked != ""))
	m.listed.Set(yes(p.Self.Listed))
	m.aheadOf.Set(clockAhead.Seconds())
}

func (m fleetMetrics) observeMembers(p status.Page) {
	m.unlisted.Set(howMany(p.Unlisted, func(u status.Unlisted) bool { return u.Addr != "" }))
	m.accused.Set(howMany(p.Members, func(x status.Member) bool { return x.Accused && x.Verdict == "" }))
	for _, v := range standing {
		m.members.WithLabelValues(v).Set(howMany(p.Members, func(x status.Member) bool {
			return string(x.Verdict) == v || x.Verdict == "" && v == noVerdict
		}))
	}
	for _, s := range slotStates {
		m.slots.WithLabelValues(string(s)).Set(howMany(p.Slots, func(x status.Slot) bool { return x.State == s }))
	}
}

func (m fleetMetrics) observeCases(p status.Page) {
	for _, r := range failover.HeldReasons() {
		m.held.WithLabelValues(string(r)).Set(howMany(p.Cases, func(c status.Case) bool { return c.Open && c.Held == r }))
	}
	m.openCases.Set(howMany(p.Cases, func(c status.Case) bool { return c.Open }))
	m.escalated.Set(howMany(p.Cases, func(c status.Case) bool { return c.State == failover.Escalated }))
	oldest := 0.0
	for _, c := range p.Cases {
		// What settles serves already, and a switchover is not in a hurry.
		if c.Open && !c.Planned && c.State != failover.Settling && len(c.Passages) > 0 {
			oldest = max(oldest, p.Now.Sub(c.Passages[0].At).Seconds())
		}
	}
	m.caseAge.Set(oldest)
}

func (m fleetMetrics) observePools(pools []status.Pool) {
	sum := map[string]int{}
	for _, p := range pools {
		for state, n := range map[string]int{
			"free": p.Free, "claimed": p.Claimed, "condemned": p.Condemned,
			"unready": p.Unready, "quarantined": p.Quarantined, "burn_in": p.BurnIn,
		} {
			sum[state] += n
		}
	}
	for _, s := range spareStates {
		m.spares.WithLabelValues(s).Set(float64(sum[s]))
	}
	m.freeSpares.Set(float64(sum["free"]))
	m.poolsShort.Set(howMany(pools, status.Pool.Short))
	m.poolsDisarmed.Set(howMany(pools, func(p status.Pool) bool { return !p.Armed }))
}

// howMany counts those that are as wanted.
func howMany[T any](all []T, wanted func(T) bool) float64 {
	n := 0
	for _, x := range all {
		if wanted(x) {
			n++
		}
	}
	return float64(n)
}

func yes(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
