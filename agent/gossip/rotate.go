package gossip

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/serf/serf"
	"go.uber.org/zap"
)

// keyFileRetry is the pause after a key file could not be written. Until then
// the ring lasts as long as the process.
const keyFileRetry = 30 * time.Second

// errOtherRotation says that somebody has a key that was nobody's when this rotation began.
var errOtherRotation = errors.New("a member has a key that this rotation did not install: another rotation is under way")

// Rotate has all living members seal with a new key, and takes all former ones away: the
// three steps below, in their order. It fails at the first step that not all of them
// confirmed; the next rotation finishes what this one began.
//
// Two rotations at once could take away the key that the other one has members seal with,
// and no step undoes that. So only one member of a fleet may rotate, which the caller sees
// to: it is asked by mine before each step, and an error of it ends the rotation. And no
// key is used or taken away while anybody has one that this rotation does not know, or
// taken away while anybody seals with another one than the new one.
func (g *Gossip) Rotate(ctx context.Context, mine func() error) error {
	had, err := g.listKeys(ctx)
	if err != nil {
		return err
	}
	r := rotation{g: g, key: NewKey(), former: slices.Sorted(maps.Keys(had.Keys)), mine: mine}
	if err := r.mine(); err != nil {
		return err
	}
	if err := g.InstallKey(ctx, r.key); err != nil {
		return err
	}
	if _, err := r.check(ctx); err != nil {
		return fmt.Errorf("use gossip key: %w", err)
	}
	if err := g.UseKey(ctx, r.key); err != nil {
		return err
	}
	for _, former := range r.former {
		if err := r.remove(ctx, former); err != nil {
			return err
		}
	}
	return nil
}

// rotation is one that is under way. Keys are in base64, as the engine tells them.
type rotation struct {
	g      *Gossip
	key    []byte
	former []string
	mine   func() error
}

// check says whether the next step is still this rotation's, and what all have.
func (r rotation) check(ctx context.Context) (*serf.KeyResponse, error) {
	if err := r.mine(); err != nil {
		return nil, err
	}
	now, err := r.g.listKeys(ctx)
	if err != nil {
		return nil, err
	}
	own := base64.StdEncoding.EncodeToString(r.key)
	for key := range now.Keys {
		if key != own && !slices.Contains(r.former, key) {
			return nil, errOtherRotation
		}
	}
	return now, nil
}

func (r rotation) remove(ctx context.Context, former string) error {
	key, err := base64.StdEncoding.DecodeString(former)
	if err != nil || len(key) != KeySize {
		return nil //nolint:nilerr // installed by hand: it seals nothing of ours, and is not ours to take
	}
	now, err := r.check(ctx)
	if err != nil {
		return fmt.Errorf("remove gossip key: %w", err)
	}
	if n := now.PrimaryKeys[base64.StdEncoding.EncodeToString(r.key)]; n != now.NumNodes {
		return fmt.Errorf("remove gossip key: %d of %d members seal with the new key, want all", n, now.NumNodes)
	}
	return r.g.RemoveKey(ctx, key)
}

// listKeys is what keys all living members have. It fails unless all of them said so.
func (g *Gossip) listKeys(ctx context.Context) (*serf.KeyResponse, error) {
	var all *serf.KeyResponse
	err := g.call(ctx, func() (err error) {
		all, err = g.engine.KeyManager().ListKeys()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list gossip keys: %w", err)
	}
	return all, nil
}

// InstallKey gives every living member one more key that opens. The first of
// three steps of a rotation: install, use, remove. Each fails unless all of
// them confirmed, and may be repeated; only then is the next one safe.
func (g *Gossip) InstallKey(ctx context.Context, key []byte) error {
	return g.turn(ctx, "install", key, (*serf.KeyManager).InstallKey)
}

// UseKey makes every living member seal with an installed key. The others go
// on opening, so nothing is lost between the first member and the last.
func (g *Gossip) UseKey(ctx context.Context, key []byte) error {
	return g.turn(ctx, "use", key, (*serf.KeyManager).UseKey)
}

// RemoveKey takes a key that no longer seals from every living member. A
// member that was off during the rotation needs the new key by hand then.
func (g *Gossip) RemoveKey(ctx context.Context, key []byte) error {
	return g.turn(ctx, "remove", key, (*serf.KeyManager).RemoveKey)
}

func (g *Gossip) turn(ctx context.Context, step string, key []byte,
	do func(*serf.KeyManager, string) (*serf.KeyResponse, error),
) error {
	if len(key) != KeySize {
		return fmt.Errorf("%s gossip key: %d bytes, want %d", step, len(key), KeySize)
	}
	err := g.call(ctx, func() error {
		answer, err := do(g.engine.KeyManager(), base64.StdEncoding.EncodeToString(key))
		if err != nil && answer != nil && len(answer.Messages) > 0 {
			return fmt.Errorf("%w: %v", err, answer.Messages)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s gossip key: %w", step, err)
	}
	return nil
}

// keepKeys writes the ring to the key file whenever somebody rotated it, so
// that a restart finds the cluster again.
func (g *Gossip) keepKeys() {
	retry := time.NewTimer(0)
	defer retry.Stop()
	<-retry.C
	for {
		select {
		case <-g.seal.rotated:
		case <-retry.C:
		case <-g.done:
			g.seal.current() // a change that no packet showed yet
			select {
			case <-g.seal.rotated:
				g.writeKeys()
			default:
			}
			return
		}
		if !g.writeKeys() {
			retry.Reset(keyFileRetry)
		}
	}
}

func (g *Gossip) writeKeys() bool {
	keys := g.seal.current().keys
	if err := replaceKeys(g.keyFile, keys); err != nil {
		g.log.Error("rotated gossip keys not kept: a restart would not find the cluster",
			zap.String("file", g.keyFile), zap.Error(err))
		g.metrics.unkept.Set(1)
		return false
	}
	g.metrics.unkept.Set(0)
	g.log.Info("rotated gossip keys kept", zap.String("file", g.keyFile), zap.Int("keys", len(keys)))
	return true
}
