package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"go.uber.org/zap"

	"moonwatch/failover/driver"
	"moonwatch/member"
	"moonwatch/status"
	"moonwatch/status/notify"
)

// tellEvery is how often it is asked what people have to be told.
const tellEvery = time.Second

// mattersFile is what the herald knows across restarts, in the data folder.
const mattersFile = "notices.json"

// notifying owns the herald: it shows it each page and does what it wants.
type notifying struct {
	d      *Daemon
	herald *status.Herald
	path   string

	open    map[string]openReceiver // by name
	answers chan status.Answered
	sends   sync.WaitGroup
	failed  map[string]bool // receivers whose failing stands in the log
}

// openReceiver is opened when it is first needed, for it reads files of this machine,
// and anew when fleet.yaml says something else of it.
type openReceiver struct {
	from member.Receiver
	to   notify.Receiver
}

// tellPeople runs the herald until ctx ends.
func (d *Daemon) tellPeople(ctx context.Context) error {
	l := &notifying{
		d: d, path: filepath.Join(d.cfg.Agent.DataDir, mattersFile),
		open: map[string]openReceiver{}, answers: make(chan status.Answered, 4*member.MaxReceivers), failed: map[string]bool{},
	}
	l.herald = status.NewHerald(d.self, l.kept())
	defer l.sends.Wait()
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		var ev status.HeraldEvent
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			looked := d.looked.Load()
			if looked == nil {
				continue
			}
			ev = *looked
		case answer := <-l.answers:
			l.log(answer)
			ev = answer
		}
		now := time.Now()
		for _, e := range l.herald.Step(now, ev) {
			l.carryOut(ctx, e)
		}
		telling := l.herald.Telling(now)
		d.telling.Store(&telling)
		d.m.notify.observe(now, telling)
	}
}

// kept reads what was kept. Without it what stands is told once more, which is
// better than to tell nobody.
func (l *notifying) kept() status.Matters {
	var m status.Matters
	b, err := os.ReadFile(l.path)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.d.log.Warn("what people were told is not known: what stands is told again", zap.String("file", l.path), zap.Error(err))
		return status.Matters{}
	}
	return m
}

func (l *notifying) carryOut(ctx context.Context, e status.HeraldEffect) {
	switch e := e.(type) {
	case status.KeepMatters:
		b, err := json.Marshal(e.Matters)
		if err == nil {
			err = writeFile(l.path, b)
		}
		if err != nil { // told all the same; after a restart perhaps once more
			l.d.log.Warn("what people are told could not be kept", zap.Error(err))
		}
	case status.SendMessage:
		to, err := l.receiver(e.Receiver)
		if err != nil {
			l.answers <- status.Answered{Receiver: e.Receiver.Name, Message: e.Message.ID, Err: err.Error()}
			return
		}
		l.sends.Go(func() {
			ctx, cancel := context.WithDeadline(ctx, e.Deadline)
			defer cancel()
			answer := status.Answered{Receiver: e.Receiver.Name, Message: e.Message.ID}
			if err := to.Send(ctx, e.Message); err != nil {
				answer.Err = err.Error()
			}
			l.d.m.notify.sent(e.Receiver.Kind, answer.Err == "")
			l.answers <- answer // there is room: one is under way to each receiver, or two while fleet.yaml changes
		})
	}
}

// log says once that a receiver fails, and once that it is back.
func (l *notifying) log(a status.Answered) {
	switch failed := a.Err != ""; {
	case failed && !l.failed[a.Receiver]:
		l.d.log.Warn("people not told", zap.String("receiver", a.Receiver), zap.String("message", a.Message), zap.String("error", a.Err))
	case !failed:
		l.d.log.Info("people told", zap.String("receiver", a.Receiver), zap.String("message", a.Message))
	}
	l.failed[a.Receiver] = a.Err != ""
}

func (l *notifying) receiver(from member.Receiver) (notify.Receiver, error) {
	if x, ok := l.open[from.Name]; ok && reflect.DeepEqual(x.from, from) {
		return x.to, nil
	}
	to, err := openReceiverOf(from)
	if err != nil {
		return nil, fmt.Errorf("receiver %s: %w", from.Name, err)
	}
	l.open[from.Name] = openReceiver{from, to}
	return to, nil
}

func openReceiverOf(from member.Receiver) (notify.Receiver, error) {
	if from.Webhook == nil {
		return nil, fmt.Errorf("kind %s is not known to this build: want a newer moonwatch on this member", from.Kind)
	}
	secret, err := driver.ReadSecret(from.Webhook.SecretFile)
	if err != nil {
		return nil, err
	}
	trust, err := trusting(from.Webhook.CAFile)
	if err != nil {
		return nil, err
	}
	return notify.NewWebhook(notify.WebhookConfig{URL: from.Webhook.URL, Secret: secret, TLS: trust})
}

// trusting is whom a file of certificates in PEM says to trust; nil without a file:
// whom the system trusts.
func trusting(file string) (*tls.Config, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
