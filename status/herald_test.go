package status

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

var ops = member.NotifyPolicy{Receivers: []member.Receiver{{Name: "ops", Kind: "webhook"}}}

// newsroom shows a herald pages, and is its receiver.
type newsroom struct {
	t      *testing.T
	herald *Herald
	policy member.NotifyPolicy
	kept   []byte
	down   bool
	got    []Message
}

func newNewsroom(t *testing.T, self member.ID) *newsroom {
	return &newsroom{t: t, herald: NewHerald(self, Matters{}), policy: ops}
}

// restart begins anew with what is on disk.
func (n *newsroom) restart(self member.ID) {
	n.t.Helper()
	var m Matters
	if err := json.Unmarshal(n.kept, &m); err != nil {
		n.t.Fatal(err)
	}
	n.herald = NewHerald(self, m)
}

func (n *newsroom) look(p Page) {
	n.t.Helper()
	effects := n.herald.Step(p.Now, Looked{Page: p, Policy: n.policy})
	for len(effects) > 0 {
		e := effects[0]
		effects = effects[1:]
		switch e := e.(type) {
		case KeepMatters:
			var err error
			if n.kept, err = json.Marshal(e.Matters); err != nil {
				n.t.Fatal(err)
			}
		case SendMessage:
			answer := Answered{Receiver: e.Receiver.Name, Message: e.Message.ID}
			if n.down {
				answer.Err = "connection refused"
			} else {
				n.got = append(n.got, e.Message)
			}
			effects = append(effects, n.herald.Step(p.Now, answer)...)
		}
	}
}

// during looks every second.
func (n *newsroom) during(d time.Duration, page func(now time.Time) Page, from time.Time) time.Time {
	n.t.Helper()
	for end := from.Add(d); from.Before(end); from = from.Add(time.Second) {
		n.look(page(from))
	}
	return from
}

// told lists what was told, in order.
func (n *newsroom) told() string {
	var all []string
	for _, m := range n.got {
		all = append(all, string(m.Says)+" "+m.Notice.ID)
	}
	return strings.Join(all, ", ")
}

func (n *newsroom) wants(want string) {
	n.t.Helper()
	if got := n.told(); got != want {
		n.t.Errorf("told: %s\nwant: %s", got, want)
	}
}

// at is the page of a story at another time.
func (s *story) at(now time.Time) Page {
	in := s.input()
	in.Now = now
	return Build(in)
}

func TestAReplacementIsToldAsItBeginsAndEnds(t *testing.T) {
	s := newStory(t)
	n := newNewsroom(t, "spare-1")
	c := s.opened()
	s.now = n.during(5*time.Second, s.at, s.now)
	n.wants("begun verdict/V-3")
	s.step(c, failover.CaseStep{To: failover.Fencing, Detail: "silent for 3.74s, and the second roll call agrees"})
	s.step(c, failover.CaseStep{To: failover.Activating, Spare: "spare-1"})
	s.must(failover.KindReport, "spare-1", failover.Report{
		Case: c.ID, Attempt: c.Attempt, Step: failover.StepActivate, Slot: "slot-2", Epoch: c.NewEpoch, Done: true,
	})
	s.step(c, failover.CaseStep{To: failover.Cutover, Detail: "its observers reach the service"})
	s.now = n.during(10*time.Second, s.at, s.now)
	s.step(c, failover.CaseStep{To: failover.Closed})
	s.now = n.during(5*time.Second, s.at, s.now)
	var b strings.Builder
	for _, m := range n.got {
		b.WriteString(m.Text() + "\n")
	}
	golden(t, "messages.txt", b.String())
}

// TestAnHourWithoutTheReceiverIsToldLaterOnce although the agent was started anew, and
// the matter is over by then.
func TestAnHourWithoutTheReceiverIsToldLaterOnce(t *testing.T) {
	s := newStory(t)
	n := newNewsroom(t, "spare-1")
	n.down = true
	s.condemned()
	s.now = n.during(10*time.Minute, s.at, s.now)
	n.restart("spare-1")
	s.now = n.during(20*time.Minute, s.at, s.now)
	s.must(consensus.KindVerdict, "web-1", consensus.Verdict{
		Term: 2, Roster: s.ledger.Roster().Epoch, Findings: []consensus.Finding{{Subject: "web-3", Incarnation: 8, Kind: consensus.VerdictUp}},
	})
	s.now = n.during(30*time.Minute, s.at, s.now)
	n.restart("spare-1")
	n.down = false
	s.now = n.during(5*time.Minute, s.at, s.now)
	told := n.got
	n.got = slices.DeleteFunc(n.got, func(m Message) bool { return !strings.HasPrefix(m.Notice.ID, "verdict/") })
	n.wants("ended verdict/V-3")
	if len(told) > 0 && (told[0].Ended.IsZero() || !strings.Contains(told[0].Ending, "Web-3 is up")) {
		t.Errorf("it does not say how it ended: %+v", told[0])
	}
	if m := n.herald.m.Matters; slices.ContainsFunc(m, func(x *Matter) bool { return strings.HasPrefix(x.Notice.ID, "verdict/") }) {
		t.Error("what everybody has heard of is kept")
	}
}

// TestAnAlertmanagerAndAMailServerThatWereDownForAnHourAreToldOnce: what stands, and what
// began and ended meanwhile, each a single time, although the agent was started anew; the
// Alertmanager, which forgets, is reminded of what stands and of nothing else.
func TestAnAlertmanagerAndAMailServerThatWereDownForAnHourAreToldOnce(t *testing.T) {
	s := newStory(t)
	policy := member.NotifyPolicy{Receivers: []member.Receiver{{Name: "alerts", Kind: "alertmanager"}, {Name: "mail", Kind: "email"}}}
	herald, kept, down := NewHerald("spare-1", Matters{}), []byte(nil), true
	news, again := map[string][]string{}, map[string]int{}
	during := func(d time.Duration) {
		t.Helper()
		for end := s.now.Add(d); s.now.Before(end); s.after(time.Second) {
			effects := herald.Step(s.now, Looked{Page: s.page(), Policy: policy})
			for len(effects) > 0 {
				e := effects[0]
				effects = effects[1:]
				switch e := e.(type) {
				case KeepMatters:
					var err error
					if kept, err = json.Marshal(e.Matters); err != nil {
						t.Fatal(err)
					}
				case SendMessage:
					answer := Answered{Receiver: e.Receiver.Name, Message: e.Message.ID}
					says := string(e.Message.Says) + " " + e.Message.Notice.ID
					switch {
					case down:
						answer.Err = "connection refused"
					case e.Message.Says == SaysBegun && e.Message.Told != "":
						again[e.Receiver.Name+" "+says]++
					case strings.HasPrefix(e.Message.Notice.ID, "verdict/"):
						news[e.Receiver.Name] = append(news[e.Receiver.Name], says)
					}
					effects = append(effects, herald.Step(s.now, answer)...)
				}
			}
		}
	}
	verdict := func(id member.ID, kind consensus.VerdictKind) {
		t.Helper()
		s.must(consensus.KindVerdict, "web-1", consensus.Verdict{
			Term: 2, Roster: s.ledger.Roster().Epoch, Findings: []consensus.Finding{{Subject: id, Incarnation: 8, Kind: kind}},
		})
	}
	during(10 * time.Second)
	verdict("web-2", consensus.VerdictPartial) // it ends within the hour
	during(20 * time.Minute)
	s.condemned() // it stands
	during(20 * time.Minute)
	verdict("web-2", consensus.VerdictUp)
	var m Matters
	if err := json.Unmarshal(kept, &m); err != nil {
		t.Fatal(err)
	}
	herald = NewHerald("spare-1", m)
	during(20 * time.Minute)
	down = false
	during(10 * time.Minute)
	want := []string{"begun verdict/V-4", "ended verdict/V-3"}
	for _, r := range policy.Receivers {
		got := slices.Sorted(slices.Values(news[r.Name]))
		if !slices.Equal(got, want) {
			t.Errorf("%s was told %q, want %q", r.Name, got, want)
		}
	}
	if again["alerts begun verdict/V-4"] < 5 || again["alerts begun verdict/V-3"] > 0 || again["mail begun verdict/V-4"] > 0 {
		t.Errorf("reminded: %v", again)
	}
}

func TestOnlyWhoIsOnDutyTells(t *testing.T) {
	s := newStory(t)
	first, second := newNewsroom(t, "web-3"), newNewsroom(t, "web-4")
	policy := member.NotifyPolicy{On: []member.ID{"web-3", "web-4"}, Receivers: ops.Receivers}
	first.policy, second.policy = policy, policy
	if got := OnDuty(s.page(), policy); got != "web-3" {
		t.Errorf("%s is on duty, want the first one named", got)
	}
	s.opened() // web-3 itself
	first.during(20*time.Second, s.at, s.now)
	second.during(20*time.Second, s.at, s.now)
	first.wants("")
	second.wants("begun verdict/V-3")
	if got := OnDuty(s.page(), ops); got != "spare-1" {
		t.Errorf("%s is on duty of all, want the first by name", got)
	}
}

// TestTheDeadManSignal: without a council nothing begins and nothing ends, and just
// that is told, by whom this agent sees.
func TestTheDeadManSignal(t *testing.T) {
	s := newStory(t)
	n := newNewsroom(t, "web-2")
	n.policy.On = []member.ID{"web-3", "web-2"}
	s.opened()
	alone := func(now time.Time) Page {
		in := s.input()
		in.Now, in.Self, in.Quorum, in.Mode, in.ModeSince = now, "web-2", false, failover.Isolated, s.now
		return Build(in)
	}
	s.now = n.during(10*time.Second, s.at, s.now)
	n.wants("begun verdict/V-3")
	from := n.during(councilPatience-2*time.Second, alone, s.now)
	n.wants("begun verdict/V-3")
	n.during(time.Hour, alone, from)
	n.wants("begun verdict/V-3, begun council-lost/4")
	s.now = n.during(3*time.Second, s.at, from.Add(time.Hour))
	n.got = slices.DeleteFunc(n.got, func(m Message) bool { return m.Notice.ID != "council-lost/4" })
	n.wants("begun council-lost/4, ended council-lost/4")
}

// TestACascadeIsOneMessage, and what is in it is told when it is over and still stands.
func TestACascadeIsOneMessage(t *testing.T) {
	n := newNewsroom(t, "a")
	p := Page{Cluster: "demo", Self: Self{Name: "a"}, Knowledge: Knowledge{Current: true}, Mode: Mode{Name: failover.Normal}}
	p.Members = []Member{{ID: "a", InView: true}}
	for i := range 9 {
		p.Members = append(p.Members, Member{ID: member.ID(fmt.Sprint("m", i)), Verdict: consensus.VerdictDown, VerdictID: fmt.Sprint("V-", i), Since: noon})
	}
	show := func(now time.Time) Page { p.Now = now; return p }
	now := n.during(2*time.Second, show, noon)
	p.Mode = Mode{Name: failover.Cascade, Since: now, Why: "9 of 10 members in trouble", Ends: "nobody is"}
	now = n.during(time.Minute, show, now)
	id := fmt.Sprintf("cascade/fleet/%d", p.Mode.Since.Unix())
	n.wants("begun " + id)
	if len(n.got) == 1 && len(n.got[0].Notice.Folded) != 9 {
		t.Errorf("%d are folded, want all nine", len(n.got[0].Notice.Folded))
	}
	p.Mode = Mode{Name: failover.Normal}
	p.Members = p.Members[:2] // one of the nine is still down
	n.during(time.Minute, show, now)
	n.wants("begun " + id + ", begun verdict/V-0, ended " + id)
}

func TestACaseThatNeedsPeopleIsToldAgain(t *testing.T) {
	n := newNewsroom(t, "a")
	p := Page{Cluster: "demo", Self: Self{Name: "a"}, Knowledge: Knowledge{Current: true}, Mode: Mode{Name: failover.Normal}}
	p.Members = []Member{{ID: "a", InView: true}, {ID: "b", Verdict: consensus.VerdictDown, VerdictID: "V-7", Since: noon}}
	p.Cases = []Case{{ID: "C-8", Index: 8, Subject: "b", Verdict: "V-7", State: failover.Draining, Since: noon, Open: true, Slot: "s-0", Next: "its gates"}}
	show := func(now time.Time) Page { p.Now = now; return p }
	now := n.during(5*time.Second, show, noon)
	p.Cases[0].State, p.Cases[0].Held, p.Cases[0].Since = failover.Held, failover.HeldFence, now
	now = n.during(5*time.Second, show, now)
	n.wants("begun verdict/V-7") // it is not held yet, as people see it
	now = n.during(time.Hour, show, now)
	n.wants("begun verdict/V-7, changed verdict/V-7")
	if m := n.got[len(n.got)-1].Notice; m.Severity != Critical || !strings.Contains(m.Do, "moonwatch request fenced C-8") {
		t.Errorf("it does not say what to do: %+v", m)
	}
	p.Cases[0].State, p.Cases[0].Held, p.Cases[0].Why = failover.Escalated, "", "two spares failed"
	n.during(time.Minute, show, now)
	n.wants("begun verdict/V-7, changed verdict/V-7, changed verdict/V-7")
}

// TestWhatWaitsIsBounded although the receiver never comes back.
func TestWhatWaitsIsBounded(t *testing.T) {
	n := newNewsroom(t, "a")
	n.down = true
	for i := range 2 * maxMatters {
		now := noon.Add(time.Duration(i) * 10 * time.Second)
		n.look(Page{
			Now: now, Cluster: "demo", Self: Self{Name: "a"}, Knowledge: Knowledge{Current: true}, Mode: Mode{Name: failover.Normal},
			Members: []Member{{ID: "a", InView: true}, {ID: "b", Verdict: consensus.VerdictDown, VerdictID: fmt.Sprint("V-", i), Since: now}},
		})
	}
	if got := len(n.herald.m.Matters); got != maxMatters || n.herald.m.Dropped != maxMatters {
		t.Errorf("%d are kept and %d dropped, want %d each", got, n.herald.m.Dropped, maxMatters)
	}
}

// TestAReceiverThatForgetsIsToldAgainWhatStands also of what has become a part of a
// cascade: it would take that for over. Others have peace.
func TestAReceiverThatForgetsIsToldAgainWhatStands(t *testing.T) {
	n := newNewsroom(t, "a")
	n.policy = member.NotifyPolicy{Receivers: []member.Receiver{{Name: "am", Kind: "alertmanager"}, {Name: "ops", Kind: "webhook"}}}
	p := Page{Cluster: "demo", Self: Self{Name: "a"}, Knowledge: Knowledge{Current: true}, Mode: Mode{Name: failover.Normal}}
	p.Members = []Member{{ID: "a", InView: true}, {ID: "b", Verdict: consensus.VerdictDown, VerdictID: "V-7", Since: noon}}
	show := func(now time.Time) Page { p.Now = now; return p }
	now := n.during(10*time.Second, show, noon)
	n.wants("begun verdict/V-7, begun verdict/V-7") // one each
	n.got = nil
	kept := string(n.kept)
	now = n.during(10*time.Minute, show, now)
	if len(n.got) != 10 || n.got[0].Says != SaysBegun || n.got[0].Told != Warning {
		t.Errorf("in ten minutes it was told %d times, as %+v, want ten times of what stands", len(n.got), n.got)
	}
	if string(n.kept) != kept {
		t.Error("what is told again was written to disk")
	}
	p.Mode = Mode{Name: failover.Cascade, Since: now, Why: "9 of 10 members in trouble", Ends: "nobody is"}
	n.got = nil
	now = n.during(5*time.Minute, show, now)
	if again := slices.DeleteFunc(slices.Clone(n.got), func(m Message) bool { return m.Notice.ID != "verdict/V-7" }); len(again) != 5 {
		t.Errorf("inside a cascade it was told %d times in five minutes", len(again))
	}
	p.Mode, p.Members = Mode{Name: failover.Normal}, p.Members[:1]
	n.got = nil
	n.during(10*time.Minute, show, now)
	for _, m := range n.got {
		if m.Says != SaysEnded {
			t.Errorf("after its end it was told %s %s", m.Says, m.Notice.ID)
		}
	}
	if len(n.got) != 4 {
		t.Errorf("%d ends were told, want two matters' to two receivers", len(n.got))
	}
}

// TestAStageThatComesBackIsNotTakenForItsFirstTime by receivers that know a message by
// its ID.
func TestAStageThatComesBackIsNotTakenForItsFirstTime(t *testing.T) {
	n := newNewsroom(t, "a")
	p := Page{Cluster: "demo", Self: Self{Name: "a"}, Knowledge: Knowledge{Current: true}, Mode: Mode{Name: failover.Normal}}
	p.Members = []Member{{ID: "a", InView: true}}
	show := func(now time.Time) Page { p.Now = now; return p }
	now := noon
	ids := map[string]int{}
	for _, free := range []int{1, 0, 1, 0} {
		p.Pools = []Pool{{Name: "web", Floor: 2, Free: free}}
		now = n.during(2*time.Minute, show, now)
		n.restart("a") // it knows that across restarts
	}
	for _, m := range n.got {
		ids[m.ID]++
		if ids[m.ID] > 1 {
			t.Errorf("%s is the ID of two messages", m.ID)
		}
	}
	if len(n.got) != 4 {
		t.Errorf("told: %s, want each of the four times", n.told())
	}
}

// TestOneLossOfTheCouncilIsOneMatter although facts come in from peers that have heard
// more, until it is heard again.
func TestOneLossOfTheCouncilIsOneMatter(t *testing.T) {
	n := newNewsroom(t, "a")
	p := Page{Cluster: "demo", Self: Self{Name: "a"}, Mode: Mode{Name: failover.Isolated}, Members: []Member{{ID: "a", InView: true}}}
	show := func(now time.Time) Page {
		p.Now, p.Knowledge = now, Knowledge{Head: 4 + uint64(now.Sub(noon)/(20*time.Second)), AsOf: noon}
		return p
	}
	now := n.during(5*time.Minute, show, noon)
	n.wants("begun council-lost/4")
	p.Mode = Mode{Name: failover.Normal}
	n.during(time.Minute, func(now time.Time) Page { p.Now, p.Knowledge = now, Knowledge{Current: true}; return p }, now)
	n.wants("begun council-lost/4, ended council-lost/4")
}

// TestWhoseLedgerIsBlockedIsNotOnDuty, for it has nothing to tell; and that is told.
func TestWhoseLedgerIsBlockedIsNotOnDuty(t *testing.T) {
	s := newStory(t)
	policy := member.NotifyPolicy{On: []member.ID{"web-4", "web-5"}, Receivers: ops.Receivers}
	n := newNewsroom(t, "web-5")
	n.policy = policy
	mute := true
	show := func(now time.Time) Page {
		in := s.input()
		in.Now = now
		for i, x := range in.View {
			in.View[i].Mute = mute && x.Name == "web-4"
		}
		return Build(in)
	}
	if got := OnDuty(show(s.now), policy); got != "web-5" {
		t.Errorf("%s is on duty, want who can tell", got)
	}
	now := n.during(time.Minute, show, s.now)
	mute = false
	n.policy.On = []member.ID{"web-5"}
	n.during(time.Minute, show, now)
	n.wants("begun blocked/web-4, ended blocked/web-4")
	own := s.page()
	own.Self.Name, own.Knowledge.Blocked = "web-4", "fact 9 is of a kind that this agent does not know"
	if got := OnDuty(own, policy); got != "web-5" {
		t.Errorf("by its own page %s is on duty, want who can tell", got)
	}
}

// TestARenewalDoesNotKeepNewsWaiting: a receiver that takes eight seconds for a message
// hears of what is new although it has more to hear again than a minute has time for.
func TestARenewalDoesNotKeepNewsWaiting(t *testing.T) {
	h := NewHerald("a", Matters{})
	policy := member.NotifyPolicy{Receivers: []member.Receiver{{Name: "am", Kind: "alertmanager"}}}
	p := Page{Cluster: "demo", Self: Self{Name: "a"}, Knowledge: Knowledge{Current: true}, Mode: Mode{Name: failover.Normal}}
	p.Members = []Member{{ID: "a", InView: true}}
	for i := range 20 {
		p.Members = append(p.Members, Member{ID: member.ID(fmt.Sprint("m", i)), Verdict: consensus.VerdictDown, VerdictID: fmt.Sprint("V-", i), Since: noon})
	}
	var busy *SendMessage
	var done time.Time
	heard := map[string]time.Time{}
	least := map[string]int{}
	for now := noon; now.Before(noon.Add(15 * time.Minute)); now = now.Add(time.Second) {
		if now.Equal(noon.Add(10 * time.Minute)) {
			p.Members = append(p.Members, Member{ID: "new", Verdict: consensus.VerdictDown, VerdictID: "V-99", Since: now})
		}
		p.Now = now
		effects := h.Step(now, Looked{Page: p, Policy: policy})
		if busy != nil && !now.Before(done) {
			id := busy.Message.Notice.ID
			if heard[id].IsZero() {
				heard[id] = now
			}
			least[id]++
			effects = append(effects, h.Step(now, Answered{Receiver: "am", Message: busy.Message.ID})...)
			busy = nil
		}
		for _, e := range effects {
			if e, ok := e.(SendMessage); ok {
				busy, done = &e, now.Add(8*time.Second)
			}
		}
	}
	if at := heard["verdict/V-99"]; at.IsZero() || at.After(noon.Add(10*time.Minute+30*time.Second)) {
		t.Errorf("what is new was told at %v, want within seconds", at)
	}
	for id, n := range least {
		if n < 2 {
			t.Errorf("%s was told %d times in 15 minutes: others were renewed in its place", id, n)
		}
	}
}

// TestWhatNeedsPeopleIsToldFirst: after a while without the receiver, what is critical
// now comes before what is older, and what is over.
func TestWhatNeedsPeopleIsToldFirst(t *testing.T) {
	now := noon.Add(time.Hour)
	matter := func(id string, begun time.Duration, severity Severity, ended time.Duration) *Matter {
		x := &Matter{Notice: Notice{ID: id, Stage: Stands, Severity: severity}, Begun: noon.Add(begun), Heard: map[string]Heard{}}
		if ended > 0 {
			x.Ended = noon.Add(ended)
		}
		return x
	}
	n := newNewsroom(t, "spare-1")
	n.herald.m.Matters = []*Matter{
		matter("old", 0, Warning, 0),
		matter("over", time.Minute, Critical, 2*time.Minute),
		matter("first", 3*time.Minute, Critical, 0),
		matter("second", 4*time.Minute, Critical, 0),
		matter("young", 5*time.Minute, Warning, 0),
	}
	var order []string
	for range len(n.herald.m.Matters) {
		x, says := n.herald.next(now, ops.Receivers[0])
		if x == nil {
			t.Fatalf("after %v nothing is to be told", order)
		}
		order = append(order, string(says)+" "+x.Notice.ID)
		x.Heard["ops"] = Heard{Stage: x.Notice.Stage, At: now, Ended: says == SaysEnded}
	}
	want := []string{"begun first", "begun second", "begun old", "ended over", "begun young"}
	if !slices.Equal(order, want) {
		t.Errorf("told %v, want %v", order, want)
	}
	if x, _ := n.herald.next(now, ops.Receivers[0]); x != nil {
		t.Errorf("told %s once more", x.Notice.ID)
	}
	n.herald.m.Matters[4].Notice.Stage, n.herald.m.Matters[4].Notice.Severity = Escalated, Critical
	if x, says := n.herald.next(now.Add(time.Second), ops.Receivers[0]); x == nil || x.Notice.ID != "young" || says != SaysChanged {
		t.Errorf("what became critical is not told")
	}
}
