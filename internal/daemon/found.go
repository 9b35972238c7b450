package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/consensus/link"
	"moonwatch/internal/whole"
	"moonwatch/member"
	"moonwatch/mind"
)

// begin makes the mind: from the disk, as a founder, or empty, as a follower.
func (d *Daemon) begin(ctx context.Context) error {
	boot, err := d.store.Load()
	if err != nil {
		return err
	}
	if err := d.recall(boot.Facts); err != nil {
		return err
	}
	b := mind.Boot{Snapshot: boot.Snapshot, Facts: boot.Facts, Raft: boot.Raft, Holding: d.journal.Holding(), Bygone: d.journal.Bygone()}
	if boot.Fresh {
		if b.Genesis, b.Follower, err = d.found(ctx); err != nil {
			return err
		}
	} else {
		// A councillor's disk that did not found was emptied once. What it had
		// promised in raft is forgotten for good, not for one life.
		b.Follower = len(d.feed.founded()) == 0
	}
	cfg := mind.ForProfile(d.cfg.Agent.Profile, d.self, d.life)
	cfg.Disk, cfg.Chronicle = d.nonce, d.chronicling.known
	m, err := mind.New(cfg, b, time.Now())
	if err != nil {
		return fmt.Errorf("ledger.db in %s: %w: move that file away, and no other, and start again: the agent fetches the ledger from the others", d.cfg.Agent.DataDir, err)
	}
	if err := d.checkLeases(m); err != nil {
		return err
	}
	d.restoreFeed(m)
	if fl := m.Ledger().Fleet(); fl != nil {
		d.fleet.Store(&fleetInForce{Fact: m.Ledger().FleetIndex(), Fleet: fl})
		d.compareFleet(fl)
	}
	d.mind = m
	d.progress.Store(int64(time.Since(d.started)))
	d.noteDuty()
	d.noteSeats()
	d.noteRevoked()
	d.deeds.Go(func() { d.presence(ctx) })
	d.deeds.Go(func() { d.tellAllKinds(ctx) })
	d.deeds.Go(func() { d.watchOwn(ctx) })
	d.deeds.Go(func() { d.watchFences(ctx) })
	if d.keeper != nil {
		d.deeds.Go(func() { d.watchKeeper(ctx) })
	}
	d.readied.Do(func() { close(d.ready) })
	d.log.Info("agent decides", zap.Uint64("head", m.Ledger().Head()), zap.Bool("councillor", m.Councillor()))
	return nil
}

// found waits until it is clear whether there is a ledger already. All
// expected councillors have to be seen empty at the same time before anybody
// founds; each then knows, by the others' nonces, that they were empty in this
// life, and may found as well although the others are a little ahead.
func (d *Daemon) found(ctx context.Context) (g *consensus.Genesis, follower bool, err error) {
	expected := slices.Clone(d.cfg.Agent.ExpectCouncillors)
	slices.Sort(expected)
	if !slices.Contains(expected, d.self) {
		return nil, true, nil
	}
	g = &consensus.Genesis{Cluster: d.cluster, Root: d.root(), Council: expected}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	said := ""
	for {
		hellos, missing := d.hellos(ctx, expected)
		for _, h := range hellos {
			if !h.HasLedger {
				continue
			}
			if h.Founded[d.self] == d.nonce && d.nonce != "" {
				return g, false, d.noteFounded(h.Founded)
			}
			d.log.Warn("this disk is empty and a council exists: following it", zap.String("seen_at", string(h.Name)))
			return nil, true, nil
		}
		if len(missing) == 0 {
			nonces := map[member.ID]string{d.self: d.nonce}
			for _, h := range hellos {
				nonces[h.Name] = h.Nonce
			}
			return g, false, d.noteFounded(nonces)
		}
		wait := "waiting for the expected councillors " + strings.Join(missing, ", ")
		d.founding.Store(&wait)
		if wait != said {
			said = wait
			d.log.Info("cluster not founded yet", zap.Strings("missing", missing))
		}
		select {
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// hellos asks all other expected councillors who they are.
func (d *Daemon) hellos(ctx context.Context, council []member.ID) (hellos []link.Hello, missing []string) {
	for _, id := range council {
		if id == d.self {
			continue
		}
		addr, ok := d.peers.linkAddress(id)
		if !ok {
			missing = append(missing, string(id))
			continue
		}
		ask, cancel := context.WithTimeout(ctx, time.Second)
		h, _, err := d.link.Ask(ask, addr)
		cancel()
		if err != nil || h.Name != id {
			missing = append(missing, string(id))
			continue
		}
		hellos = append(hellos, h)
	}
	return hellos, missing
}

// noteFounded remembers who was empty when this councillor founded, also for
// later lives.
func (d *Daemon) noteFounded(nonces map[member.ID]string) error {
	b, err := json.Marshal(nonces)
	if err != nil {
		return fmt.Errorf("founding: %w", err)
	}
	if err := writeFile(filepath.Join(d.cfg.Agent.DataDir, "founded.json"), b); err != nil {
		return err
	}
	d.feed.found(nonces)
	return nil
}

// restoreFeed fills history and feed with what the disk had.
func (d *Daemon) restoreFeed(m *mind.Mind) {
	for _, f := range m.TakeReplayed() {
		d.history.Apply(f)
		d.feed.append(f)
	}
	d.feed.restored(m.Ledger())
}

// loadNonce is what tells this disk from one that was emptied: the identity of
// the ledger's file, which goes when that file alone is moved away. A file of an
// early build has none, and another file beside it has it.
func loadNonce(dir string, s *disk.Store) (string, error) {
	if id := s.ID(); id != "" {
		return id, nil
	}
	path := filepath.Join(dir, "nonce")
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return string(b), nil
}

// loadFounded reads who was empty when this councillor founded. What an earlier
// ledger file of this member founded does not count for the present one.
func loadFounded(dir string, self member.ID, nonce string) map[member.ID]string {
	b, err := os.ReadFile(filepath.Join(dir, "founded.json"))
	if err != nil {
		return nil
	}
	var n map[member.ID]string
	if json.Unmarshal(b, &n) != nil || n[self] != nonce {
		return nil // half-written, or of another file: who asks becomes a follower, which is safe
	}
	return n
}

// writeFile replaces a file at one stroke.
func writeFile(path string, b []byte) error {
	if err := whole.Replace(path, b, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
