package link

import (
	"strings"

	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

// serverLog turns what net/http has to say about connections into our log. A
// handshake that fails is told with what it probably means; strangers at the
// port cannot fill the log with it.
type serverLog struct {
	log     *zap.Logger
	metrics *metrics
	limit   *rate.Limiter
}

func newServerLog(log *zap.Logger, m *metrics) *serverLog {
	return &serverLog{log: log, metrics: m, limit: rate.NewLimiter(2, 20)} // lines a second; 20 for the start of a fleet
}

// handshakePrefix begins net/http's line about a failed handshake.
const handshakePrefix = "http: TLS handshake error from "

func (s *serverLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	rest, handshake := strings.CutPrefix(text, handshakePrefix)
	if !handshake {
		s.log.Debug("link server", zap.String("text", text))
		return len(line), nil
	}
	addr, cause, _ := strings.Cut(rest, ": ")
	s.metrics.refused.WithLabelValues(refusedTLS).Inc()
	fields := []zap.Field{zap.String("address", addr), zap.String("error", cause)}
	if hint := hintFor(cause); hint != "" {
		fields = append(fields, zap.String("hint", hint))
	}
	switch {
	case cause == "EOF" || strings.Contains(cause, "connection reset") || strings.Contains(cause, "use of closed"):
		s.log.Debug("link connection ended in the handshake", fields...) // a port scan, or a dialler that gave up
	case s.limit.Allow():
		s.log.Warn("link connection refused", fields...)
	}
	return len(line), nil
}

// hintFor says what a handshake error means here. The other side's refusals
// arrive as TLS alerts, which have a number and no words.
func hintFor(cause string) string {
	switch {
	case strings.Contains(cause, "remote error"):
		return "the other side does not accept our certificate: expired by its clock, of another cluster or of another CA; its log says which"
	case strings.Contains(cause, "provide a certificate"):
		return "the other side has no certificate of this cluster: no agent, or one without tls settings"
	case strings.Contains(cause, "does not look like a TLS handshake"), strings.Contains(cause, "unsupported versions"):
		return "the other side does not speak our TLS: no agent"
	default:
		return ""
	}
}
