// Package webhook is the driver for whatever has no driver of its own: it asks a
// receiver over HTTPS, which somebody writes for his load balancer or his
// inventory, to do a step.
//
// # What a receiver has to do
//
// Each call is a POST with a Call as JSON. Verify says whether it is ours and
// fresh. Ask is one of
//
//	observe     say how things stand, and change nothing
//	apply       bring the step's effect about, or find that it is there
//	compensate  take the step's effect back, where that is possible
//
// With dry_run true it only says what it would do. A call that may have an
// effect has the header Idempotency-Key: calls with one key have one effect,
// also if they come at the same time. The receiver keeps the highest slot epoch
// that it acted on for each slot and refuses what is older, or names another
// member at the same one.
//
// The answer is an Answer as JSON, with the call's id: what does not repeat it
// is the answer of somebody else, a proxy or a welcome page, and proves nothing.
// The status says the outcome:
//
//	200            the effect is there (a dry run: it could be brought about)
//	202            begun and going on: the same call will be repeated
//	404            observe only: nothing was begun
//	409            refused: an older slot epoch, or what cannot be taken back
//	429, 503       no effect now, ask again
//	other 4xx, 501 no effect, and people must look
//	any other      nobody knows
//
// The driver itself remembers nothing and repeats nothing: its caller does.
package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/internal/signature"
)

// Config says who is asked.
type Config struct {
	// URL of the receiver: https, or http on this machine.
	URL string
	// Secret is shared with the receiver, which knows by it that a call is ours.
	Secret []byte
	// TLS says whom to trust, if not whom the system trusts.
	TLS *tls.Config
}

// Validate lists every mistake.
func (c Config) Validate() error {
	var mistakes []error
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "":
		mistakes = append(mistakes, fmt.Errorf("url is %q, want one as in https://balancer.example.com/moonwatch", redact(c.URL)))
	case u.User != nil || u.Fragment != "":
		mistakes = append(mistakes, fmt.Errorf("url is %q, want none with a user or a fragment: the secret shows who asks", redact(c.URL)))
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		mistakes = append(mistakes, fmt.Errorf("url is %q, want https: on a way that others can write to an answer proves nothing", redact(c.URL)))
	}
	if len(c.Secret) < signature.MinSecret {
		mistakes = append(mistakes, fmt.Errorf("secret has %d bytes, want at least %d", len(c.Secret), signature.MinSecret))
	}
	return errors.Join(mistakes...)
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// redact shows of a URL what cannot be secret.
func redact(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "not readable"
	}
	if u.RawQuery != "" {
		u.RawQuery = "..."
	}
	return u.Redacted()
}

// Driver asks one receiver.
type Driver struct {
	config Config
	who    string // the receiver in details: its URL without a query, which may be secret
	client *http.Client
	now    func() time.Time // signs; a test's may be wrong
}

var _ driver.Driver = (*Driver)(nil)

// New asks the receiver of a config.
func New(c Config) (*Driver, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	who := u.Scheme + "://" + u.Host + u.EscapedPath()
	return &Driver{config: c, who: who, now: time.Now, client: &http.Client{
		// What is signed for one receiver is not carried to another.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: c.TLS,
			// A connection for each call: steps are rare, and over a kept one
			// net/http would repeat a call by itself.
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: answerLimit,
		},
	}}, nil
}

// Observe asks how things stand. Only the receiver's own word that nothing was
// begun is Retryable.
func (d *Driver) Observe(ctx context.Context, req driver.Request) driver.Result {
	return d.call(ctx, AskObserve, req)
}

// Plan asks the receiver what it would do.
func (d *Driver) Plan(req driver.Request) (string, error) {
	req.DryRun = true
	result := d.call(context.Background(), AskApply, req)
	if result.Outcome != driver.Done {
		return "", fmt.Errorf("plan %s", result.Detail)
	}
	return result.Detail, nil
}

// Apply asks the receiver to do the step.
func (d *Driver) Apply(ctx context.Context, req driver.Request) driver.Result {
	return d.begin(ctx, AskApply, req)
}

// Compensate asks the receiver to take the step back, which may refuse.
func (d *Driver) Compensate(ctx context.Context, req driver.Request) driver.Result {
	return d.begin(ctx, AskCompensate, req)
}

func (d *Driver) begin(ctx context.Context, ask Ask, req driver.Request) driver.Result {
	if err := req.Validate(); err != nil {
		return driver.Permanent.Because("call webhook: %v", err)
	}
	if err := req.TooLate(ctx, time.Now()); err != nil {
		return driver.Retryable.Because("%s: not asked: %v", req, err)
	}
	return d.call(ctx, ask, req)
}
