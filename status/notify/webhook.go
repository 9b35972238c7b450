package notify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"moonwatch/internal/signature"
	"moonwatch/status"
)

// WebhookConfig says who gets messages as JSON.
type WebhookConfig struct {
	URL    string      // https, or http on this machine
	Secret []byte      // shared with the receiver, which knows by it that a message is ours
	TLS    *tls.Config // whom to trust, if not whom the system trusts
}

// Webhook posts each message as a status.Message in JSON, signed as package signature
// says. The header Idempotency-Key is the message's ID, the same when it is sent again.
type Webhook struct {
	secret []byte
	post   *post
}

// HeaderKey is the header of a message's ID.
const HeaderKey = "Idempotency-Key"

// NewWebhook makes the receiver of a config.
func NewWebhook(c WebhookConfig) (*Webhook, error) {
	if len(c.Secret) < signature.MinSecret {
		return nil, fmt.Errorf("webhook: secret has %d bytes, want at least %d", len(c.Secret), signature.MinSecret)
	}
	p, err := newPost("webhook", c.URL, c.TLS, false)
	if err != nil {
		return nil, err
	}
	return &Webhook{c.Secret, p}, nil
}

// Send posts a message.
func (w *Webhook) Send(ctx context.Context, m status.Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("message %s: %w", m.ID, err)
	}
	return w.post.send(ctx, body, func(h http.Header) {
		h.Set(HeaderKey, m.ID)
		signature.Sign(h, body, w.secret, time.Now())
	})
}
