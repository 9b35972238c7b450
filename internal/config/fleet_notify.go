package config

import (
	"cmp"
	"slices"
	"strings"

	"moonwatch/internal/strict"
	"moonwatch/member"
)

// receiverKeys are the keys of each kind of receiver, beside kind.
var receiverKeys = map[string][]string{
	"webhook": {"url", "secret_file", "ca_file"},
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
	if kind == "webhook" {
		x.Webhook = &member.WebhookReceiver{
			URL:        o.must("url", "https://..., or http on this machine, without user, query and fragment", isReceiver),
			SecretFile: o.secretFile("secret_file", "the path of the secret that messages are signed with, on the members that tell"),
			CAFile:     o.Text("ca_file", "", "the path of a CA in PEM on the members that tell", isAbsolute),
		}
	}
	r.fleet.Notify.Receivers = append(r.fleet.Notify.Receivers, x)
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
	if w := x.Webhook; w != nil {
		add("url", w.URL)
		add("secret_file", w.SecretFile)
		add("ca_file", w.CAFile)
	}
	return "{" + strings.Join(items, ", ") + "}"
}
