package failover

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"moonwatch/consensus"
)

// Which requests and answers may stand, and what they change.

// signer is who stands behind a command, by name and by key.
func signer(c consensus.Command) (name, key string) {
	if c.Warrant == nil {
		return string(c.Proposer), "" // of a cluster without signatures
	}
	return c.Warrant.Operator, hex.EncodeToString(c.Warrant.Key)
}

// checkRequest says why a request may not stand.
func (st *State) checkRequest(now time.Time, p Requested) error {
	what := fmt.Sprintf("request %s of %s", p.Act, p.About())
	if err := checkReason(what, p.Reason); err != nil {
		return err
	}
	plan, err := st.PlanOf(now, p)
	if err != nil {
		return err
	}
	if h := plan.Hash(); h != p.Plan {
		return fmt.Errorf("%s: the plan has changed: you were shown %s, now it is %s; look again", what, Short(p.Plan), Short(h))
	}
	open := 0
	for _, r := range st.s.Requests {
		if !r.Open(now) {
			continue
		}
		open++
		same := r.Act == p.Act && r.Case == p.Case && r.Scope == p.Scope && r.Slot == p.Slot
		if same && r.State(now) != RequestInForce && st.Void(now, r) == nil {
			return fmt.Errorf("%s: %s by %s asks for it already: answer that, or reject it first", what, r.Name(), r.By)
		}
	}
	if open >= keptRequests {
		return fmt.Errorf("%s: %d requests wait already: reject some", what, open)
	}
	return nil
}

// checkAnswer says why an answer may not stand. Whoever wants less to happen may
// always say so; to let it happen takes somebody else than the one who asked.
func (st *State) checkAnswer(f consensus.Fact, p Answered) error {
	r, ok := st.s.Requests[p.Request]
	word := "reject"
	if p.Approve {
		word = "approve"
	}
	what := fmt.Sprintf("%s R-%d", word, p.Request)
	if !ok {
		return fmt.Errorf("%s: there is no such request, or it ended long ago", what)
	}
	by, key := signer(f.Command)
	state := r.State(f.Time)
	switch {
	case state == RequestRejected:
		return fmt.Errorf("%s: it was rejected by %s", what, r.RejectedBy)
	case state == RequestExpired:
		return fmt.Errorf("%s: it has expired: nobody answered within %v; ask again", what, AnswerWithin)
	case state == RequestOver:
		return fmt.Errorf("%s: it is over", what)
	case !p.Approve:
		return checkReason(what, p.Reason)
	case !r.Approved.IsZero():
		return fmt.Errorf("%s: it was approved by %s already", what, r.ApprovedBy)
	case r.by(by, key):
		return fmt.Errorf("%s: %s asked for it: another operator has to approve it", what, r.By)
	case p.Plan != r.Plan:
		return fmt.Errorf("%s: %s asked for plan %s and %s approves plan %s: two have to mean the same", what, r.By, Short(r.Plan), by, Short(p.Plan))
	}
	return st.stillMeant(f.Time, r)
}

// by reports that a request was made by an operator, whatever name is on the key.
func (r *Request) by(name, key string) bool { return r.By == name || key != "" && r.Key == key }

// Void says why a request that waits or is in force comes to nothing any more, nil
// if it may.
func (st *State) Void(now time.Time, r *Request) error {
	for _, x := range r.Cases {
		if c, ok := st.s.Cases[x.Case]; ok && c.Open() && st.planned(r.Act, c) == x {
			return nil // what is left of it
		}
	}
	return st.stillMeant(now, r)
}

// request applies an accepted request.
func (st *State) request(f consensus.Fact, p Requested) {
	plan, _ := st.PlanOf(f.Time, p)
	by, key := signer(f.Command)
	if st.s.Requests == nil {
		st.s.Requests = map[uint64]*Request{}
	}
	st.s.Requests[f.Index] = &Request{Requested: p, ID: f.Index, By: by, Key: key, Given: f.Time, Cases: plan.Cases}
	for _, id := range slices.Sorted(maps.Keys(st.s.Requests)) {
		if len(st.s.Requests) <= keptRequests {
			return
		}
		if !st.s.Requests[id].Open(f.Time) {
			delete(st.s.Requests, id)
		}
	}
}

// answer applies an accepted answer.
func (st *State) answer(f consensus.Fact, p Answered) {
	r := st.s.Requests[p.Request]
	by, key := signer(f.Command)
	if p.Approve {
		r.Approved, r.ApprovedBy, r.ApprovedKey = f.Time, by, key
		return
	}
	r.Rejected, r.RejectedBy, r.Why = f.Time, by, p.Reason
}

func (st *State) checkAnnounced(p Announced) error {
	r, ok := st.s.Requests[p.Request]
	switch {
	case !ok:
		return fmt.Errorf("announce R-%d: there is no such request", p.Request)
	case !r.Alone || !r.Announced.IsZero() || !r.Rejected.IsZero():
		return fmt.Errorf("announce %s: there is nothing to announce any more", r.Name())
	}
	return nil
}

func (st *State) announce(f consensus.Fact, p Announced) {
	st.s.Requests[p.Request].Announced = f.Time
}

// Requests lists the requests that are kept, oldest first.
func (st *State) Requests() []*Request {
	return slices.SortedFunc(maps.Values(st.s.Requests), func(a, b *Request) int { return int(a.ID) - int(b.ID) })
}
