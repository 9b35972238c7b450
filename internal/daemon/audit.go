package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"go.uber.org/zap"

	"moonwatch/consensus"
	"moonwatch/consensus/link"
	"moonwatch/internal/audit"
	"moonwatch/member"
	"moonwatch/mind"
)

// recall opens this agent's memory of heads and holds the ledger on its disk
// against it: an agent whose ledger was rewritten while it did not run must not
// decide with it, nor feed it to others.
func (d *Daemon) recall(facts []consensus.Fact) error {
	path := filepath.Join(d.cfg.Agent.DataDir, audit.MemoryName)
	m, err := audit.OpenMemory(path)
	if err != nil {
		return err
	}
	d.heads = m
	var other *audit.Contradiction
	if err := m.Note(facts); errors.As(err, &other) {
		return fmt.Errorf("ledger.db in %s: %w: look with 'moonwatch audit verify %s'; then move ledger.db away, and no other file, and start again: the agent fetches the ledger from the others",
			d.cfg.Agent.DataDir, err, d.cfg.Agent.DataDir)
	} else if err != nil {
		return err
	}
	return nil
}

// remember notes the heads of new facts. A memory that cannot be written is told of;
// the ledger itself is not kept waiting.
func (d *Daemon) remember(e mind.Applied) {
	if d.heads == nil {
		return
	}
	if err := d.heads.Note(e.Facts); err != nil {
		d.m.headsDiffer.Inc()
		d.log.Error("heads not remembered", zap.Error(err))
	}
}

// Heads are what this agent remembers of the chain.
func (h handler) Heads(from, to uint64, most int) []link.Head {
	select {
	case <-h.d.ready:
	default:
		return nil
	}
	var out []link.Head
	for _, x := range h.d.heads.Heads(from, to, most) {
		out = append(out, link.Head{Index: x.Index, Hash: slices.Clone(x.Hash[:])})
	}
	return out
}

// compare holds what a feeder says of its own head against what is remembered here.
func (d *Daemon) compare(peer member.ID, s link.Status) {
	if d.heads == nil || s.Head == 0 || len(s.Hash) != len(audit.Hash{}) {
		return
	}
	for _, mine := range d.heads.Heads(s.Head, s.Head, 1) {
		if theirs := audit.Hash(s.Hash); theirs != mine.Hash {
			d.m.headsDiffer.Inc()
			d.log.Error("another head is remembered: a ledger was rewritten, see 'moonwatch audit verify'",
				zap.String("peer", string(peer)), zap.Uint64("fact", s.Head), zap.Stringer("here", mine.Hash), zap.Stringer("there", theirs))
		}
	}
}

// maxWitnesses bounds how many other members are asked: each that remembers a head
// knows everything up to it.
const maxWitnesses = 16

// serveHeads tells what this agent and others remember of the chain between two
// facts.
func (d *Daemon) serveHeads(w http.ResponseWriter, r *http.Request) {
	from, err1 := strconv.ParseUint(r.URL.Query().Get("from"), 10, 64)
	to, err2 := strconv.ParseUint(r.URL.Query().Get("to"), 10, 64)
	if err1 != nil || err2 != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("from and to are %q, want the indices of two facts", r.URL.RawQuery))
		return
	}
	select {
	case <-d.ready:
	default:
		refuse(w, http.StatusServiceUnavailable, errors.New("this agent has no ledger yet"))
		return
	}
	only := member.ID(r.URL.Query().Get("of"))
	var all []audit.Heads
	if only == "" || only == d.self {
		all = append(all, audit.Heads{Member: d.self, Heads: d.heads.Heads(from, to, link.MaxHeads)})
	}
	all = append(all, d.askHeads(r.Context(), only, from, to)...)
	reply(w, http.StatusOK, map[string]any{"schema": 1, "heads": all})
}

// askHeads asks other members, or one of them, all at once.
func (d *Daemon) askHeads(ctx context.Context, only member.ID, from, to uint64) []audit.Heads {
	var whom []member.ID
	for _, p := range d.peers.list() {
		if p.Name != d.self && p.Tags[tagConsole] == "" && (only == "" || p.Name == only) && len(whom) < maxWitnesses {
			whom = append(whom, p.Name)
		}
	}
	out := make([]audit.Heads, len(whom))
	var asking sync.WaitGroup
	for i, id := range whom {
		asking.Go(func() {
			out[i].Member = id
			heads, err := d.link.Heads(ctx, id, from, to)
			if err != nil {
				out[i].Unheard = err.Error()
				return
			}
			for _, h := range heads {
				if len(h.Hash) == len(audit.Hash{}) {
					out[i].Heads = append(out[i].Heads, audit.Head{Index: h.Index, Hash: audit.Hash(h.Hash)})
				}
			}
		})
	}
	asking.Wait()
	return out
}

// factsPage bounds one answer of facts, in bytes of their commands.
const factsPage = 4 << 20

// serveAuditFacts hands out facts as they stand in this agent's ledger.
func (d *Daemon) serveAuditFacts(w http.ResponseWriter, r *http.Request) {
	from, err := strconv.ParseUint(r.URL.Query().Get("from"), 10, 64)
	if err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("from is %q, want the index of a fact", r.URL.Query().Get("from")))
		return
	}
	first := d.store.First()
	if first == 0 {
		first = 1
	}
	from = max(from, first)
	p := audit.Page{Schema: 1, Cluster: d.cluster, Member: d.self, First: first, Head: d.feed.head(), Links: []audit.Link{}}
	raw, ok := d.feed.Facts(from, factsPage)
	if !ok {
		refuse(w, http.StatusInternalServerError, fmt.Errorf("fact %d cannot be read from ledger.db: its record is damaged: stop the agent, and verify its data folder", from))
		return
	}
	for _, b := range raw {
		f, err := consensus.DecodeFact(b)
		if err != nil {
			p.Links = append(p.Links, audit.Damaged(from+uint64(len(p.Links)), err.Error()))
			continue
		}
		p.Links = append(p.Links, audit.LinkOf(f))
	}
	reply(w, http.StatusOK, p)
}
