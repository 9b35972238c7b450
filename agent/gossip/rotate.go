package gossip

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/hashicorp/serf/serf"
	"go.uber.org/zap"
)

// keyFileRetry is the pause after a key file could not be written. Until then
// the ring lasts as long as the process.
const keyFileRetry = 30 * time.Second

// Rotate has all living members seal with a new key, and takes all former ones away: the
// three steps below, in their order. It fails at the first step that not all of them
// confirmed; the next rotation finishes what this one began, for until then all keys open.
func (g *Gossip) Rotate(ctx context.Context) error {
	key := NewKey()
	if err := g.InstallKey(ctx, key); err != nil {
		return err
	}
	if err := g.UseKey(ctx, key); err != nil {
		return err
	}
	for _, former := range g.seal.current().keys {
		if bytes.Equal(former, key) {
			continue
		}
		if err := g.RemoveKey(ctx, former); err != nil {
			return err
		}
	}
	return nil
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
		return false
	}
	g.log.Info("rotated gossip keys kept", zap.String("file", g.keyFile), zap.Int("keys", len(keys)))
	return true
}
