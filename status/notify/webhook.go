package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
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
// says. Any answer from 200 to 299 says that the receiver has it; the header
// Idempotency-Key is the message's ID, the same when it is sent again.
type Webhook struct {
	config WebhookConfig
	who    string // the receiver in errors: its URL without a query
	client *http.Client
}

// HeaderKey is the header of a message's ID.
const HeaderKey = "Idempotency-Key"

// answerLimit bounds what is read of an answer.
const answerLimit = 4 << 10

// NewWebhook makes the receiver of a config.
func NewWebhook(c WebhookConfig) (*Webhook, error) {
	if len(c.Secret) < signature.MinSecret {
		return nil, fmt.Errorf("webhook: secret has %d bytes, want at least %d", len(c.Secret), signature.MinSecret)
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, errors.New("webhook: url is not readable") // it may hold a secret
	}
	return &Webhook{config: c, who: u.Scheme + "://" + u.Host + u.EscapedPath(), client: &http.Client{
		// What is signed for one receiver is not carried to another.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: c.TLS, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: answerLimit,
		},
	}}, nil
}

// Send posts a message.
func (w *Webhook) Send(ctx context.Context, m status.Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("message %s: %w", m.ID, err)
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, w.config.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask %s: %w", w.who, bare(err))
	}
	post.Header.Set("Content-Type", "application/json")
	post.Header.Set("User-Agent", "moonwatch")
	post.Header.Set(HeaderKey, m.ID)
	signature.Sign(post.Header, body, w.config.Secret, time.Now())
	return w.do(post)
}

func (w *Webhook) do(post *http.Request) error {
	answer, err := w.client.Do(post)
	if err != nil {
		return fmt.Errorf("ask %s: %w", w.who, bare(err))
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("hear %s: %w", w.who, err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("%s answers %s: %s", w.who, answer.Status, strings.ToValidUTF8(string(text), "?"))
	}
	return nil
}

// bare takes the URL out of an error of net/http: its query may be secret.
func bare(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
