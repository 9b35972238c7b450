package daemon

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/agent/gossip"
	"moonwatch/agent/probe"
	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/consensus/link"
	"moonwatch/failover/driver"
	"moonwatch/internal/pki"
	"moonwatch/internal/program"
	"moonwatch/internal/wire"
	"moonwatch/member"
	"moonwatch/mind"
	"moonwatch/shield/gateway"
	"moonwatch/shield/haproxy"
	"moonwatch/shield/remote"
	"moonwatch/status/web"
)

// Version is the version of this build.
const Version = "0.1.0"

// open opens everything in the order in which later parts need earlier ones.
func (d *Daemon) open() error {
	a := d.cfg.Agent
	var err error
	files := pki.Files{Cert: a.TLS.Cert, Key: a.TLS.Key, CA: a.TLS.CA}
	if d.keys, err = pki.OpenSource(files, d.renewed); err != nil {
		return err
	}
	d.keys.Refuse(d.refusedKey)
	pair := d.keys.Pair()
	if pair.Name != d.self {
		return fmt.Errorf("tls.cert: %s is the certificate of %s, want %s", a.TLS.Cert, pair.Name, d.self)
	}
	if pair.ClusterID != a.Cluster {
		return fmt.Errorf("tls.cert: %s is of cluster %s, want %s", a.TLS.Cert, pair.ClusterID, a.Cluster)
	}
	d.cluster = a.Cluster
	if d.signer, err = wire.NewSigner(d.cluster, d.self, pair.SigningKey()); err != nil {
		return err
	}
	if d.store, err = disk.Open(disk.Config{Dir: a.DataDir, Cluster: d.cluster, Member: d.self, Log: d.log.Named("disk"), Registerer: d.reg}); err != nil {
		return err
	}
	d.clearLeftovers()
	d.feed, d.olden = newFeed(d.store), newOlden()
	d.chronicling.open(d)
	d.sightings.open(d)
	d.hindsight.open(d)
	if d.life, err = nextLife(a.DataDir); err != nil {
		return err
	}
	if d.nonce, err = loadNonce(a.DataDir, d.store); err != nil {
		return err
	}
	d.feed.found(loadFounded(a.DataDir, d.self, d.nonce))
	if d.journal, err = driver.OpenJournal(filepath.Join(a.DataDir, "steps"), d.reg); err != nil {
		return err
	}
	owners := program.RootOnly()
	if d.cfg.ActionsOfSelf {
		owners = program.RootOrSelf()
	}
	d.actions = program.Folder{Path: a.ActionsDir, Owners: owners}
	d.checker = probe.New(probe.Config{
		Dial: d.dial, Programs: program.Folder{Path: a.ChecksDir, Owners: owners}, Registerer: d.reg,
	})
	return errors.Join(d.openFencing(owners), d.openKeeping(), d.openNetwork(), d.openDoors())
}

func (d *Daemon) openNetwork() error {
	a := d.cfg.Agent
	var err error
	d.link, err = link.Open(link.Config{
		Self: d.self, ClusterID: d.cluster, Listen: a.Link,
		Server: d.keys.Server(), Client: d.keys.Client(),
		PeerOf:  d.peerOf,
		Resolve: d.peers.linkAddress, Handler: handler{d}, Gate: d.gateOf(), Log: d.log.Named("link"), Registerer: d.reg,
	})
	if err != nil {
		return err
	}
	keys, err := gossip.LoadKeys(a.GossipKeyFile)
	if err != nil {
		return err
	}
	tags := map[string]string{
		tagLink:    strconv.Itoa(int(addrPort(d.link.Addr()).Port())),
		tagStarted: strconv.FormatInt(d.started.UnixMilli(), 10),
		tagEnds:    strconv.FormatInt(d.keys.Pair().Expires().Unix(), 10),
	}
	if d.cfg.Console {
		tags[tagConsole] = "1"
	}
	d.tags = tags
	cfg := gossip.Config{
		Name: d.self, ClusterID: d.cluster, Bind: a.Bind, Advertise: a.Advertise, Keys: keys, KeyFile: a.GossipKeyFile,
		Tags: tags, Log: d.log.Named("gossip"), Registerer: d.reg,
	}
	if gate := d.cfg.Gate; gate != nil {
		cfg.Gate = func(p netip.AddrPort) bool { return gate.Open(p.Addr()) }
	}
	if d.gossip, err = gossip.Open(cfg); err != nil {
		return err
	}
	return nil
}

func (d *Daemon) openDoors() error {
	a := d.cfg.Agent
	d.web = web.New(web.Config{
		Log: d.log.Named("web"), Registerer: d.reg, Healthy: d.healthy, Ready: d.isReady,
		Shield: d.shieldSeen, Explain: d.explain, Basis: d.basis, Live: d.sightings.Live, Then: d.hindsight.Then,
	})
	var err error
	if a.Gateway != "" {
		d.shielding.open(d.reg, saltOf(d.cluster, d.root()))
		if err = d.shielding.count(); err != nil {
			return err
		}
		var pass []byte
		if pass, err = d.passKey(); err != nil {
			return err
		}
		d.gateway, err = gateway.Open(gateway.Config{
			Listen: a.Gateway, Dial: d.dial, Log: d.log.Named("gateway"), Registerer: d.reg, Debug: d.cfg.GatewayDebug,
			Counter: d.shielding.counter, ChallengeKey: pass,
		})
		if err != nil {
			return err
		}
		d.door = d.gateway
	}
	switch {
	case a.HAProxy.Socket != "":
		err = d.openHAProxy()
	case a.Door.Address != "":
		err = d.openRemote()
	}
	if err != nil {
		return err
	}
	d.doors, err = d.listen(context.Background())
	return err
}

// passKey is what all gateways of the cluster make passes of challenged browsers with.
// It is of the primary gossip key: after that was rotated, a gateway that was not started
// since poses its challenges anew to whom others have let in.
func (d *Daemon) passKey() ([]byte, error) {
	keys, err := gossip.LoadKeys(d.cfg.Agent.GossipKeyFile)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte("moonwatch pass key 1\x00"+d.cluster+"\x00"), keys[0]...))
	return sum[:], nil
}

// openHAProxy makes a HAProxy of this machine the shield's door.
func (d *Daemon) openHAProxy() error {
	h := d.cfg.Agent.HAProxy
	d.shielding.open(d.reg, saltOf(d.cluster, d.root()))
	door, err := haproxy.Open(haproxy.Config{
		Socket: h.Socket, Frontend: h.Frontend, Backends: h.Backends, Map: h.Map, Salt: d.shielding.salt,
		Log: d.log.Named("haproxy"), Registerer: d.reg,
	})
	if err != nil {
		return err
	}
	d.door, d.polled = door, door
	return nil
}

// openRemote makes another program of this machine the shield's door.
func (d *Daemon) openRemote() error {
	a := d.cfg.Agent.Door
	d.shielding.open(d.reg, saltOf(d.cluster, d.root()))
	key, err := loadDoorKey(a.KeyFile)
	if err != nil {
		return err
	}
	door, err := remote.Open(remote.Config{Address: a.Address, Key: key, Salt: d.shielding.salt, Log: d.log.Named("door"), Registerer: d.reg})
	if err != nil {
		return err
	}
	d.door, d.polled = door, door
	return nil
}

// loadDoorKey reads the key that a door asks for: a word of its first line. Without a file
// there is none.
func loadDoorKey(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("door.key_file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return "", fmt.Errorf("door.key_file: %s has mode %04o, want that others may not read it: chmod 640", path, mode)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("door.key_file: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	key := strings.TrimSpace(line)
	if len(key) < 16 || len(key) > 256 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("door.key_file: %s begins with a line of %d bytes, want a key of 16 to 256 letters and digits: openssl rand -hex 32", path, len(key))
	}
	return key, nil
}

// close closes what open has opened, in the reverse order.
func (d *Daemon) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var errs []error
	if d.web != nil {
		d.web.Close() // event streams have no end of their own
	}
	if d.doors != nil {
		d.doors.close(ctx)
	}
	if d.gateway != nil {
		errs = append(errs, d.gateway.Close(ctx))
	}
	if d.polled != nil {
		d.polled.Close()
	}
	if d.link != nil {
		errs = append(errs, d.link.Close(ctx))
	}
	if d.gossip != nil {
		errs = append(errs, d.gossip.Close(ctx))
	}
	errs = append(errs, d.chronicling.close())
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	if d.heads != nil {
		errs = append(errs, d.heads.Close())
	}
	if err := errors.Join(errs...); err != nil {
		d.log.Warn("not everything closed well", zap.Error(err))
	}
}

func (d *Daemon) renewed(p *pki.Pair, err error) {
	if err != nil {
		d.log.Warn("certificate files are not used", zap.Error(err))
		return
	}
	d.log.Info("certificate renewed", zap.Time("expires", p.Expires()))
}

func (d *Daemon) root() []byte { return d.keys.Pair().Root() }

// livesOfShield is how many lives are kept free after the one of a start: each policy of
// the shield begins one (shieldLoop.take), which the next start has to be above. As many
// as milliseconds in a second: nobody is started anew so soon that lives run ahead of time.
const livesOfShield = 1000

// nextLife is the incarnation of this start: the time, and always higher than
// the last one's and those of its shields, also when the clock was set back.
func nextLife(dir string) (member.Incarnation, error) {
	path := filepath.Join(dir, "incarnation")
	last := uint64(0)
	if b, err := os.ReadFile(path); err == nil {
		last, _ = strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64) // half-written: the time will do
	}
	life := max(uint64(time.Now().UnixMilli()), last+livesOfShield)
	return member.Incarnation(life), writeFile(path, []byte(strconv.FormatUint(life, 10)))
}

// handler is the agent behind its link.
type handler struct{ d *Daemon }

// Raft takes a message of another councillor.
func (h handler) Raft(from member.ID, frame []byte) {
	m := new(raftpb.Message)
	if err := proto.Unmarshal(frame, m); err != nil {
		h.d.log.Warn("raft message not understood", zap.Error(err))
		return
	}
	h.d.offer(mind.RaftCame{From: from, Message: m})
}

// Submit takes a command of another agent: its own, or an operator's that it
// passes on. In anybody else's name nobody speaks.
func (h handler) Submit(ctx context.Context, from member.ID, command []byte) error {
	c, err := consensus.DecodeCommand(command)
	if err != nil {
		return err
	}
	if c.Proposer != from && c.Warrant == nil {
		return fmt.Errorf("%s %s: proposed by %s, handed in by %s", c.Kind, c.ID, c.Proposer, from)
	}
	if err := warranted(c); err != nil {
		return err
	}
	return h.d.Submit(ctx, command)
}

// Hello says who this agent is.
func (h handler) Hello() link.Hello {
	d := h.d
	return link.Hello{
		StartedAt: d.started, Now: time.Now(), Incarnation: d.life, Address: d.address(), Version: Version,
		HasLedger: d.feed.head() > 0, Head: d.feed.head(), Nonce: d.nonce, Founded: d.feed.founded(),
		Refounding: d.provesRefounding(), Kinds: laterKinds,
	}
}

// Feed is the agent's copy of the ledger.
func (h handler) Feed() link.FeedSource { return h.d.feed }

func (d *Daemon) address() string {
	if d.gossip == nil {
		return ""
	}
	return d.gossip.Addr().String()
}
