package member

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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
	Name         string                `json:"name"`
	Kind         string                `json:"kind"`
	Webhook      *WebhookReceiver      `json:"webhook,omitempty"`
	Email        *EmailReceiver        `json:"email,omitempty"`
	Slack        *SlackReceiver        `json:"slack,omitempty"`
	Alertmanager *AlertmanagerReceiver `json:"alertmanager,omitempty"`
	Action       *ActionReceiver       `json:"action,omitempty"`
}

// Forgets says that what the receiver was told counts for a while only: it is told
// again that a matter stands.
func (r Receiver) Forgets() bool { return r.Kind == "alertmanager" }

// To says where messages go, in a word or two and without a secret.
func (r Receiver) To() string {
	switch {
	case r.Webhook != nil:
		return r.Webhook.URL
	case r.Email != nil:
		return strings.Join(r.Email.To, ", ")
	case r.Slack != nil:
		return "the channel in " + r.Slack.URLFile
	case r.Alertmanager != nil:
		return strings.Join(r.Alertmanager.URLs, ", ")
	case r.Action != nil:
		return "action " + r.Action.Run
	default:
		return ""
	}
}

// WebhookReceiver takes each message as JSON, signed.
type WebhookReceiver struct {
	URL        string `json:"url"`
	SecretFile string `json:"secret_file"`       // on the members of On
	CAFile     string `json:"ca_file,omitempty"` // whom to trust, if not whom the system trusts
}

// EmailReceiver takes each message as mail. All files are on the members of On.
type EmailReceiver struct {
	Server       string   `json:"server"`             // host:port
	Security     string   `json:"security,omitempty"` // starttls, implicit, or none on this machine
	From         string   `json:"from"`
	To           []string `json:"to"`
	User         string   `json:"user,omitempty"`
	PasswordFile string   `json:"password_file,omitempty"`
	CAFile       string   `json:"ca_file,omitempty"`
}

// SlackReceiver takes each message as an incoming webhook of Slack does. Its URL is a
// secret.
type SlackReceiver struct {
	URLFile string `json:"url_file"`
	CAFile  string `json:"ca_file,omitempty"`
}

// AlertmanagerReceiver takes each matter as an alert.
type AlertmanagerReceiver struct {
	URLs         []string `json:"urls"` // of each Alertmanager of a cluster
	User         string   `json:"user,omitempty"`
	PasswordFile string   `json:"password_file,omitempty"`
	CAFile       string   `json:"ca_file,omitempty"`
}

// ActionReceiver is a program in actions_dir that gets each message.
type ActionReceiver struct {
	Run string `json:"run"`
}

// ReceiverKinds lists the kinds that this build knows.
func ReceiverKinds() []string { return []string{"webhook", "email", "slack", "alertmanager", "action"} }

// MaxReceivers bounds the receivers of a fleet: each is a queue on every member.
const MaxReceivers = 16

// check leaves a kind alone that a newer build may know: its agents tell. All builds
// have to accept the same fleets, so of kinds that came after webhook it says nothing:
// who writes fleet.yaml is told of mistakes before, and who tells of what is missing.
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
