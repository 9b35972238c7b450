package report

import (
	"fmt"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/sim"
	"moonwatch/sim/scenario"
	"moonwatch/status"
)

// recorder writes a world's story down as a report wants it.
type recorder struct {
	t     *testing.T
	w     *sim.World
	story *scenario.Story
	end   time.Duration
	free  map[member.ID]bool
}

func record(t *testing.T, cfg sim.Config, length time.Duration, faults ...sim.Fault) scenario.Result {
	t.Helper()
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{t: t, w: w, story: &scenario.Story{Members: cfg.Fleet.Members, Council: cfg.Council}, end: length, free: map[member.ID]bool{}}
	w.Watch(r.look)
	w.Strike(faults...)
	if err := w.Run(length); err != nil {
		t.Fatal(err)
	}
	return scenario.Result{
		Scenario: "one-crash", Seed: cfg.Seed, Outcome: scenario.Ok, Members: len(cfg.Fleet.Members), Verdicts: 1,
		DetectMS: []int64{1270}, RecoverMS: []int64{4410}, Events: w.Events(), Virtual: length, Trace: fmt.Sprintf("%016x", w.Trace()),
		Messages: scenario.Spread{Min: 18.2, Median: 21.4, Max: 33.9}, Bytes: scenario.Spread{Min: 1450, Median: 1720, Max: 3120},
		Checks:    map[string]int{"S1": 3, "S2": 3, "S3": 412, "S10": 12_001, "promise 5": 9, "L2": 1, "L5": 1, "unheard-of": 7},
		Sometimes: map[string]int{"verdict.withdrawn": 0, "council.leader-lost": 0, "case.restarted": 2},
		Requests:  4800, Failed: 3, Story: r.story,
	}
}

func (r *recorder) add(lane string, id member.ID, state, format string, args ...any) {
	r.story.Events = append(r.story.Events, scenario.Event{
		AtMS: r.w.Now().Milliseconds(), Lane: lane, Member: id, State: state, Text: fmt.Sprintf(format, args...),
	})
}

func (r *recorder) look(h sim.Happening) {
	id := h.Member
	switch h.What {
	case sim.FaultBegan:
		to := r.end
		if h.Fault.For > 0 {
			to = h.At + h.Fault.For
		}
		r.story.Faults = append(r.story.Faults, scenario.Band{
			FromMS: h.At.Milliseconds(), ToMS: to.Milliseconds(), Kind: h.Fault.Do, Whom: h.Fault.Whom, Text: h.Fault.String(),
		})
	case sim.AgentStarted:
		r.add(laneMember, id, "up", "the agent starts")
	case sim.AgentEnded:
		r.add(laneMember, id, "off", "the agent ends")
	case sim.ServiceUp:
		r.add(laneMember, id, "serving", "serves slot %s", h.Slot)
	case sim.ActionBegan:
		if h.Step.Step == failover.StepActivate && h.Step.Case > 0 {
			r.add(laneMember, id, "activating", "prepares slot %s", h.Step.Slot)
		}
	case sim.LedBy:
		if h.Led.Leader == id {
			r.add(laneCouncil, id, string(id), "%s leads in term %d", id, h.Led.Term)
		}
	case sim.Agreed:
		r.fact(*h.Fact)
	default:
	}
}

func (r *recorder) fact(f consensus.Fact) {
	text := status.Line(f)
	if !f.Accepted {
		r.add(laneCouncil, "", "", "%s", text)
		return
	}
	st := r.w.State()
	switch f.Command.Kind {
	case consensus.KindVerdict:
		v, _ := consensus.DecodePayload[consensus.Verdict](f)
		for _, x := range v.Findings {
			r.add(laneMember, x.Subject, string(x.Kind), "%s", text)
		}
	case failover.KindCaseOpened:
		p, _ := consensus.DecodePayload[failover.CaseOpened](f)
		r.add(laneCase, p.Subject, string(failover.Opened), "%s", text)
	case failover.KindCaseStep:
		p, _ := consensus.DecodePayload[failover.CaseStep](f)
		c, _ := st.Case(p.Case)
		r.add(laneCase, c.Subject, string(p.To), "%s", text)
	case failover.KindBrake:
		p, _ := consensus.DecodePayload[failover.Brakes](f)
		r.add(laneBrake, "", string(p.Mode()), "%s", text)
	default:
		r.add(laneCouncil, "", "", "%s", text)
	}
	for _, m := range r.story.Members {
		u := st.Use(m.ID)
		if spare := u.Duty == failover.Spare; u.Duty != failover.Occupant && spare != r.free[m.ID] {
			r.free[m.ID] = spare
			r.add(lanePool, m.ID, string(u.Duty), "%s is %s", m.ID, u.Duty)
			if spare {
				r.add(laneMember, m.ID, "spare", "a spare")
			}
		}
	}
}

// aCrash is a real run of the demo's fleet: an occupant's power fails, and
// comes back.
func aCrash(t *testing.T) scenario.Result {
	cfg := sim.Demo()
	cfg.Seed = 42
	return record(t, cfg, 2*time.Minute,
		sim.Fault{At: 30 * time.Second, Do: sim.Crash, Whom: []member.ID{"web-3"}, For: 40 * time.Second},
		sim.Fault{At: 80 * time.Second, Do: sim.Pause, Whom: []member.ID{"web-1"}, For: 2 * time.Second})
}
