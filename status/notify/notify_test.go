package notify

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"moonwatch/status"
)

// fall is what is told of one that fell: with words in it that somebody chose to harm.
func fall(says status.HeraldSays) status.Message {
	since := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	m := status.Message{
		Schema: 1, ID: "verdict/V-31@1777896000/" + string(says), Says: says, Cluster: "demo", Teller: "witness-1", At: since,
		Notice: status.Notice{
			ID: "verdict/V-31", Stage: status.Healing, Severity: status.Warning, Since: since,
			What: "V-31: web-3 is down (5 of 6 observers: <!channel> & “grün”).", Does: "C-32 puts a spare into web-2.", Do: "Nothing.",
			Command: "moonwatch explain C-32", Runbook: "docs/runbooks/MoonwatchMemberDown.md", Folded: []string{"V-30: web-9 is down."},
		},
	}
	if says == status.SaysEnded {
		m.Ended, m.Ending = since.Add(time.Minute), "C-32 put spare-1 into web-2."
	}
	return m
}

// certified is a certificate of 127.0.0.1, and who trusts it.
func certified(t *testing.T) (ours, theirs *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, &tls.Config{Certificates: s.TLS.Certificates, MinVersion: tls.VersionTLS12}
}
