package config

import (
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

func TestMistakesOfReceiversAreNamedWithTheirLine(t *testing.T) {
	const at = "fleet.yaml:8:"
	for text, want := range map[string]string{
		"{on: [web-1]}":                                 "notify.receivers is missing",
		"{on: [web-9], receivers: {}}":                  `notify.on[0] is "web-9"`,
		"{receivers: {x: {url: 'https://a'}}}":          "notify.receivers.x.kind is missing, want webhook",
		"{receivers: {x: {kind: pigeon}}}":              "want webhook",
		"{receivers: {x: {kind: webhook}}}":             "notify.receivers.x.secret_file is missing",
		"{receivers: {x: {kind: webhook, to: people}}}": "notify.receivers.x.to",
		"{receivers: {x: {kind: webhook, url: 'http://example.com/', secret_file: /k}}}":                                "want https://",
		"{receivers: {x: {kind: webhook, url: 'https://a/', secret_file: 00112233445566778899aabbccddeeff0011223344}}}": "is a secret itself",
	} {
		_, _, err := ParseFleet("fleet.yaml", []byte(shieldedFleet+"notify: "+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), at) {
			t.Errorf("%s: %v, want %q at %s", text, err, want, at)
		}
	}
	f := member.Fleet{Version: 1, Notify: member.NotifyPolicy{On: []member.ID{"b"}, Receivers: []member.Receiver{{Name: "x", Kind: "webhook"}, {Name: "x", Kind: "later"}}}}
	for _, want := range []string{"b is no member", "notify.receivers.x: want a url", "twice"} {
		if err := f.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the ledger's own look says %v, want %q", err, want)
		}
	}
}
