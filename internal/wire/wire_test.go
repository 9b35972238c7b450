package wire

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moonwatch/agent"
	"moonwatch/agent/gossip"
	"moonwatch/member"
)

const cluster = "harvest-7f3a"

// keyFor is a key that every run of the tests agrees on.
func keyFor(id member.ID) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, id)
	return ed25519.NewKeyFromSeed(seed)
}

func keyOf(id member.ID) (ed25519.PublicKey, bool) {
	return keyFor(id).Public().(ed25519.PublicKey), !strings.HasPrefix(string(id), "stranger")
}

func signerOf(t testing.TB, id member.ID) *Signer {
	t.Helper()
	s, err := NewSigner(cluster, id, keyFor(id))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// must takes the datagram of an encoder that has no reason to fail.
func must(t testing.TB) func(b []byte, err error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func decoded[M Message](t testing.TB, b []byte) M {
	t.Helper()
	m, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := m.(M)
	if !ok {
		t.Fatalf("decoded %T, want %T", m, got)
	}
	return got
}

// full is the longest statement that an observer can make.
func full(observer member.ID) agent.Statement {
	s := agent.Statement{
		Observer: observer, Incarnation: math.MaxUint64, Seq: math.MaxUint64, Roster: math.MaxUint64,
		Life: math.MaxInt64 / 1e6 * 1e6, Abstains: agent.NewEdge,
	}
	for i := range agent.MaxVotes {
		s.Votes = append(s.Votes, agent.Vote{
			Subject:     member.ID(fmt.Sprintf("%032d", i)),
			Incarnation: math.MaxUint64, Kind: agent.OfService, Stance: agent.Down, Reason: agent.NoReply,
			Roll: agent.RollID{Term: math.MaxUint64 - uint64(i), N: math.MaxUint64},
			Evidence: agent.Evidence{
				SilentFor: math.MaxInt64, LostRun: math.MaxInt, LossPct: math.MaxInt, MedianPct: math.MaxInt,
				Detail: strings.Repeat("x", 1000),
			},
		})
	}
	return s
}

func TestMaxBodyIsWhatGossipCarries(t *testing.T) {
	if MaxBody != gossip.MaxBody {
		t.Errorf("MaxBody is %d, gossip carries %d", MaxBody, gossip.MaxBody)
	}
}

func TestTheLongestStatementFitsAlsoWhenPassedOn(t *testing.T) {
	observer := member.ID(strings.Repeat("o", maxName))
	b := must(t)(signerOf(t, observer).EncodeStatement(full(observer)))
	passed := must(t)(EncodeForwarded(member.ID(strings.Repeat("c", maxName)), b))
	if len(passed) > MaxBody {
		t.Errorf("passed on: %d bytes, want at most %d", len(passed), MaxBody)
	}
	got := decoded[Forwarded](t, passed)
	if len(got.Statement.Votes) != agent.MaxVotes || !bytes.Equal(got.Statement.Raw, b) {
		t.Errorf("got %d votes, want %d and the datagram unchanged", len(got.Statement.Votes), agent.MaxVotes)
	}
	if err := Verify(cluster, keyOf, got.Statement); err != nil {
		t.Error(err)
	}
}

func TestAStatementOfUsualNumbersKeepsItsDetails(t *testing.T) {
	s := full("web-1")
	s.Incarnation, s.Seq, s.Roster, s.Life = 1_700_000_000_000_000_000, 1<<20, 1<<20, 3*time.Second
	for i := range s.Votes {
		v := &s.Votes[i]
		v.Incarnation, v.Roll = 1_700_000_000_000_000_000, agent.RollID{Term: 9, N: 1234}
		v.Evidence = agent.Evidence{SilentFor: 1200 * time.Millisecond, LostRun: 4, LossPct: 12, MedianPct: 1, Detail: "GET /healthz: 503 Service Unavailable"}
	}
	got := decoded[Statement](t, must(t)(signerOf(t, "web-1").EncodeStatement(s)))
	for _, v := range got.Votes {
		if !strings.HasPrefix("GET /healthz: 503 Service Unavailable", v.Evidence.Detail) || len(v.Evidence.Detail) < 20 {
			t.Errorf("detail is %q, want the beginning of it, 20 bytes or more", v.Evidence.Detail)
		}
	}
}

func TestADetailIsNotCutWithinACharacter(t *testing.T) {
	if got := shorten("月読月読", 7); got != "月読" {
		t.Errorf("got %q", got)
	}
	if got := shorten("月", 2); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	name := rapid.Map(rapid.StringMatching(`[a-z][a-z0-9.-]{0,31}`), func(s string) member.ID { return member.ID(s) })
	number := rapid.Uint64()
	statement := rapid.Custom(func(t *rapid.T) agent.Statement {
		s := agent.Statement{
			Observer: name.Draw(t, "observer"), Incarnation: member.Incarnation(number.Draw(t, "incarnation")),
			Seq: number.Draw(t, "seq"), Roster: member.RosterEpoch(number.Draw(t, "roster")),
			Life:     time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "life")) * time.Millisecond,
			Abstains: rapid.SampledFrom(reasons[:]).Draw(t, "abstains"), Acknowledge: rapid.Bool().Draw(t, "acknowledge"),
		}
		for range rapid.IntRange(0, agent.MaxVotes).Draw(t, "votes") {
			v := agent.Vote{
				Subject: name.Draw(t, "subject"), Incarnation: member.Incarnation(number.Draw(t, "life")),
				Kind:   agent.Kind(rapid.IntRange(0, 1).Draw(t, "kind")),
				Stance: agent.Stance(rapid.IntRange(0, 2).Draw(t, "stance")),
				Reason: rapid.SampledFrom(reasons[:]).Draw(t, "reason"),
				Roll:   agent.RollID{Term: rapid.Uint64Range(0, 3).Draw(t, "term"), N: rapid.Uint64Range(0, 3).Draw(t, "n")},
			}
			if rapid.Bool().Draw(t, "evidence") {
				v.Evidence = agent.Evidence{
					SilentFor: time.Duration(rapid.Int64Range(0, 1<<28-1).Draw(t, "silent")) * time.Millisecond,
					LostRun:   rapid.IntRange(0, maxLostRun).Draw(t, "run"),
					LossPct:   rapid.IntRange(0, 100).Draw(t, "loss"), MedianPct: rapid.IntRange(0, 100).Draw(t, "median"),
					Detail: rapid.StringMatching(`[ -~]{0,15}`).Draw(t, "detail"),
				}
			}
			s.Votes = append(s.Votes, v)
		}
		for range rapid.IntRange(0, agent.MaxVotes-len(s.Votes)).Draw(t, "unreachable") {
			s.Unreachable = append(s.Unreachable, name.Draw(t, "lost"))
		}
		return s
	})
	rapid.Check(t, func(rt *rapid.T) {
		s := statement.Draw(rt, "statement")
		b := must(t)(signerOf(t, s.Observer).EncodeStatement(s))
		got := decoded[Statement](t, b)
		if !reflect.DeepEqual(got.Statement, s) {
			rt.Fatalf("got  %+v\nwant %+v", got.Statement, s)
		}
		if err := Verify(cluster, keyOf, got); err != nil {
			rt.Fatal(err)
		}

		from, seq := name.Draw(rt, "from"), number.Draw(rt, "seq")
		if got, want := decoded[Probe](t, must(t)(EncodeProbe(Probe{from, seq}))), (Probe{from, seq}); got != want {
			rt.Fatalf("got %+v, want %+v", got, want)
		}
		if got, want := decoded[Ack](t, must(t)(EncodeAck(Ack{from, seq}))), (Ack{from, seq}); got != want {
			rt.Fatalf("got %+v, want %+v", got, want)
		}
		answer := ProbeAnswer{from, seq, member.Incarnation(number.Draw(rt, "life")), agent.Report(rapid.IntRange(0, 2).Draw(rt, "report"))}
		if got := decoded[ProbeAnswer](t, must(t)(EncodeProbeAnswer(answer))); got != answer {
			rt.Fatalf("got %+v, want %+v", got, answer)
		}
	})
}

// Long lists go into several datagrams; together they say all of it, in order.
func TestListsOfNamesAreSplitOverDatagrams(t *testing.T) {
	for _, n := range []int{0, 1, 37, 38, 39, 200, 1000} {
		var names []member.ID
		for i := range n {
			names = append(names, member.ID(fmt.Sprintf("%032d", i)))
		}
		calls, err := signerOf(t, "web-1").EncodeRollCall(agent.RollCall{ID: agent.RollID{Term: 3, N: 7}, Subjects: names})
		if err != nil {
			t.Fatal(err)
		}
		var called []member.ID
		for _, b := range calls {
			m := decoded[RollCall](t, b)
			if err := Verify(cluster, keyOf, m); err != nil || len(b) > MaxBody || m.Call.ID != (agent.RollID{Term: 3, N: 7}) {
				t.Fatalf("%d names: %v, %d bytes, id %v", n, err, len(b), m.Call.ID)
			}
			called = append(called, m.Call.Subjects...)
		}
		if !reflect.DeepEqual(called, names) {
			t.Errorf("%d names: called %d", n, len(called))
		}
	}
}

func TestALargeSetIsSplitOverDatagrams(t *testing.T) {
	for _, n := range []int{0, 1, 1000, 30_000} {
		var members []member.Member
		var names []member.ID
		for i := range n {
			id := member.ID(fmt.Sprintf("m-%05d", i))
			members = append(members, member.Member{ID: id})
			if i%3 == 0 {
				names = append(names, id)
			}
		}
		r := member.NewRoster(70_000, members)
		heard, err := EncodePresence(Presence{From: "web-1", Members: r.Places(names)})
		if err != nil || len(heard) != (n+9999)/10_000 {
			t.Fatalf("%d places: %d datagrams, %v", n, len(heard), err)
		}
		var told []member.ID
		for _, b := range heard {
			if len(b) > MaxBody {
				t.Errorf("a datagram of %d bytes", len(b))
			}
			told = append(told, r.In(decoded[Presence](t, b).Members)...)
		}
		if !reflect.DeepEqual(told, names) {
			t.Errorf("%d names: told %d", len(names), len(told))
		}
	}
	for _, first := range []int{-8, 4, 1 << 25} {
		if _, err := EncodePresence(Presence{From: "web-1", Members: member.Places{First: first, Bits: []byte{1}}}); err == nil {
			t.Errorf("a set that begins at place %d was taken", first)
		}
	}
}

func TestNamesThatAreNoneAreRefused(t *testing.T) {
	signer := signerOf(t, "web-1")
	for _, id := range []member.ID{"", member.ID(strings.Repeat("x", maxName+1)), member.ID(strings.Repeat("x", 2000))} {
		_, probe := EncodeProbe(Probe{From: id})
		_, presence := EncodePresence(Presence{From: id, Members: member.Places{Bits: []byte{1}}})
		_, call := signer.EncodeRollCall(agent.RollCall{Subjects: []member.ID{id}})
		_, vote := signer.EncodeStatement(agent.Statement{Observer: "web-1", Votes: []agent.Vote{{Subject: id}}})
		_, lost := signer.EncodeStatement(agent.Statement{Observer: "web-1", Unreachable: []member.ID{id}})
		_, made := NewSigner(cluster, id, keyFor("x"))
		for i, err := range []error{probe, presence, call, vote, lost, made} {
			if err == nil || !strings.Contains(err.Error(), "want 1 to 32") {
				t.Errorf("name of %d bytes, message %d: got %v", len(id), i, err)
			}
		}
	}
}

func TestTooManyVotesAreAnErrorAndNotHalfAStatement(t *testing.T) {
	s := full("web-1")
	s.Unreachable = []member.ID{"web-2"}
	if _, err := signerOf(t, "web-1").EncodeStatement(s); !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v", err)
	}
}

func TestNobodySignsForAnother(t *testing.T) {
	if _, err := signerOf(t, "web-1").EncodeStatement(agent.Statement{Observer: "web-2"}); err == nil {
		t.Error("web-1 signed a statement of web-2")
	}
	if _, err := EncodeForwarded("web-1", must(t)(EncodeAck(Ack{From: "web-2"}))); !errors.Is(err, ErrMalformed) {
		t.Errorf("an acknowledgement was passed on as a statement: %v", err)
	}
}

func TestAChangedByteDoesNotVerify(t *testing.T) {
	s := agent.Statement{Observer: "web-1", Seq: 7, Life: time.Second, Votes: []agent.Vote{{Subject: "web-2", Stance: agent.Down, Reason: agent.Silence}}}
	b := must(t)(signerOf(t, "web-1").EncodeStatement(s))
	calls, err := signerOf(t, "web-1").EncodeRollCall(agent.RollCall{Subjects: []member.ID{"web-2"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, whole := range [][]byte{b, calls[0]} {
		for i := range whole {
			changed := bytes.Clone(whole)
			changed[i] ^= 1
			m, err := Decode(changed)
			if err != nil {
				continue
			}
			if signed, ok := m.(Signed); ok && Verify(cluster, keyOf, signed) == nil {
				t.Errorf("byte %d of %d changed, and it verifies", i, len(whole))
			}
		}
		if m, err := Decode(append(bytes.Clone(whole), 0)); err == nil && Verify(cluster, keyOf, m.(Signed)) == nil {
			t.Error("a byte was added, and it verifies")
		}
	}
}

func TestAStatementOfAnotherClusterDoesNotVerify(t *testing.T) {
	b := must(t)(signerOf(t, "web-1").EncodeStatement(agent.Statement{Observer: "web-1"}))
	m := decoded[Statement](t, b)
	for _, other := range []string{"", "harvest-7f3", "harvest-7f3b", cluster + "\x03"} {
		if err := Verify(other, keyOf, m); !errors.Is(err, ErrBadSignature) {
			t.Errorf("cluster %q: got %v", other, err)
		}
	}
	if err := Verify(cluster, keyOf, decoded[Statement](t, must(t)(signerOf(t, "stranger").EncodeStatement(agent.Statement{Observer: "stranger"})))); !errors.Is(err, ErrUnknownSigner) {
		t.Errorf("stranger: got %v", err)
	}
	if err := Verify(cluster, keyOf, Statement{Statement: agent.Statement{Observer: "web-1"}}); !errors.Is(err, ErrBadSignature) {
		t.Errorf("without bytes: got %v", err)
	}
}

// A statement must not be taken for a roll call, whatever its bytes.
func TestAKindIsSignedToo(t *testing.T) {
	b := must(t)(signerOf(t, "web-1").EncodeStatement(agent.Statement{Observer: "web-1", Incarnation: 3, Seq: 4}))
	b[0] = byte(kindRollCall)
	if m, err := Decode(b); err == nil {
		if err := Verify(cluster, keyOf, m.(Signed)); !errors.Is(err, ErrBadSignature) {
			t.Errorf("got %v", err)
		}
	}
}

func TestANewerAgentIsUnderstoodAsFarAsPossible(t *testing.T) {
	if _, err := Decode([]byte{99, 5, 'w', 'e', 'b', '-', '1', 1, 2, 3}); !errors.Is(err, ErrUnknownKind) {
		t.Errorf("unknown kind: got %v", err)
	}
	b := append(must(t)(EncodeProbe(Probe{From: "web-1", Seq: 4})), "a field of tomorrow"...)
	if got := decoded[Probe](t, b); got != (Probe{From: "web-1", Seq: 4}) {
		t.Errorf("got %+v", got)
	}

	// A newer agent signs its additional fields together with the rest.
	s := signerOf(t, "web-1")
	b, err := s.begin(kindStatement)
	if err != nil {
		t.Fatal(err)
	}
	b, err = appendStatement(b, agent.Statement{Observer: "web-1", Seq: 8})
	if err != nil {
		t.Fatal(err)
	}
	m := decoded[Statement](t, s.finish(append(b, "a field of tomorrow"...)))
	if err := Verify(cluster, keyOf, m); err != nil || m.Seq != 8 {
		t.Errorf("got %+v, %v", m.Statement, err)
	}
	if got := reasonOf(12); got != "reason-12" {
		t.Errorf("reason of tomorrow: got %q", got)
	}
	answer := must(t)(EncodeProbeAnswer(ProbeAnswer{From: "web-1", Seq: 1, Report: 77}))
	if got := decoded[ProbeAnswer](t, answer); got.Report != agent.NoService {
		t.Errorf("report of tomorrow: got %v", got.Report)
	}
}

func TestAVoteIsNotLostForTheWantOfAWord(t *testing.T) {
	s := agent.Statement{Observer: "web-1", Votes: []agent.Vote{{Subject: "web-2", Stance: agent.Down, Reason: "haunted"}}}
	got := decoded[Statement](t, must(t)(signerOf(t, "web-1").EncodeStatement(s)))
	if len(got.Votes) != 1 || got.Votes[0].Reason != Other {
		t.Errorf("got %+v", got.Votes)
	}
}

func TestEvidenceBeyondItsBoundsIsHeldToThem(t *testing.T) {
	s := agent.Statement{Observer: "web-1", Life: -time.Second, Votes: []agent.Vote{{
		Subject: "web-2", Evidence: agent.Evidence{SilentFor: -1, LostRun: -1, LossPct: -5, MedianPct: 1000},
	}}}
	got := decoded[Statement](t, must(t)(signerOf(t, "web-1").EncodeStatement(s)))
	if got.Life != 0 || got.Votes[0].Evidence != (agent.Evidence{MedianPct: maxPercent}) {
		t.Errorf("got %+v", got.Statement)
	}
}

func TestBrokenDatagramsAreMalformed(t *testing.T) {
	whole := must(t)(signerOf(t, "web-1").EncodeStatement(agent.Statement{
		Observer: "web-1", Unreachable: []member.ID{"web-3"},
		Votes: []agent.Vote{{Subject: "web-2", Roll: agent.RollID{Term: 1}, Evidence: agent.Evidence{Detail: "x"}}},
	}))
	passed := must(t)(EncodeForwarded("web-2", whole))
	for _, b := range [][]byte{whole, passed} {
		for n := range b {
			if _, err := Decode(b[:n]); !errors.Is(err, ErrMalformed) {
				t.Errorf("first %d of %d bytes: got %v", n, len(b), err)
			}
		}
	}
	for name, b := range map[string][]byte{
		"too long":            make([]byte, MaxBody+1),
		"forwarded twice":     append([]byte{byte(kindForwarded), 1, 'a'}, passed...),
		"more names than fit": slices.Concat([]byte{byte(kindRollCall), 1, 'a'}, make([]byte, ed25519.SignatureSize+2), []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 1, 'b'}),
		"a set of nobody":     {byte(kindPresence), 1, 'a', 5, 0},
		"a place too far":     {byte(kindPresence), 1, 'a', 5, 0xff, 0xff, 0xff, 0xff, 0x0f, 1},
		"endless number":      {byte(kindProbe), 1, 'a', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		if _, err := Decode(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestDecodingAllocatesLittle(t *testing.T) {
	hostile := slices.Concat([]byte{byte(kindRollCall), 1, 'a'}, make([]byte, ed25519.SignatureSize+2), []byte{0xff, 0xff, 0x03}, make([]byte, 1200))
	if n := testing.AllocsPerRun(100, func() { _, _ = Decode(hostile) }); n > 8 {
		t.Errorf("%v allocations for a datagram that claims 65,535 names", n)
	}
}

func FuzzDecode(f *testing.F) {
	signer := signerOf(f, "web-1")
	f.Add(must(f)(EncodeProbe(Probe{From: "web-1", Seq: 300})))
	f.Add(must(f)(EncodeProbeAnswer(ProbeAnswer{From: "web-1", Seq: 300, Incarnation: 5, Report: agent.ServiceGood})))
	f.Add(must(f)(EncodeAck(Ack{From: "web-1", Seq: 300})))
	statement := must(f)(signer.EncodeStatement(full("web-1")))
	f.Add(statement)
	f.Add(must(f)(EncodeForwarded("web-2", statement)))
	calls, _ := signer.EncodeRollCall(agent.RollCall{ID: agent.RollID{Term: 1, N: 2}, Subjects: []member.ID{"web-2", "web-3"}})
	f.Add(calls[0])
	heard, _ := EncodePresence(Presence{From: "web-1", Members: member.Places{Roster: 300, First: 16, Bits: []byte{5, 0, 255}}})
	f.Add(heard[0])
	f.Add(must(f)(signer.EncodeRenewal(agent.Renewal{Holder: "web-1", Life: 5, Seq: 300, Slot: "db-0", Epoch: 7, Sent: time.Second})))
	f.Add(must(f)(signer.EncodeGrant(agent.Grant{Renewal: agent.Renewal{Holder: "web-2", Seq: 300, Slot: "db-0", Epoch: 7}, Terms: member.LeaseLan()})))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			if m != nil || !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownKind) {
				t.Fatalf("got %v, %v", m, err)
			}
			return
		}
		if err := checkName(m.Sender()); err != nil {
			t.Fatal(err)
		}
		// What was read can be written, and reads the same again.
		var again []byte
		switch m := m.(type) {
		case Probe:
			again, err = EncodeProbe(m)
		case ProbeAnswer:
			again, err = EncodeProbeAnswer(m)
		case Ack:
			again, err = EncodeAck(m)
		case Presence:
			var all [][]byte
			all, err = EncodePresence(m)
			again = all[0]
			if len(all) > 1 {
				return // it stood closer to the limit than we write
			}
		case Forwarded:
			_ = Verify(cluster, keyOf, m.Statement)
			return
		case Statement:
			_ = Verify(cluster, keyOf, m)
			return
		case RollCall:
			_ = Verify(cluster, keyOf, m)
			return
		case Renewal:
			_ = Verify(cluster, keyOf, m)
			return
		case Grant:
			_ = Verify(cluster, keyOf, m)
			return
		case Hold:
			_ = Verify(cluster, keyOf, m)
			return
		case DoorReport:
			_ = Verify(cluster, keyOf, m)
			return
		case DoorFloors:
			_ = Verify(cluster, keyOf, m)
			return
		}
		if err != nil {
			t.Fatalf("encode %+v: %v", m, err)
		}
		if second, err := Decode(again); err != nil || !reflect.DeepEqual(second, m) {
			t.Fatalf("got %+v, %v, want %+v", second, err, m)
		}
	})
}

func BenchmarkEncodeAndSign(b *testing.B) {
	signer, s := signerOf(b, "web-1"), full("web-1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := signer.EncodeStatement(s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeAndVerify(b *testing.B) {
	datagram := must(b)(signerOf(b, "web-1").EncodeStatement(full("web-1")))
	key := keyFor("web-1").Public().(ed25519.PublicKey)
	b.ReportAllocs()
	for b.Loop() {
		m, err := Decode(datagram)
		if err != nil {
			b.Fatal(err)
		}
		if err := Verify(cluster, func(member.ID) (ed25519.PublicKey, bool) { return key, true }, m.(Statement)); err != nil {
			b.Fatal(err)
		}
	}
}

func Example() {
	signer, err := NewSigner("harvest-7f3a", "web-1", keyFor("web-1"))
	if err != nil {
		panic(err)
	}
	datagram, err := signer.EncodeStatement(agent.Statement{
		Observer: "web-1", Seq: 1, Life: 3 * time.Second,
		Votes: []agent.Vote{{Subject: "web-2", Stance: agent.Down, Reason: agent.Silence}},
	})
	if err != nil {
		panic(err)
	}

	m, err := Decode(datagram)
	if err != nil {
		panic(err)
	}
	s := m.(Statement)
	fmt.Println(s.Observer, "says", s.Votes[0].Subject, "is", s.Votes[0].Stance, s.Votes[0].Reason)
	fmt.Println(Verify("harvest-7f3a", keyOf, s))
	fmt.Println(Verify("another", keyOf, s))
	// Output:
	// web-1 says web-2 is down silence
	// <nil>
	// datagram of web-1: signature does not match
}
