package notify

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"moonwatch/status"
)

func TestAnAlertEndsUnderTheSeverityUnderWhichItStood(t *testing.T) {
	now := time.Date(2026, 5, 4, 13, 0, 0, 0, time.UTC)
	stands, over, news := now.Add(alertHolds), now, now.Add(alertNews)
	begun, grave, ended := fall(status.SaysBegun), fall(status.SaysChanged), fall(status.SaysEnded)
	grave.Notice.Severity, grave.Told = status.Critical, status.Warning
	ended.Told = status.Critical // it got better before it ended, and nobody was told
	late := fall(status.SaysEnded)
	for _, c := range []struct {
		name string
		m    status.Message
		want []alert
	}{
		{"begun", begun, []alert{{Labels: map[string]string{"severity": "warning"}, EndsAt: stands}}},
		{"graver", grave, []alert{{Labels: map[string]string{"severity": "critical"}, EndsAt: stands}, {Labels: map[string]string{"severity": "warning"}, EndsAt: over}}},
		{"ended", ended, []alert{{Labels: map[string]string{"severity": "critical"}, EndsAt: over}}},
		{"over before anybody was told", late, []alert{{Labels: map[string]string{"severity": "warning"}, EndsAt: news}}},
	} {
		got := alertsOf(c.m, now)
		if len(got) != len(c.want) {
			t.Errorf("%s: %+v, want %d alerts", c.name, got, len(c.want))
			continue
		}
		for i, x := range got {
			if x.Labels["severity"] != c.want[i].Labels["severity"] || !x.EndsAt.Equal(c.want[i].EndsAt) || !x.StartsAt.Equal(c.m.Notice.Since) ||
				x.Labels["alertname"] != "MoonwatchVerdict" || x.Labels["matter"] != "verdict/V-31" || x.Labels["cluster"] != "demo" {
				t.Errorf("%s: %+v", c.name, x)
			}
			if got, want := x.Annotations["runbook"], c.m.Page(); got != want || c.m.Says != status.SaysEnded && want == "" {
				t.Errorf("%s: runbook %q, want %q", c.name, got, want)
			}
		}
	}
	if got := alertName("council-lost/12"); got != "MoonwatchCouncilLost" {
		t.Errorf("it is called %s", got)
	}
}

func TestOneAlertmanagerOfTwoIsEnough(t *testing.T) {
	var user string
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { user, _, _ = r.BasicAuth() }))
	defer up.Close()
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "no upstream")
	}))
	defer down.Close()
	send := func(urls ...string) error {
		a, err := NewAlertmanager(AlertmanagerConfig{URLs: urls, User: "moonwatch", Password: []byte("pass")})
		if err != nil {
			t.Fatal(err)
		}
		return a.Send(t.Context(), fall(status.SaysBegun))
	}
	if err := send(up.URL, up.URL+"/"); err != nil || user != "moonwatch" {
		t.Errorf("%v, as %q", err, user)
	}
	partly := (*Partly)(nil)
	if err := send(down.URL, up.URL); !errors.As(err, &partly) || !strings.Contains(err.Error(), down.URL) {
		t.Errorf("%v, want told in part, and who was not", err)
	}
	if err := send(down.URL); err == nil || errors.As(err, &partly) {
		t.Errorf("%v, want that nobody was told", err)
	}
}

func TestAnAlertmanagerThatHangsHoldsNothingUpOnceOneHasIt(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer up.Close()
	over := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer hangs.Close()
	defer close(over)
	a, err := NewAlertmanager(AlertmanagerConfig{URLs: []string{hangs.URL, up.URL}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var partly *Partly
	if err := a.Send(ctx, fall(status.SaysBegun)); !errors.As(err, &partly) || ctx.Err() != nil {
		t.Errorf("%v, and the message's own time: %v", err, ctx.Err())
	}
}
