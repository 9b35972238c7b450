package dns

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"moonwatch/failover/driver"
	"moonwatch/member"
)

// An impostor answers as if no slot had a mark, which would let any slot epoch
// in. The real server's answers are tested with BIND.
func TestOnlyASignedAnswerToOurQuestionCounts(t *testing.T) {
	const ours, other = "bW9vbndhdGNoIG1vb253YXRjaCBtb29ud2F0Y2ghISE=", "c29tZWJvZHkgZWxzZSBzb21lYm9keSBlbHNlISEhISE="
	tests := []struct {
		claim  string
		secret string
		spoil  func(*dns.Msg)
		want   driver.Outcome
		says   string
	}{
		{"all is right", ours, func(m *dns.Msg) { m.SetTsig("moonwatch.", dns.HmacSHA256, fudge, time.Now().Unix()) }, driver.Retryable, "no route by its mark"},
		{"no signature", ours, func(*dns.Msg) {}, driver.Unknown, "is not signed"},
		{"a signature with another secret", other, func(m *dns.Msg) { m.SetTsig("moonwatch.", dns.HmacSHA256, fudge, time.Now().Unix()) }, driver.Unknown, "bad signature"},
		{"an answer to another question", ours, func(m *dns.Msg) {
			m.Id++
			m.SetTsig("moonwatch.", dns.HmacSHA256, fudge, time.Now().Unix())
		}, driver.Unknown, "belongs to another question"},
		{"no answer but a question", ours, func(m *dns.Msg) {
			m.Response = false
			m.SetTsig("moonwatch.", dns.HmacSHA256, fudge, time.Now().Unix())
		}, driver.Unknown, "belongs to another question"},
		{"an answer out of a cache", ours, func(m *dns.Msg) {
			m.Authoritative = false
			m.SetTsig("moonwatch.", dns.HmacSHA256, fudge, time.Now().Unix())
		}, driver.Permanent, "not authoritative"},
		{"an answer recorded an hour ago", ours, func(m *dns.Msg) { m.SetTsig("moonwatch.", dns.HmacSHA256, fudge, time.Now().Unix()-3600) }, driver.Unknown, "bad time"},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			d, err := New(Config{
				Server: impostor(t, tt.secret, tt.spoil), Zone: "example.test", TTL: time.Second,
				Key:     Key{Name: "moonwatch", Algorithm: "hmac-sha256", Secret: ours},
				Name:    func(member.SlotID) string { return "www.example.test" },
				Address: func(member.ID) (netip.Addr, bool) { return netip.MustParseAddr("192.0.2.1"), true },
			})
			if err != nil {
				t.Fatal(err)
			}
			got := d.Observe(t.Context(), driver.Request{
				Case: "C-12", Step: driver.StepCutover, Attempt: 1, Member: "spare-1", Slot: "web-0", SlotEpoch: 57,
				Deadline: time.Now().Add(10 * time.Second),
			})
			if got.Outcome != tt.want || !strings.Contains(got.Detail, tt.says) {
				t.Errorf("got %v (%s), want %v and %q", got.Outcome, got.Detail, tt.want, tt.says)
			}
		})
	}
}

// impostor answers every question with "no such records", signed with a secret.
func impostor(t *testing.T, secret string, spoil func(*dns.Msg)) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{Listener: listener, TsigSecret: map[string]string{"moonwatch.": secret}}
	server.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		answer := new(dns.Msg).SetReply(question)
		answer.Authoritative = true
		spoil(answer)
		_ = w.WriteMsg(answer)
	})
	done := make(chan struct{})
	go func() { defer close(done); _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = server.Shutdown(); listener.Close(); <-done })
	return listener.Addr().String()
}
