package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"moonwatch/member"
)

const (
	userAgent   = "moonwatch/1 (check)"
	slotHeader  = "X-Moonwatch-Slot"
	epochHeader = "X-Moonwatch-Slot-Epoch"

	bodyLimit   = 4 << 10  // bytes of a body that are read: it is not looked at, but it has to come
	headerLimit = 16 << 10 // bytes of answer headers that are taken
)

// askHTTP wants a 2xx or 3xx answer whose body comes too, up to bodyLimit: a
// service that hangs halfway is not well.
func (c *Checker) askHTTP(ctx context.Context, target Target, check member.HTTPCheck) Result {
	question := fmt.Sprintf("GET :%d%s", check.Port, check.Path)
	req, err := newRequest(ctx, http.MethodGet, target, check.Port, check.Path, nil)
	if err != nil {
		return Result{Detail: told(question, "%v", err)}
	}
	conn, err := c.dial(ctx, "tcp", req.URL.Host)
	if err != nil {
		return failed(question, err, Silent)
	}
	defer func() { _ = conn.Close() }()
	answer, err := over(conn, nil).RoundTrip(req)
	if err != nil {
		return failed(question, err, Refuses)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode < 200 || answer.StatusCode > 399 {
		return Result{Outcome: Refuses, Detail: told(question, "%s", answer.Status)}
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, bodyLimit)); err != nil {
		return failed(question+": "+answer.Status+", then its body", err, Refuses)
	}
	return Result{Outcome: Answers, Detail: told(question, "%s", answer.Status)}
}

// over asks one question over a connection that stands. A transport that dialled
// by itself would go on dialling a silent member after the question timed out,
// and could not tell a refusal from a broken answer. No redirect is followed,
// for that would ask somebody else.
func over(conn net.Conn, protocols *http.Protocols) http.RoundTripper {
	return &http.Transport{
		DialContext:            func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: headerLimit,
		Protocols:              protocols,
	}
}

func newRequest(ctx context.Context, method string, target Target, port int, path string, body io.Reader) (*http.Request, error) {
	place, err := url.ParseRequestURI(path)
	if err != nil || path[0] != '/' {
		return nil, errors.New("its path is no path of a URL")
	}
	place.Scheme, place.Host = "http", hostPort(target, port)
	req, err := http.NewRequestWithContext(ctx, method, place.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	if target.Slot != "" {
		req.Header.Set(slotHeader, string(target.Slot))
		req.Header.Set(epochHeader, strconv.FormatUint(uint64(target.SlotEpoch), 10))
	}
	return req, nil
}
