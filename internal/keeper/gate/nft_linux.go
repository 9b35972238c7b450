package gate

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"moonwatch/member"
)

// nft is a gate of nftables, in a table of its own for each keeper:
//
//	table inet moonwatch-keeper-9f1c04c9a7e0d3b1 {
//		set open {
//			type cgroupsv2
//			flags timeout
//			elements = { ".../db-0" timeout 7500ms expires 6912ms }
//		}
//		chain output {
//			type filter hook output priority filter; policy accept;
//			socket cgroupv2 level 2 @open socket cgroupv2 level 2 ".../db-0" meta time <= "2026-11-22 17:40:03" accept
//			socket cgroupv2 level 1 "moonwatch-keeper-..." counter drop
//		}
//	}
//
// A slot that is open has a rule of its own, and both have to let its packets pass: the
// time-out, and the time at which its lease ends. The first one counts from when the
// kernel took it, which may be long after it was worked out: the machine stood still in
// between, or somebody else changed rules just then, one at a time. Nor does it count
// while the machine is suspended. The second one does all that, and a wrong clock that
// is set back would leave it open.
//
// What is not below the keeper's cgroup meets neither rule. The kernel looks at the
// cgroup in which a socket was made, so the data of a connection whose process has
// been ended, which the kernel would go on sending, are held back too.
type nft struct {
	dir   string // the keeper's cgroup
	level uint32 // of dir, below the root of all cgroups
	table *nftables.Table
	chain *nftables.Chain
	set   *nftables.Set
	open  map[member.SlotID]element
}

// element is a slot in the set. A cgroup that is made anew is another one.
type element struct {
	key   []byte
	until time.Time // with both clocks: people may set the one that the kernel compares
}

// metaTime is the kernel's NFT_META_TIME_NS: the time of the wall clock in nanoseconds,
// since 5.4. The library and x/sys have no name for it.
const metaTime = expr.MetaKey(30)

// patience bounds a wait for the kernel's answer, which is there when the message is
// sent: it is a bound for what cannot happen.
const patience = 2 * time.Second

// New makes the gate of the keeper whose slots are the cgroups below dir, or takes
// over what an earlier life of it left: those that it had opened stay so until their
// time is up.
func New(dir string) (Gate, error) {
	if !filepath.IsAbs(dir) { // sessions have no folder
		return nil, fmt.Errorf("gate: %w", ErrNoCgroup)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil, fmt.Errorf("gate: %s: %w", dir, err)
	}
	if st.Type != unix.CGROUP2_SUPER_MAGIC {
		return nil, fmt.Errorf("gate: %s: %w", dir, ErrNoCgroup)
	}
	level, err := levelOf(dir)
	if err != nil {
		return nil, fmt.Errorf("gate: %w", err)
	}
	g := &nft{dir: dir, level: level, table: tableOf(dir), open: map[member.SlotID]element{}}
	accept := nftables.ChainPolicyAccept
	g.chain = &nftables.Chain{
		Table: g.table, Name: "output", Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityFilter, Policy: &accept,
	}
	g.set = &nftables.Set{Table: g.table, Name: "open", KeyType: nftables.TypeCGroupV2, KeyByteOrder: binaryutil.NativeEndian, HasTimeout: true}
	g.inherit()
	if err := g.Renew(); err != nil {
		return nil, err
	}
	return g, nil
}

// inherit finds the slots that an earlier life of the keeper left open, and until when:
// what the time-out has left, and no longer than its lease by the clock, for in a suspend
// time-outs stand still. What cannot be found is shut: the next lease opens it.
func (g *nft) inherit() {
	c, err := nftables.New()
	if err != nil {
		return
	}
	all, err := c.GetSetElements(g.set)
	if err != nil {
		return // there was none
	}
	rules, err := c.GetRules(g.table, g.chain)
	if err != nil {
		return
	}
	slots, err := os.ReadDir(g.dir)
	if err != nil {
		return
	}
	now := time.Now()
	for _, d := range slots {
		k, err := key(filepath.Join(g.dir, d.Name()))
		if err != nil {
			continue
		}
		for _, e := range all {
			left := min(e.Expires, passes(rules, k).Sub(now.Round(0)))
			if bytes.Equal(e.Key, k) && left > 0 {
				g.open[member.SlotID(d.Name())] = element{key: k, until: now.Add(left)}
			}
		}
	}
}

// passes is until when, by the wall clock, the rules let a slot send; without a rule for
// it, never.
func passes(rules []*nftables.Rule, key []byte) (until time.Time) {
	for _, r := range rules {
		its := false
		for _, x := range r.Exprs {
			c, ok := x.(*expr.Cmp)
			switch {
			case !ok:
			case c.Op == expr.CmpOpEq:
				its = bytes.Equal(c.Data, key)
			case c.Op == expr.CmpOpLte && its && len(c.Data) == 8:
				until = time.Unix(0, int64(binaryutil.BigEndian.Uint64(c.Data)))
			}
		}
	}
	return until
}

// Clear takes away what a keeper that had a gate left for its slots below dir; nothing
// there is no error.
func Clear(dir string) error {
	g := &nft{table: tableOf(dir)}
	return g.Remove()
}

// tableOf is the table of the keeper whose slots are the cgroups below dir.
func tableOf(dir string) *nftables.Table {
	h := fnv.New64a()
	_, _ = h.Write([]byte(dir)) // a hash takes everything
	return &nftables.Table{Family: nftables.TableFamilyINet, Name: fmt.Sprintf("moonwatch-keeper-%x", h.Sum64())}
}

// levelOf counts how deep a cgroup lies: what the kernel's rule is told.
func levelOf(dir string) (uint32, error) {
	if _, err := key(dir); err != nil {
		return 0, err
	}
	level := uint32(0)
	for at := dir; ; at = filepath.Dir(at) {
		// The root of the hierarchy alone has no such file.
		switch _, err := os.Stat(filepath.Join(at, "cgroup.events")); {
		case errors.Is(err, fs.ErrNotExist):
			return level, nil
		case err != nil:
			return 0, err
		}
		level++
	}
}

// key is how the kernel's packet filter calls a cgroup: its number, which no later
// cgroup of this boot is given again.
func key(dir string) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return nil, fmt.Errorf("cgroup %s: %w", dir, err)
	}
	return binaryutil.NativeEndian.PutUint64(st.Ino), nil
}

func (g *nft) Name() string { return "nft, table inet " + g.table.Name }

func (g *nft) Open(slot member.SlotID, left time.Duration) error {
	dir := filepath.Join(g.dir, string(slot))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("open gate of %s: %w", slot, err)
	}
	k, err := key(dir)
	if err != nil {
		return fmt.Errorf("open gate of %s: %w", slot, err)
	}
	e := element{key: k, until: time.Now().Add(left)}
	if err := g.build(append(g.fresh(slot), e)...); err != nil {
		return fmt.Errorf("open gate of %s: %w", slot, err)
	}
	g.open[slot] = e
	return nil
}

// put adds an element with what is left of its time. What was there is taken out and put
// in in one step, for a time-out that runs is not changed by adding its element, except
// by kernels of 6.12 and newer. It is added first, for only what is there can be taken
// out.
func (g *nft) put(c *nftables.Conn, e element) error {
	with := []nftables.SetElement{{Key: e.key, Timeout: max(time.Millisecond, time.Until(e.until))}}
	return errors.Join(
		c.SetAddElements(g.set, with),
		c.SetDeleteElements(g.set, []nftables.SetElement{{Key: e.key}}),
		c.SetAddElements(g.set, with),
	)
}

func (g *nft) Shut(slot member.SlotID) error {
	e, ok := g.open[slot]
	if !ok { // an earlier life of the keeper may have opened it
		k, err := key(filepath.Join(g.dir, string(slot)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("shut gate of %s: %w", slot, err)
		}
		e.key = k
	}
	delete(g.open, slot)
	err := g.send(func(c *nftables.Conn) error {
		return errors.Join(
			c.SetAddElements(g.set, []nftables.SetElement{{Key: e.key, Timeout: time.Millisecond}}), // it may have run out
			c.SetDeleteElements(g.set, []nftables.SetElement{{Key: e.key}}))
	})
	if err != nil {
		if again := g.build(g.fresh(slot)...); again != nil {
			return fmt.Errorf("shut gate of %s: %w", slot, errors.Join(err, again))
		}
	}
	return nil
}

func (g *nft) Renew() error {
	if err := g.build(g.fresh("")...); err != nil {
		return fmt.Errorf("gate: %w", err)
	}
	return nil
}

// fresh are the slots whose time is not up, but for one: a table that is made anew has
// no memory, and would hold all of them back until each is renewed.
func (g *nft) fresh(but member.SlotID) []element {
	var all []element
	for slot, e := range g.open {
		if slot != but && time.Now().Before(e.until) {
			all = append(all, e)
		}
	}
	return all
}

// build puts the table where none is and its rules in the place of those that are,
// with these elements: in one step, in which nothing passes that should not and
// nothing is held back that should pass. What is in the set stays.
func (g *nft) build(all ...element) error {
	err := g.send(func(c *nftables.Conn) error { return g.rules(c, all) })
	if err == nil {
		return nil
	}
	// A table of ours that does not look like ours: all of it anew.
	again := g.send(func(c *nftables.Conn) error {
		c.AddTable(g.table) // only what is there can be deleted
		c.DelTable(g.table)
		return g.rules(c, all)
	})
	if again != nil {
		return errors.Join(err, again)
	}
	return nil
}

func (g *nft) rules(c *nftables.Conn, all []element) error {
	own, err := key(g.dir)
	if err != nil {
		return err
	}
	c.AddTable(g.table)
	if err := c.AddSet(g.set, nil); err != nil {
		return err
	}
	c.AddChain(g.chain)
	c.FlushChain(g.chain)
	for _, e := range all {
		c.AddRule(g.pass(e))
	}
	c.AddRule(&nftables.Rule{Table: g.table, Chain: g.chain, Exprs: []expr.Any{
		&expr.Socket{Key: expr.SocketKeyCgroupv2, Level: g.level, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: own},
		&expr.Counter{},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}})
	for _, e := range all {
		if err := g.put(c, e); err != nil {
			return err
		}
	}
	return nil
}

// pass is the rule that lets a slot send until its time is up.
func (g *nft) pass(e element) *nftables.Rule {
	return &nftables.Rule{Table: g.table, Chain: g.chain, Exprs: []expr.Any{
		&expr.Socket{Key: expr.SocketKeyCgroupv2, Level: g.level + 1, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: e.key},
		&expr.Lookup{SourceRegister: 1, SetName: g.set.Name, SetID: g.set.ID},
		&expr.Meta{Key: metaTime, Register: 1},
		&expr.Byteorder{Op: expr.ByteorderHton, SourceRegister: 1, DestRegister: 1, Len: 8, Size: 8},
		&expr.Cmp{Op: expr.CmpOpLte, Register: 1, Data: binaryutil.BigEndian.PutUint64(uint64(e.until.UnixNano()))},
		&expr.Verdict{Kind: expr.VerdictAccept},
	}}
}

func (g *nft) Remove() error {
	err := g.send(func(c *nftables.Conn) error {
		c.AddTable(g.table)
		c.DelTable(g.table)
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove gate: %w", err)
	}
	clear(g.open)
	return nil
}

// send hands the kernel one batch, of which all happens or nothing.
func (g *nft) send(fill func(*nftables.Conn) error) error {
	c, err := nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error { return c.SetDeadline(time.Now().Add(patience)) }))
	if err != nil {
		return err
	}
	if err := fill(c); err != nil {
		return err
	}
	return c.Flush()
}

// Namespace names the network namespace of a process: a gate is one of the keeper's
// own alone. 0 is this process.
func Namespace(pid int) (string, error) {
	who := "self"
	if pid != 0 {
		who = fmt.Sprint(pid)
	}
	return os.Readlink(filepath.Join("/proc", who, "ns", "net"))
}
