package config

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"moonwatch/member"
)

func TestReceiversAreReadAndWrittenBack(t *testing.T) {
	f, _, err := ParseFleet("fleet.yaml", []byte(shieldedFleet+`
notify:
  on: [web-2, web-1]
  receivers:
    pager: {kind: webhook, url: "https://pager.example.com/hook", secret_file: /etc/moonwatch/pager.key, ca_file: /etc/moonwatch/pager-ca.pem}
    chat: {kind: webhook, url: "http://127.0.0.1:9000/", secret_file: /etc/moonwatch/chat.key}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := member.NotifyPolicy{On: []member.ID{"web-2", "web-1"}, Receivers: []member.Receiver{
		{Name: "chat", Kind: "webhook", Webhook: &member.WebhookReceiver{URL: "http://127.0.0.1:9000/", SecretFile: "/etc/moonwatch/chat.key"}},
		{Name: "pager", Kind: "webhook", Webhook: &member.WebhookReceiver{URL: "https://pager.example.com/hook", SecretFile: "/etc/moonwatch/pager.key", CAFile: "/etc/moonwatch/pager-ca.pem"}},
	}}
	if !reflect.DeepEqual(f.Notify, want) {
		t.Errorf("got %+v, want %+v", f.Notify, want)
	}
	again, _, err := ParseFleet("again.yaml", RenderFleet(*f))
	if err != nil || !reflect.DeepEqual(again.Notify, want) {
		t.Errorf("%v: written back it is %+v", err, again)
	}
}

func TestEachKindOfReceiverIsReadAndWrittenBack(t *testing.T) {
	f, _, err := ParseFleet("fleet.yaml", []byte(shieldedFleet+`
notify:
  receivers:
    alerts: {kind: alertmanager, urls: ["https://am-1.example.com:9093", "http://127.0.0.1:9093"], user: moonwatch, password_file: /etc/moonwatch/am.key, ca_file: /etc/moonwatch/am-ca.pem}
    chat: {kind: slack, url_file: /etc/moonwatch/slack.url}
    mail: {kind: email, server: smtp.example.com:587, from: moonwatch@example.com, to: [ops@example.com], user: moonwatch, password_file: /etc/moonwatch/smtp.key}
    own: {kind: email, server: "localhost:25", security: none, from: root@localhost, to: [root@localhost, ops@example.com]}
    pager: {kind: action, run: page-oncall}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []member.Receiver{
		{Name: "alerts", Kind: "alertmanager", Alertmanager: &member.AlertmanagerReceiver{
			URLs: []string{"https://am-1.example.com:9093", "http://127.0.0.1:9093"}, User: "moonwatch",
			PasswordFile: "/etc/moonwatch/am.key", CAFile: "/etc/moonwatch/am-ca.pem",
		}},
		{Name: "chat", Kind: "slack", Slack: &member.SlackReceiver{URLFile: "/etc/moonwatch/slack.url"}},
		{Name: "mail", Kind: "email", Email: &member.EmailReceiver{
			Server: "smtp.example.com:587", Security: "starttls", From: "moonwatch@example.com", To: []string{"ops@example.com"},
			User: "moonwatch", PasswordFile: "/etc/moonwatch/smtp.key",
		}},
		{Name: "own", Kind: "email", Email: &member.EmailReceiver{
			Server: "localhost:25", Security: "none", From: "root@localhost", To: []string{"root@localhost", "ops@example.com"},
		}},
		{Name: "pager", Kind: "action", Action: &member.ActionReceiver{Run: "page-oncall"}},
	}
	if !reflect.DeepEqual(f.Notify.Receivers, want) {
		t.Errorf("got %+v, want %+v", f.Notify.Receivers, want)
	}
	again, _, err := ParseFleet("again.yaml", RenderFleet(*f))
	if err != nil || !reflect.DeepEqual(again.Notify, f.Notify) {
		t.Errorf("%v: written back it is %+v", err, again)
	}
	for _, r := range f.Notify.Receivers {
		if r.To() == "" {
			t.Errorf("%s goes nowhere", r.Name)
		}
	}
}

func TestMistakesOfReceiversAreNamedWithTheirLine(t *testing.T) {
	const at = "fleet.yaml:8:"
	for text, want := range map[string]string{
		"{on: [web-1]}":                                 "notify.receivers is missing",
		"{on: [web-9], receivers: {}}":                  `notify.on[0] is "web-9"`,
		"{receivers: {x: {url: 'https://a'}}}":          "notify.receivers.x.kind is missing, want webhook, email, slack, alertmanager or action",
		"{receivers: {x: {kind: pigeon}}}":              "want webhook, email",
		"{receivers: {x: {kind: webhook}}}":             "notify.receivers.x.secret_file is missing",
		"{receivers: {x: {kind: webhook, to: people}}}": "notify.receivers.x.to",
		"{receivers: {x: {kind: slack, url_file: 'https://hooks.slack.com/services/T0/B0/x'}}}": "is a secret itself and would go into the ledger",
		"{receivers: {x: {kind: action}}}":                                                                              "notify.receivers.x.run is missing, want the plain name",
		"{receivers: {x: {kind: action, run: '/bin/sh -c true'}}}":                                                      "the plain name of a file in actions_dir",
		"{receivers: {x: {kind: alertmanager, urls: []}}}":                                                              "notify.receivers.x.urls is empty",
		"{receivers: {x: {kind: alertmanager, urls: ['http://am.example.com:9093']}}}":                                  "want URLs of Alertmanagers, https://",
		"{receivers: {x: {kind: alertmanager, urls: ['https://a'], user: me}}}":                                         "notify.receivers.x.password_file is missing",
		"{receivers: {x: {kind: alertmanager, urls: ['https://a'], password_file: /k}}}":                                "notify.receivers.x.user is missing",
		"{receivers: {x: {kind: email, server: 'a:25', from: a@b.c}}}":                                                  "notify.receivers.x.to is missing",
		"{receivers: {x: {kind: email, server: a, from: a@b.c, to: [a@b.c]}}}":                                          "want host:port of a mail server",
		"{receivers: {x: {kind: email, server: 'a:25', from: 'Ops <a@b.c>', to: [a@b.c]}}}":                             "want an address such as ops@example.com",
		"{receivers: {x: {kind: email, server: 'a:25', security: none, from: a@b.c, to: [a@b.c]}}}":                     "a is not this machine: want starttls or implicit",
		"{receivers: {x: {kind: email, server: 'a:25', security: tls, from: a@b.c, to: [a@b.c]}}}":                      "starttls, implicit (as at port 465) or none",
		"{receivers: {x: {kind: webhook, url: 'http://example.com/', secret_file: /k}}}":                                "want https://",
		"{receivers: {x: {kind: webhook, url: 'https://a/', secret_file: 00112233445566778899aabbccddeeff0011223344}}}": "is a secret itself",
	} {
		_, _, err := ParseFleet("fleet.yaml", []byte(shieldedFleet+"notify: "+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), at) {
			t.Errorf("%s: %v, want %q at %s", text, err, want, at)
		}
		if err != nil && strings.Contains(err.Error(), "T0/B0") {
			t.Errorf("%s: the mistake shows a secret: %v", text, err)
		}
	}
	f := member.Fleet{Version: 1, Notify: member.NotifyPolicy{On: []member.ID{"b"}, Receivers: []member.Receiver{{Name: "x", Kind: "webhook"}, {Name: "x", Kind: "later"}}}}
	for _, want := range []string{"b is no member", "notify.receivers.x: want a url", "twice"} {
		if err := f.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the ledger's own look says %v, want %q", err, want)
		}
	}
}

// TestTheReceiversOfTheManualLoad reads the examples of docs/notify.md.
func TestTheReceiversOfTheManualLoad(t *testing.T) {
	b, err := os.ReadFile("../../docs/notify.md")
	if err != nil {
		t.Fatal(err)
	}
	text := "notify:\n  receivers:\n"
	kinds := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "    ") && strings.Contains(line, ": {kind: ") {
			text += line
		}
	}
	f, _, err := ParseFleet("notify.md", []byte(shieldedFleet+text))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range f.Notify.Receivers {
		kinds[r.Kind] = true
	}
	if len(kinds) != len(member.ReceiverKinds()) {
		t.Errorf("the manual shows %v, want all of %v", kinds, member.ReceiverKinds())
	}
}
