package member

import (
	"fmt"
	"strings"
	"time"
)

// Fleet is the content of fleet.yaml: what the ledger owns and `moonwatch
// apply` changes. Lists keep the order of the file where it has a meaning:
// members take the slots of their pool in the order in which they are written.
type Fleet struct {
	Version   int         `json:"version"`
	Members   []Member    `json:"members"` // in file order
	Pools     []Pool      `json:"pools"`   // sorted by name
	Brake     BrakePolicy `json:"brake"`
	NeverStop []string    `json:"never_stop,omitempty"`
	Profile   string      `json:"profile,omitempty"` // timing profile of the fleet: lan (default), fast or demo
	Lease     LeaseTerms  `json:"lease,omitzero"`    // of exclusive slots; see Leases

	Shield ShieldPolicy `json:"shield,omitzero"`
	Notify NotifyPolicy `json:"notify,omitzero"`
}

// Pool declares slots of one kind and the spares behind them.
type Pool struct {
	Name      string   `json:"name"`
	Hosts     []string `json:"hosts,omitempty"` // what gateway and shield match: www.example.com, *.example.com
	Exclusive bool     `json:"exclusive,omitempty"`
	Fence     []string `json:"fence"` // levels in order: none, self, lease, watchdog, power, network
	Slots     []SlotID `json:"slots"` // web-0, web-1, ...
	Spares    Spares   `json:"spares"`
	Checks    Checks   `json:"checks"`
	Actions   Actions  `json:"actions"`
	Drivers   []Driver `json:"drivers,omitempty"`
	Armed     bool     `json:"armed"` // false: every action is recorded as "would have"
}

// Spares says how many members of a pool should stand ready.
type Spares struct {
	Warm  int `json:"warm"`
	Floor int `json:"floor"` // below this many free spares people are told
	// Reserve is how many spares are kept for when fewer than half of the pool's slots
	// serve; 0: each one is used for the next slot that is lost.
	Reserve int `json:"reserve,omitempty"`
	// EarlyAfter is how much of its burn-in a member must have behind it to be a spare
	// before the end of it, for a slot that has none; 0: all of it.
	EarlyAfter time.Duration `json:"early_after,omitempty"`
	// BorrowFrom are the pools whose spares a slot may have that its own pool has none
	// for, the first one first. They keep their floor and their reserve, and a spare is
	// lent only if it has proven that it can run this pool's actions.
	BorrowFrom []string `json:"borrow_from,omitempty"`
	// DrillEvery is how often each spare does a drill; 0: only when people want one.
	DrillEvery time.Duration `json:"drill_every,omitempty"`
}

// Checks are the questions to a slot's service, asked at the member's own
// address. At most one of them is set; none means that only the agent answers
// for the member.
type Checks struct {
	HTTP *HTTPCheck `json:"http,omitempty"`
	TCP  *TCPCheck  `json:"tcp,omitempty"`
	GRPC *GRPCCheck `json:"grpc,omitempty"`
	Exec *ExecCheck `json:"exec,omitempty"`
}

// Outside reports whether another member can ask the check: an exec check runs
// on the member itself and so cannot tell a lost agent from a lost member.
func (c Checks) Outside() bool { return c.HTTP != nil || c.TCP != nil || c.GRPC != nil }

// Port is the port of the outside check, 0 where there is none.
func (c Checks) Port() int {
	switch {
	case c.HTTP != nil:
		return c.HTTP.Port
	case c.TCP != nil:
		return c.TCP.Port
	case c.GRPC != nil:
		return c.GRPC.Port
	default:
		return 0
	}
}

// Interval and Timeout of the check that is set, zero where none is.
func (c Checks) Interval() time.Duration { i, _ := c.times(); return i }

// Timeout of the check that is set, zero where none is.
func (c Checks) Timeout() time.Duration { _, t := c.times(); return t }

func (c Checks) times() (interval, timeout time.Duration) {
	switch {
	case c.HTTP != nil:
		return c.HTTP.Interval, c.HTTP.Timeout
	case c.TCP != nil:
		return c.TCP.Interval, c.TCP.Timeout
	case c.GRPC != nil:
		return c.GRPC.Interval, c.GRPC.Timeout
	case c.Exec != nil:
		return c.Exec.Interval, c.Exec.Timeout
	default:
		return 0, 0
	}
}

// String is the check that is set as it stands on one line, empty where none is.
func (c Checks) String() string {
	times := fmt.Sprintf("every %s within %s", c.Interval(), c.Timeout())
	switch {
	case c.HTTP != nil:
		return fmt.Sprintf("http :%d%s %s", c.HTTP.Port, c.HTTP.Path, times)
	case c.TCP != nil:
		return fmt.Sprintf("tcp :%d %s", c.TCP.Port, times)
	case c.GRPC != nil:
		return strings.TrimSpace(fmt.Sprintf("grpc :%d %s", c.GRPC.Port, c.GRPC.Service)) + " " + times
	case c.Exec != nil:
		return fmt.Sprintf("exec %s %s", c.Exec.Name, times)
	default:
		return ""
	}
}

// HTTPCheck wants a 2xx or 3xx answer to GET Path.
type HTTPCheck struct {
	Port     int           `json:"port"`
	Path     string        `json:"path"`
	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout"`
}

// TCPCheck wants a connection.
type TCPCheck struct {
	Port     int           `json:"port"`
	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout"`
}

// GRPCCheck wants SERVING from the grpc.health.v1 service.
type GRPCCheck struct {
	Port     int           `json:"port"`
	Service  string        `json:"service,omitempty"`
	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout"`
}

// ExecCheck runs an installed program of checks_dir on the member itself.
type ExecCheck struct {
	Name     string        `json:"name"`
	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout"`
}

// Actions name the programs in actions_dir that start, stop and restart a
// slot's service.
type Actions struct {
	Activate string `json:"activate,omitempty"`
	// Prepare is what an activation can do before it is decided who serves: no traffic,
	// no effect for the slot. Unprepare takes it back; Stop does, where there is none.
	Prepare   string `json:"prepare,omitempty"`
	Unprepare string `json:"unprepare,omitempty"`
	Stop      string `json:"stop,omitempty"`
	Restart   string `json:"restart,omitempty"`
}

// BrakePolicy holds the shares at which the brake takes hold (PROTOCOL 7).
type BrakePolicy struct {
	Guarded Threshold `json:"guarded"`
	Cascade Threshold `json:"cascade"`
}

// Threshold is max(Min, Share of the roster), rounded up.
type Threshold struct {
	Min   int     `json:"min"`
	Share float64 `json:"share"` // 0.05 is 5 %
}

// Pool finds a pool by name.
func (f *Fleet) Pool(name string) (Pool, bool) {
	if f == nil {
		return Pool{}, false
	}
	for _, p := range f.Pools {
		if p.Name == name {
			return p, true
		}
	}
	return Pool{}, false
}

// PoolOfSlot finds the pool that declares a slot.
func (f *Fleet) PoolOfSlot(slot SlotID) (Pool, bool) {
	if f == nil {
		return Pool{}, false
	}
	for _, p := range f.Pools {
		for _, s := range p.Slots {
			if s == slot {
				return p, true
			}
		}
	}
	return Pool{}, false
}
