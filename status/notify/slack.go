package notify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"moonwatch/status"
)

// SlackConfig says into which channel messages go.
type SlackConfig struct {
	URL string      // of an incoming webhook: who knows it may write, so it is a secret
	TLS *tls.Config // whom to trust, if not whom the system trusts
}

// Slack posts messages as Slack's incoming webhooks take them, and Mattermost's,
// Rocket.Chat's and others' that are shaped like them. They know no ID of a message:
// one whose answer was lost comes twice.
type Slack struct{ post *post }

// NewSlack makes the receiver of a config.
func NewSlack(c SlackConfig) (*Slack, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && !isOwn(u.Scheme, u.Hostname()) {
		return nil, errors.New("slack: url_file holds no URL of a webhook, want https://..., or http on this machine")
	}
	p, err := newPost("slack", c.URL, c.TLS, true)
	if err != nil {
		return nil, err
	}
	return &Slack{p}, nil
}

// slackMessage is what an incoming webhook takes.
type slackMessage struct {
	Text        string            `json:"text"`
	Attachments []slackAttachment `json:"attachments"`
}

type slackAttachment struct {
	Color    string `json:"color"`
	Text     string `json:"text"`
	Footer   string `json:"footer"`
	Fallback string `json:"fallback"`
}

// Send posts a message.
func (s *Slack) Send(ctx context.Context, m status.Message) error {
	color := "warning"
	switch {
	case m.Says == status.SaysEnded:
		color = "good"
	case m.Notice.Severity == status.Critical:
		color = "danger"
	}
	title, more := slackText(m.Title()), "\n`"+slackText(m.Notice.Command)+"`"
	if page := m.Page(); page != "" {
		more += "\n" + slackText(page)
	}
	body, err := json.Marshal(slackMessage{Text: title, Attachments: []slackAttachment{{
		Color: color, Text: slackText(m.Body()) + more, Footer: slackText(m.Foot()), Fallback: title,
	}}})
	if err != nil {
		return fmt.Errorf("message %s: %w", m.ID, err)
	}
	return s.post.send(ctx, body, func(http.Header) {})
}

// slackText makes text of what Slack would take for links and calls to everybody.
func slackText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
