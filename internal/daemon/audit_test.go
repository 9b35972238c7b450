package daemon

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/internal/audit"
	"moonwatch/internal/client"
	"moonwatch/member"
	"moonwatch/status"
)

// TestEveryAgentIsAWitness asks one agent, which asks the others.
func TestEveryAgentIsAWitness(t *testing.T) {
	f := newFleet(t, []member.ID{"a", "b", "c", "d"})
	f.until("c", "council", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 1))
	for _, n := range f.names {
		f.until(n, "the ledger", 60*time.Second, func(p status.Page) bool { return p.Knowledge.Head >= 2 })
	}
	agent, err := client.New("unix:" + f.agents["d"].Addresses().Socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	page, err := agent.AuditFacts(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	var witnesses []audit.Witness
	unheard := func(h audit.Heads) bool { return h.Unheard != "" }
	heads, err := agent.AuditHeads(ctx, "", 1, 2)
	for err == nil && slices.ContainsFunc(heads, unheard) && ctx.Err() == nil { // a busy machine
		heads, err = agent.AuditHeads(ctx, "", 1, 2)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range heads {
		if h.Unheard != "" || len(h.Heads) != 2 {
			t.Errorf("%s remembers %v of two facts: %s", h.Member, h.Heads, h.Unheard)
		}
		witnesses = append(witnesses, audit.Remembered{Who: string(h.Member), List: h.Heads})
	}
	r := audit.Verify(page.Links[:2], witnesses)
	if !r.OK || len(r.Witnesses) != 4 || page.Member != "d" {
		t.Errorf("of %s: %+v", page.Member, r)
	}
	page.Links[1].Command = strings.Replace(page.Links[1].Command, `"web"`, `"wed"`, 1)
	if r := audit.Verify(page.Links[:2], witnesses); r.OK || r.Breaks[0].Fact != 2 || len(r.Breaks[0].Says) < 4 {
		t.Errorf("an edited fact: %+v", r)
	}
}

// TestAnAgentWhoseLedgerIsNotWhatItRemembersDoesNotStart and says so.
func TestAnAgentWhoseLedgerIsNotWhatItRemembersDoesNotStart(t *testing.T) {
	f := newFleet(t, []member.ID{"a", "b", "c"})
	f.until("c", "council", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 1))
	f.until("a", "the ledger", 60*time.Second, func(p status.Page) bool { return p.Knowledge.Head >= 2 })
	f.stop("a")
	path := filepath.Join(f.dir, "a", "data", audit.MemoryName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[8]++ // of the hash of fact 1, with the checksum behind it put right
	binary.BigEndian.PutUint32(b[40:], crc32.Checksum(b[:40], crc32.MakeTable(crc32.Castagnoli)))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := New(Config{Agent: f.config("a"), ActionsOfSelf: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := d.Run(ctx); err == nil || !strings.Contains(err.Error(), "the ledger was rewritten") || !strings.Contains(err.Error(), "moonwatch audit verify") {
		t.Errorf("%v", err)
	}
}
