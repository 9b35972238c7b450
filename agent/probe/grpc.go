package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"moonwatch/member"
)

// The health check is one call with one tiny message each way, so it is spoken
// here over net/http's unencrypted HTTP/2. A gRPC library would weigh 5 MB.
const (
	healthMethod = "/grpc.health.v1.Health/Check"
	framePrefix  = 5 // bytes before a message: compressed or not, then its length

	codeOK               = "0"
	codeDeadlineExceeded = "4"

	serving = 1 // HealthCheckResponse.ServingStatus
)

// askGRPC wants SERVING from the standard health service.
func (c *Checker) askGRPC(ctx context.Context, target Target, check member.GRPCCheck) Result {
	question := fmt.Sprintf("grpc health :%d", check.Port)
	if check.Service != "" {
		question += " " + check.Service
	}
	req, err := newRequest(ctx, http.MethodPost, target, check.Port, healthMethod, bytes.NewReader(healthRequest(check.Service)))
	if err != nil {
		return Result{Detail: told(question, "%v", err)}
	}
	req.Header.Set("Content-Type", "application/grpc+proto")
	req.Header.Set("TE", "trailers")
	if end, ok := ctx.Deadline(); ok {
		req.Header.Set("Grpc-Timeout", strconv.FormatInt(max(1, time.Until(end).Milliseconds()), 10)+"m")
	}
	conn, err := c.dial(ctx, "tcp", req.URL.Host)
	if err != nil {
		return failed(question, err, Silent)
	}
	defer func() { _ = conn.Close() }()
	answer, err := over(conn, withoutUpgrade()).RoundTrip(req)
	if err != nil {
		return failed(question, err, Refuses)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return Result{Outcome: Refuses, Detail: told(question, "%s", answer.Status)}
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, bodyLimit))
	if err != nil {
		return failed(question, err, Refuses)
	}
	return weighHealth(question, answer, body)
}

// weighHealth reads the call's status, which stands behind the body or, without
// a body, among the headers; then the message.
func weighHealth(question string, answer *http.Response, body []byte) Result {
	trailer := answer.Trailer
	if answer.Header.Get("Grpc-Status") != "" {
		trailer = answer.Header
	}
	switch code := trailer.Get("Grpc-Status"); code {
	case codeOK:
	case codeDeadlineExceeded: // our own time-out, told from the other end
		return Result{Outcome: Silent, Detail: told(question, "no answer in time")}
	case "":
		return Result{Outcome: Refuses, Detail: told(question, "no grpc status: is it a gRPC service?")}
	default:
		message, err := url.PathUnescape(trailer.Get("Grpc-Message"))
		if err != nil {
			message = trailer.Get("Grpc-Message")
		}
		return Result{Outcome: Refuses, Detail: told(question, "grpc status %s: %s", code, message)}
	}
	status, err := healthStatus(body)
	if err != nil {
		return Result{Outcome: Refuses, Detail: told(question, "%v", err)}
	}
	if status != serving {
		return Result{Outcome: Refuses, Detail: told(question, "%s", statusName(status))}
	}
	return Result{Outcome: Answers, Detail: told(question, "SERVING")}
}

// withoutUpgrade is HTTP/2 without TLS, spoken at once.
func withoutUpgrade() *http.Protocols {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return protocols
}

// healthRequest is a framed HealthCheckRequest: field 1, the service's name.
func healthRequest(service string) []byte {
	frame := make([]byte, framePrefix)
	if service != "" {
		frame = protowire.AppendTag(frame, 1, protowire.BytesType)
		frame = protowire.AppendString(frame, service)
	}
	binary.BigEndian.PutUint32(frame[1:framePrefix], uint32(len(frame)-framePrefix))
	return frame
}

// healthStatus reads a framed HealthCheckResponse: field 1, a number; fields
// that a later version adds are passed over. A message without field 1 means 0,
// UNKNOWN.
func healthStatus(frame []byte) (status uint64, err error) {
	if len(frame) < framePrefix {
		return 0, errors.New("the answer holds no message")
	}
	if frame[0] != 0 {
		return 0, errors.New("the message is compressed, which was not offered")
	}
	message := frame[framePrefix:]
	if want := binary.BigEndian.Uint32(frame[1:framePrefix]); uint64(len(message)) != uint64(want) {
		return 0, fmt.Errorf("the message has %d bytes, %d were announced", len(message), want)
	}
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return 0, fmt.Errorf("read health message: %w", protowire.ParseError(n))
		}
		message = message[n:]
		if field == 1 && kind == protowire.VarintType {
			status, n = protowire.ConsumeVarint(message)
		} else {
			n = protowire.ConsumeFieldValue(field, kind, message)
		}
		if n < 0 {
			return 0, fmt.Errorf("read health message: %w", protowire.ParseError(n))
		}
		message = message[n:]
	}
	return status, nil
}

func statusName(status uint64) string {
	names := [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}
	if status < uint64(len(names)) {
		return names[status]
	}
	return fmt.Sprintf("serving status %d", status)
}
