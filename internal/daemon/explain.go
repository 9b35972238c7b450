package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/status"
	"moonwatch/status/web"
)

// How much is read for what followed from an old fact, in bytes of commands: some thousand
// facts, which is hours of a bad day.
const followedBytes = 4 << 20

// explainWaits is how long the answer about a member waits for what its observers see now.
const explainWaits = 150 * time.Millisecond

// basis is what explain answers from: each page has a time of its own.
func (d *Daemon) basis() any {
	p := d.page.Load()
	if p == nil {
		return nil
	}
	return p.Now.UnixNano()
}

// explain answers "why?" from the page, and of what is older than the page from the facts
// on disk.
func (d *Daemon) explain(id string) (status.Explanation, error) {
	p := d.page.Load()
	if p == nil {
		return status.Explanation{}, web.NoPage()
	}
	e, err := p.Explain(id)
	if err == nil && e.Member != nil && e.Member.Verdict == "" {
		e = p.WithLive(e, d.sightings.within(explainWaits))
	}
	kind, index, ok := status.FactOf(id)
	if !errors.Is(err, status.ErrUnknown) || !ok || index > d.feed.head() {
		return e, err
	}
	if first := d.store.First(); index < first {
		return e, fmt.Errorf("explain %q: this agent keeps facts from %d on; exports go further back, where somebody made one: %w", id, first, status.ErrUnknown)
	}
	return d.olden.answer(p.Knowledge.Head, strings.TrimPrefix(fmt.Sprintf("%s-%d", kind, index), "-"), func() (status.Explanation, error) {
		return d.explainOld(p, id, index, err)
	})
}

// explainOld answers from the facts on disk; unknown is what the page says. It reads and
// looks through megabytes.
func (d *Daemon) explainOld(p *status.Page, id string, index uint64, unknown error) (status.Explanation, error) {
	raw, ok := d.feed.Facts(index, followedBytes)
	if !ok || len(raw) == 0 {
		return status.Explanation{}, unknown
	}
	f, bad := consensus.DecodeFact(raw[0])
	if bad != nil {
		return status.Explanation{}, fmt.Errorf("explain %q: fact %d on disk: %w", id, index, bad)
	}
	number, command := []byte(strconv.FormatUint(index, 10)), []byte(f.Command.ID)
	var after []consensus.Fact
	for _, b := range raw[1:] {
		if !bytes.Contains(b, number) && !bytes.Contains(b, command) {
			continue // to decode each of thousands would take a second
		}
		if x, err := consensus.DecodeFact(b); err == nil {
			after = append(after, x)
		}
	}
	return p.ExplainFact(id, f, after)
}
