// Package daemon joins the decisions of one agent (package mind) with the
// adapters that do deeds, and owns every goroutine.
//
//	       packets      +----------+  answers probes itself
//	gossip -----------> | receive  | -------------------------> gossip
//	                    +----+-----+
//	       frames,           | events (bounded)
//	link   commands   +------v-------+   effects    +---------+
//	----------------> |     loop     | -----------> |  deeds  |--> gossip, link,
//	feed   facts      | (owns mind)  |              +---------+    checks, actions
//	<---------------- |              | --writes, in order--> disk ---> "it is on disk"
//	                  +------+-------+
//	                         | page, table (when they change)
//	                 +-------v--------+
//	                 | web   gateway  |   debug: metrics, state, pprof
//	                 +----------------+
//
// One goroutine, the loop, owns the mind; nobody else touches it. All others
// hand it events through one bounded queue and never wait for it, except those
// that may be slow without harm. Stop is ordered: doors first, then the loop,
// then the disk, then the network.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"moonwatch/agent/gossip"
	"moonwatch/agent/probe"
	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/consensus/link"
	"moonwatch/failover/driver"
	"moonwatch/failover/driver/systemd"
	"moonwatch/internal/audit"
	"moonwatch/internal/config"
	"moonwatch/internal/pki"
	"moonwatch/internal/program"
	"moonwatch/internal/wire"
	"moonwatch/member"
	"moonwatch/mind"
	"moonwatch/shield/gateway"
	"moonwatch/status"
	"moonwatch/status/web"
)

// Config is what an agent runs with.
type Config struct {
	Agent      *config.Agent
	Log        *zap.Logger
	Registerer *prometheus.Registry // nil: a private one

	// Console marks an agent that is in no roster by intent, such as the
	// demo's launcher: it follows, shows and serves, and is not warned about.
	Console bool
	// ActionsOfSelf lets actions belong to the agent's own user: the demo
	// runs without root.
	ActionsOfSelf bool
	// Enter runs a program as part of an exclusive slot; empty: this program's own
	// `keeper enter`.
	Enter []string
	// Systemd is where the units of this machine are driven; nil: its own systemd.
	Systemd *systemd.Config
	// Addresses is where the marks of addresses that move with their slots stand;
	// empty: a folder in /run.
	Addresses string
	// GatewayDebug names slot and occupant in the gateway's answers.
	GatewayDebug bool

	// Notify tells the init system how the agent is; nil: nobody asks. NotifyEvery is how
	// often it has to hear that the agent decides; 0: never.
	Notify      func(state string)
	NotifyEvery time.Duration

	Gate   Gate                 // nil: open
	Facts  func(consensus.Fact) // each fact as it is applied, in order; must not block
	Pages  func(status.Page)    // each new page; must not block
	Routes func(gateway.Table)  // each new table, after the gateway took it; must not block
}

// Gate decides whether this agent may talk with an address. The demo closes it
// to isolate a member.
type Gate interface{ Open(netip.Addr) bool }

// Daemon is one running agent.
type Daemon struct {
	cfg     Config
	self    member.ID
	cluster string
	started time.Time
	life    member.Incarnation
	log     *zap.Logger
	reg     *prometheus.Registry
	m       *metrics

	keys    *pki.Source
	signer  *wire.Signer
	gossip  *gossip.Gossip
	link    *link.Link
	store   *disk.Store
	journal *driver.Journal
	heads   *audit.Memory // from begin on
	actions program.Folder
	fencing fencing
	keeper  *keeping // nil: this member has none, and runs no exclusive slot
	checker *probe.Checker
	gateway *gateway.Gateway // nil: this agent opens none
	polled  polledDoor       // nil: this agent's door is its own gateway
	door    shieldedDoor     // where the shield counts and holds; nil: this agent has no door
	web     *web.Server
	doors   *doors

	mind        *mind.Mind // owned by the loop
	history     *status.History
	chronicling chronicling
	events      chan mind.Event
	writes      chan write
	deeds       sync.WaitGroup
	diskTests   diskTests
	slots       chan struct{} // bounds the deeds under way
	aborts      aborts

	peers       peers
	addresses   []string // of the others, as last kept; owned by join
	flights     flights
	sightings   sightings
	hindsight   hindsight
	doorDrivers doorDrivers
	carrying    carrying
	feed        *feed
	olden       *olden
	commands    commands
	progress    atomic.Int64 // when the loop last finished a step, in ns of this process
	page        atomic.Pointer[status.Page]
	looked      atomic.Pointer[status.Looked]  // the same, for who tells people
	telling     atomic.Pointer[status.Telling] // how that goes
	measured    atomic.Pointer[status.MeasuredDocument]
	trying      sync.Mutex        // held while receivers are tried
	opening     chan struct{}     // one place for each receiver whose files are being read
	rotating    sync.Mutex        // held while the gossip key is rotated
	tags        map[string]string // what it carries in gossip from its start on
	table       gateway.Table
	shielding   shielding
	ready       chan struct{}
	readied     sync.Once
	fatal       chan error
	nonce       string
	founding    atomic.Pointer[string] // what the founding waits for, for the page
	duty        atomic.Pointer[duty]   // what this member should be serving
	fleet       atomic.Pointer[fleetInForce]
	sitting     atomic.Pointer[[]member.ID]           // the councillors, as the ledger has them
	refounding  atomic.Pointer[consensus.Refounding]  // the last one of the ledger, nil: none
	anew        atomic.Pointer[consensus.RefoundPlan] // what somebody said of a later one
	seating     atomic.Pointer[[]status.Seat]
	warmth      atomic.Pointer[map[member.ID]uint64] // how far the seats' logs are; nil: this agent does not lead
	listens     atomic.Bool                          // this agent wants to be fed
	clockNow    chan struct{}                        // the clocks are to be compared now
	feedAnew    atomic.Bool                          // the feed has a gap for it, and is to begin again
	joining     atomic.Pointer[error]                // how the last round of joining ended
	clockAhead  atomic.Int64                         // ns, of this clock before the councillors' median
	ownReport   atomic.Uint32                        // agent.Report of the own check
	diskFull    atomic.Pointer[time.Time]            // since when, nil: it writes
	revoked     atomic.Pointer[revoked]              // withdrawn keys, nil: none
}

// Addresses are where the agent really listens, port 0 resolved.
type Addresses struct {
	Gossip, Link, HTTP, Debug, Gateway, Public netip.AddrPort
	Socket                                     string
}

// maxDeeds bounds the checks, actions and submissions under way at once.
const maxDeeds = 128

// eventQueue is how many events may wait for the loop. At a thousand events a
// second that is four seconds: more, and the agent is not well anyway.
const eventQueue = 4096

// New opens everything that the agent needs: files, sockets, stores. It
// starts nothing that acts. What it opened is closed again when it fails, or at
// the end of Run.
func New(cfg Config) (*Daemon, error) {
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.Registerer == nil {
		cfg.Registerer = prometheus.NewRegistry()
	}
	d := &Daemon{
		cfg: cfg, self: cfg.Agent.Name, started: time.Now(), log: cfg.Log, reg: cfg.Registerer,
		history: status.NewHistory(), events: make(chan mind.Event, eventQueue), writes: make(chan write, 1024),
		slots: make(chan struct{}, maxDeeds), ready: make(chan struct{}), fatal: make(chan error, 4),
		opening:  make(chan struct{}, 2*member.MaxReceivers),
		clockNow: make(chan struct{}, 1),
	}
	d.m = newMetrics(d.reg, d)
	if err := d.open(); err != nil {
		d.close()
		return nil, fmt.Errorf("agent %s: %w", d.self, err)
	}
	return d, nil
}

// Run runs the agent until ctx ends or something happens that it cannot go on
// with.
func (d *Daemon) Run(ctx context.Context) error {
	defer d.close() //nolint:contextcheck // closing goes on after ctx has ended
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var g run.Group
	actor := func(name string, do func(context.Context) error) {
		actx, cancel := context.WithCancel(ctx)
		g.Add(func() error {
			err := do(actx)
			if err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		}, func(error) { cancel() })
	}
	actor("doors", func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, d.web.Close) // its event streams have no end of their own
		defer stop()
		return d.doors.serve(ctx)
	})
	actor("receive", d.receive)
	actor("join", d.join)
	actor("meet", d.meet)
	actor("clock", d.watchClock)
	actor("sightings", d.sightings.askAll)
	actor("hindsight", d.hindsight.askAll)
	actor("disk", d.writeAll)
	actor("history", d.chronicling.writeAll)
	actor("past", func(ctx context.Context) error { return d.chronicling.showAll(ctx, d) })
	actor("agent", d.live)
	actor("notify", d.tellPeople)
	if d.cfg.Notify != nil {
		actor("init", d.tellInit)
	}
	if d.gateway != nil {
		actor("evidence", d.evidence)
	}
	if d.door != nil {
		actor("shield", d.shieldDoor)
	}
	actor("stop", func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case err := <-d.fatal:
			return err
		}
	})
	err := g.Run()
	if err != nil {
		return fmt.Errorf("agent %s: %w", d.self, err)
	}
	return nil
}

// live is the agent's life: found or find a ledger, then decide.
func (d *Daemon) live(ctx context.Context) error {
	defer d.deeds.Wait()
	if err := d.begin(ctx); err != nil {
		return err
	}
	d.deeds.Go(func() { d.follow(ctx) })
	return d.loop(ctx)
}

// Ready is closed when the agent has a ledger and has begun to decide.
func (d *Daemon) Ready() <-chan struct{} { return d.ready }

// Page is the newest page, the zero Page before the first.
func (d *Daemon) Page() status.Page {
	if p := d.page.Load(); p != nil {
		return *p
	}
	return status.Page{}
}

// fail ends the agent with an error; only the first one counts.
func (d *Daemon) fail(err error) {
	select {
	case d.fatal <- err:
	default:
	}
}

// tell hands an event to the loop and waits while the queue is full, until ctx
// ends.
func (d *Daemon) tell(ctx context.Context, ev mind.Event) {
	select {
	case d.events <- ev:
	case <-ctx.Done():
	}
}

// offer hands an event to the loop unless the queue is full: datagrams may be
// lost, and waiting here would lose more of them.
func (d *Daemon) offer(ev mind.Event) {
	select {
	case d.events <- ev:
	default:
		d.m.dropped.Inc()
	}
}
