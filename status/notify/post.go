package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// answerLimit bounds what is read of an answer.
const answerLimit = 4 << 10

// post asks one URL.
type post struct {
	url    string
	who    string // the receiver in errors
	client *http.Client
}

// newPost makes what asks a URL. A hidden one is a secret itself: of it errors name
// scheme and host alone, of others they leave out the query.
func newPost(kind, to string, trust *tls.Config, hidden bool) (*post, error) {
	u, err := url.Parse(to)
	if err != nil {
		return nil, fmt.Errorf("%s: url is not readable", kind) // it may hold a secret
	}
	who := u.Scheme + "://" + u.Host
	if !hidden {
		who += u.EscapedPath()
	}
	return &post{url: to, who: who, client: &http.Client{
		// What is meant for one receiver is not carried to another.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: trust, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: answerLimit,
		},
	}}, nil
}

// send posts JSON. Any answer from 200 to 299 says that the receiver has it.
func (p *post) send(ctx context.Context, body []byte, head func(http.Header)) error {
	ask, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask %s: %w", p.who, bare(err))
	}
	ask.Header.Set("Content-Type", "application/json")
	ask.Header.Set("User-Agent", "moonwatch")
	head(ask.Header)
	answer, err := p.client.Do(ask)
	if err != nil {
		return fmt.Errorf("ask %s: %w", p.who, bare(err))
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("hear %s: %w", p.who, err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("%s answers %s: %s", p.who, answer.Status, strings.ToValidUTF8(string(text), "?"))
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
