package config

import (
	"cmp"
	"net"
	"net/mail"
	"slices"
	"strings"

	"moonwatch/internal/strict"
	"moonwatch/member"
)

// receiverKeys are the keys of each kind of receiver, beside kind.
var receiverKeys = map[string][]string{
	"webhook":      {"url", "secret_file", "ca_file"},
	"email":        {"server", "security", "from", "to", "user", "password_file", "ca_file"},
	"slack":        {"url_file", "ca_file"},
	"alertmanager": {"urls", "user", "password_file", "ca_file"},
	"action":       {"run"},
}

// notify reads whom people are told through, and by whom.
func (r *fleetReader) notify(top object) {
	v, ok := top.Get("notify", "on and receivers")
	if !ok {
		return
	}
	o := r.object("notify", v, "on", "receivers")
	if v.Shape != strict.Mapping {
		return
	}
	r.fleet.Notify.On = ids(o.texts("on", "names of members", isName))
	r.tellers = append(r.tellers, tellers{o, r.fleet.Notify.On})
	const want = "the receivers by name, such as {ops: {kind: webhook, url: ..., secret_file: ...}}"
	list, ok := o.Get("receivers", want)
	if !o.Has("receivers") {
		o.Missing("receivers", want)
	}
	if !ok {
		return
	}
	named := r.named(list, o.Join("receivers"), "receiver")
	if len(named) > member.MaxReceivers {
		r.Wrong(list.At, "%s: %d of them, want at most %d", o.Join("receivers"), len(named), member.MaxReceivers)
		return
	}
	for _, p := range named {
		r.receiver(o.Join("receivers")+"."+p.Key, p)
	}
	slices.SortFunc(r.fleet.Notify.Receivers, func(a, b member.Receiver) int { return cmp.Compare(a.Name, b.Name) })
}

func (r *fleetReader) receiver(path string, p strict.Pair) {
	kind := kindOf(p.Value)
	keys, known := receiverKeys[kind]
	if !known { // whatever else stands there belongs to a kind that we do not know
		for _, pair := range p.Value.Pairs {
			keys = append(keys, pair.Key)
		}
	}
	o := r.object(path, p.Value, append([]string{"kind"}, keys...)...)
	if p.Value.Shape != strict.Mapping {
		return
	}
	kinds := strict.Words(member.ReceiverKinds(), "or")
	x := member.Receiver{Name: p.Key, Kind: o.Text("kind", "", kinds, oneOf(member.ReceiverKinds()...))}
	if !o.Has("kind") {
		o.Missing("kind", kinds)
	}
	switch kind {
	case "webhook":
		x.Webhook = &member.WebhookReceiver{
			URL:        o.must("url", "https://..., or http on this machine, without user, query and fragment", isReceiver),
			SecretFile: o.secretFile("secret_file", "the path of the secret that messages are signed with, on the members that tell"),
			CAFile:     o.trust(),
		}
	case "email":
		x.Email = r.email(o)
	case "slack":
		x.Slack = &member.SlackReceiver{
			URLFile: o.secretFile("url_file", "the path of a file with the URL of an incoming webhook, which is a secret, on the members that tell"),
			CAFile:  o.trust(),
		}
	case "alertmanager":
		x.Alertmanager = r.alertmanager(o)
	case "action":
		if !o.Has("run") {
			o.Missing("run", "the plain name of a file in actions_dir")
		}
		x.Action = &member.ActionReceiver{Run: o.program("run", "actions_dir")}
	}
	r.fleet.Notify.Receivers = append(r.fleet.Notify.Receivers, x)
}

func (r *fleetReader) email(o object) *member.EmailReceiver {
	const address = "an address such as ops@example.com"
	x := &member.EmailReceiver{
		Server:   o.must("server", "host:port of a mail server, such as smtp.example.com:587", isHostPort),
		Security: o.Text("security", "starttls", "starttls, implicit (as at port 465) or none (for a server on this machine)", oneOf("starttls", "implicit", "none")),
		From:     o.must("from", address, isMailbox),
		To:       o.some("to", "addresses such as ops@example.com", isMailbox),
		CAFile:   o.trust(),
	}
	x.User, x.PasswordFile = o.login()
	if host, _, err := net.SplitHostPort(x.Server); err == nil && x.Security == "none" && !isOwn(host) {
		r.Wrong(o.Where("security"), "%s is none, and %s is not this machine: want starttls or implicit, or who is on the way reads along", o.Join("security"), host)
	}
	return x
}

func (r *fleetReader) alertmanager(o object) *member.AlertmanagerReceiver {
	x := &member.AlertmanagerReceiver{
		URLs:   o.some("urls", "URLs of Alertmanagers, https://..., or http on this machine, such as http://127.0.0.1:9093", isReceiver),
		CAFile: o.trust(),
	}
	x.User, x.PasswordFile = o.login()
	return x
}

// some reads a list that may not be empty.
func (o object) some(key, want string, valid func(string) bool) []string {
	if !o.Has(key) {
		o.Missing(key, "a list of "+want)
	}
	if v, ok := o.Pairs[key]; ok && emptyList(v.Value) {
		o.Wrong(v.Value.At, "%s is empty, want %s", o.Join(key), want)
	}
	return o.texts(key, want, valid)
}

// login reads who we are to a receiver: both keys, or none.
func (o object) login() (user, passwordFile string) {
	user = o.Text("user", "", "the name to log in with", isLine)
	const want = "the path of a file with the password, on the members that tell"
	switch {
	case o.Has("user"):
		passwordFile = o.secretFile("password_file", want)
	case o.Has("password_file"):
		o.Missing("user", "the name that the password belongs to")
	}
	return user, passwordFile
}

func (o object) trust() string {
	return o.Text("ca_file", "", "the path of a CA in PEM on the members that tell", isAbsolute)
}

// isMailbox accepts a bare address in ASCII: what every mail server takes.
func isMailbox(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && len(s) <= 254 && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f })
}

// ReceiverTexts writes each receiver as it stands in fleet.yaml, with its name.
func ReceiverTexts(p member.NotifyPolicy) []string {
	var all []string
	for _, r := range p.Receivers {
		all = append(all, r.Name+" "+receiverText(r))
	}
	return all
}

// receiverText writes a receiver on one line as it stands in fleet.yaml.
func receiverText(x member.Receiver) string {
	items := []string{"kind: " + scalar(x.Kind)}
	add := func(key, value string) {
		if value != "" {
			items = append(items, key+": "+scalar(value))
		}
	}
	list := func(key string, values []string) {
		var all []string
		for _, v := range values {
			all = append(all, scalar(v))
		}
		items = append(items, key+": ["+strings.Join(all, ", ")+"]")
	}
	switch {
	case x.Webhook != nil:
		add("url", x.Webhook.URL)
		add("secret_file", x.Webhook.SecretFile)
		add("ca_file", x.Webhook.CAFile)
	case x.Email != nil:
		e := x.Email
		add("server", e.Server)
		if e.Security != "starttls" {
			add("security", e.Security)
		}
		add("from", e.From)
		list("to", e.To)
		add("user", e.User)
		add("password_file", e.PasswordFile)
		add("ca_file", e.CAFile)
	case x.Slack != nil:
		add("url_file", x.Slack.URLFile)
		add("ca_file", x.Slack.CAFile)
	case x.Alertmanager != nil:
		a := x.Alertmanager
		list("urls", a.URLs)
		add("user", a.User)
		add("password_file", a.PasswordFile)
		add("ca_file", a.CAFile)
	case x.Action != nil:
		add("run", x.Action.Run)
	}
	return "{" + strings.Join(items, ", ") + "}"
}
