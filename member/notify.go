package member

import (
	"errors"
	"fmt"
	"slices"
)

// NotifyPolicy says whom people are told through. Without receivers nobody is told.
type NotifyPolicy struct {
	// On are the members that may tell, the first one that is well does; empty:
	// every member, by name.
	On        []ID       `json:"on,omitempty"`
	Receivers []Receiver `json:"receivers,omitempty"` // sorted by name
}

// Receiver is one way to people. What its kind is told by is set, the others are nil.
type Receiver struct {
	Name    string           `json:"name"`
	Kind    string           `json:"kind"`
	Webhook *WebhookReceiver `json:"webhook,omitempty"`
}

// WebhookReceiver takes each message as JSON, signed.
type WebhookReceiver struct {
	URL        string `json:"url"`
	SecretFile string `json:"secret_file"`       // on the members of On
	CAFile     string `json:"ca_file,omitempty"` // whom to trust, if not whom the system trusts
}

// ReceiverKinds lists the kinds that this build knows.
func ReceiverKinds() []string { return []string{"webhook"} }

// MaxReceivers bounds the receivers of a fleet: each is a queue on every member.
const MaxReceivers = 16

// check leaves a kind alone that a newer build may know: its agents tell.
func (p NotifyPolicy) check(members []Member) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, id := range p.On {
		if !slices.ContainsFunc(members, func(m Member) bool { return m.ID == id }) {
			bad("notify.on: %s is no member", id)
		}
	}
	if n := len(p.Receivers); n > MaxReceivers {
		bad("notify.receivers: %d of them, want at most %d", n, MaxReceivers)
	}
	for i, r := range p.Receivers {
		if r.Name == "" || i > 0 && p.Receivers[i-1].Name >= r.Name {
			bad("notify.receivers: %q stands out of order or twice, want names, sorted", r.Name)
		}
		if r.Kind == "webhook" && (r.Webhook == nil || r.Webhook.URL == "" || r.Webhook.SecretFile == "") {
			bad("notify.receivers.%s: want a url and a secret_file", r.Name)
		}
	}
	return errors.Join(errs...)
}
