package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/internal/signature"
)

const (
	// answerLimit bounds head and body of an answer, each.
	answerLimit = 64 << 10
	// detailLimit keeps a detail one line of a terminal or two.
	detailLimit = 200
)

// call asks once and translates the answer.
func (d *Driver) call(ctx context.Context, ask Ask, req driver.Request) driver.Result {
	if err := req.Validate(); err != nil {
		return driver.Permanent.Because("call webhook: %v", err)
	}
	began := time.Now()
	ctx, cancel := context.WithDeadline(ctx, req.Deadline)
	defer cancel()
	call := callOf(ask, req)
	post, sent, err := d.post(ctx, call)
	if err != nil {
		return driver.Permanent.Because("%s: %v", req, err)
	}
	response, err := d.client.Do(post)
	if err != nil {
		outcome := driver.Unknown
		if !*sent && ask != AskObserve {
			outcome = driver.Retryable
		}
		return outcome.Because("%s: ask %s: %v", req, d.who, bare(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit+1))
	switch {
	case err != nil:
		return driver.Unknown.Because("%s: hear %s: %v", req, d.who, err)
	case len(body) > answerLimit:
		return driver.Unknown.Because("%s: %s answers %s with more than %d bytes", req, d.who, response.Status, answerLimit)
	}
	outcome, why := read(call, response, body)
	result := outcome.Because("%s: %s answers %s: %s", req, d.who, response.Status, why)
	result.Took = time.Since(began)
	return result
}

// post is the signed call. sent becomes true once there is a connection over
// which the receiver may have heard of it.
func (d *Driver) post(ctx context.Context, call Call) (post *http.Request, sent *bool, err error) {
	body, err := json.Marshal(call)
	if err != nil {
		return nil, nil, err
	}
	sent = new(bool)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { *sent = true }})
	post, err = http.NewRequestWithContext(ctx, http.MethodPost, d.config.URL, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	post.Header.Set("Content-Type", "application/json")
	post.Header.Set("User-Agent", "moonwatch")
	if call.Ask != AskObserve && !call.DryRun {
		post.Header.Set(HeaderKey, call.ID)
	}
	signature.Sign(post.Header, body, d.config.Secret, d.now())
	return post, sent, nil
}

// bare takes the URL out of an error of net/http: its query may be secret.
func bare(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// read translates an answer, as the package's comment says.
func read(call Call, response *http.Response, body []byte) (driver.Outcome, string) {
	status := response.StatusCode
	if status >= 300 && status < 400 {
		return driver.Permanent, fmt.Sprintf("it sends us to %q, and we do not follow", line(response.Header.Get("Location")))
	}
	var answer Answer
	if err := json.Unmarshal(body, &answer); err != nil || answer.ID != call.ID {
		why := "it does not repeat the call's id, so nobody knows who answered"
		if status == http.StatusUnauthorized || status == http.StatusForbidden {
			return driver.Permanent, why
		}
		return driver.Unknown, why
	}
	return outcomeOf(call.Ask, status), line(answer.Detail)
}

func outcomeOf(ask Ask, status int) driver.Outcome {
	switch {
	case status == http.StatusOK:
		return driver.Done
	case status == http.StatusAccepted:
		return driver.InProgress
	case status == http.StatusConflict:
		return driver.Refused
	case ask == AskObserve && status == http.StatusNotFound:
		return driver.Retryable
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		if ask == AskObserve { // it has not looked
			return driver.Unknown
		}
		return driver.Retryable
	case status >= 400 && status < 500, status == http.StatusNotImplemented:
		return driver.Permanent
	default:
		return driver.Unknown
	}
}

// line makes one short line of what a stranger wrote.
func line(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
	if text == "" {
		return "no reason given"
	}
	if len(text) > detailLimit {
		return strings.ToValidUTF8(text[:detailLimit], "") + "..."
	}
	return strings.ToValidUTF8(text, "?")
}
