package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"moonwatch/internal/strict"
	"moonwatch/member"
	"moonwatch/status"
	"moonwatch/status/notify"
)

// tryFor bounds a try of receivers, as the herald bounds an attempt.
const tryFor = 10 * time.Second

// serveNotify says whom people are told through.
func (d *Daemon) serveNotify(w http.ResponseWriter, _ *http.Request) {
	var t status.Telling
	if now := d.telling.Load(); now != nil {
		t = *now
	}
	reply(w, http.StatusOK, status.NotifyDocumentOf(time.Now(), d.self, d.receivers(), t))
}

// receivers is what the fleet in force says of them.
func (d *Daemon) receivers() member.NotifyPolicy {
	if l := d.looked.Load(); l != nil {
		return l.Policy
	}
	return member.NotifyPolicy{}
}

// serveNotifyTest sends a message to receivers from this member, on duty or not, and
// says how that ended with each. One try runs at a time.
func (d *Daemon) serveNotifyTest(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Receivers []string `json:"receivers"` // empty: all
	}
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10))
	in.DisallowUnknownFields()
	if err := in.Decode(&ask); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("notify test: %w", err))
		return
	}
	to, err := named(d.receivers().Receivers, ask.Receivers)
	if err != nil {
		refuse(w, http.StatusNotFound, err)
		return
	}
	if !d.trying.TryLock() {
		refuse(w, http.StatusConflict, errors.New("notify test: another one is under way, which takes 10 s at most"))
		return
	}
	defer d.trying.Unlock()
	by := peerName(r.Context())
	m := status.TestMessage(time.Now(), newID("test"), d.cluster, d.self, by)
	d.log.Info("receivers tried", zap.String("message", m.ID), zap.String("by", by))
	reply(w, http.StatusOK, d.try(r.Context(), to, m))
}

// named picks receivers by name, all without names.
func named(all []member.Receiver, names []string) ([]member.Receiver, error) {
	if len(all) == 0 {
		return nil, errors.New("notify test: fleet.yaml names no receivers (notify:)")
	}
	if len(names) == 0 {
		return all, nil
	}
	var picked []member.Receiver
	for _, r := range all {
		if slices.Contains(names, r.Name) {
			picked = append(picked, r)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(picked, func(r member.Receiver) bool { return r.Name == name }) {
			var known []string
			for _, r := range all {
				known = append(known, r.Name)
			}
			return nil, fmt.Errorf("notify test: there is no receiver %q, want %s", name, strict.Words(known, "or"))
		}
	}
	return picked, nil
}

// try sends to all at once.
func (d *Daemon) try(ctx context.Context, to []member.Receiver, m status.Message) status.NotifyTest {
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	out := status.NotifyTest{Schema: status.Schema, Teller: m.Teller, Message: m.ID, Results: make([]status.NotifyTried, len(to))}
	var sends sync.WaitGroup
	for i, r := range to {
		sends.Go(func() {
			began := time.Now()
			err := d.sendTo(ctx, r, m)
			x := status.NotifyTried{Name: r.Name, Kind: r.Kind, To: r.To(), Result: status.TriedTold, TookMS: time.Since(began).Milliseconds()}
			if err != nil {
				x.Result, x.Err = status.TriedFailed, err.Error()
				if partly := (*notify.Partly)(nil); errors.As(err, &partly) {
					x.Result = status.TriedPartly
				}
			}
			out.Results[i] = x
		})
	}
	sends.Wait()
	return out
}
