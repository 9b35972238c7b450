package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"moonwatch/failover/driver"
	"moonwatch/member"
	"moonwatch/status"
	"moonwatch/status/notify"
)

// tellEvery is how often it is asked what people have to be told.
const tellEvery = time.Second

// tagFor is how long gossip may take to send out what an agent says of itself.
const tagFor = 5 * time.Second

// mattersFile is what the herald knows across restarts, in the data folder.
const mattersFile = "notices.json"

// notifying owns the herald: it shows it each page and does what it wants.
type notifying struct {
	d      *Daemon
	herald *status.Herald
	path   string
	notes  *notebook

	answers chan attempt
	sends   sync.WaitGroup
	failed  map[string]bool   // receivers whose failing stands in the log
	partly  map[string]bool   // likewise, of those that took a message not everywhere
	said    map[string]string // what the others were told last of this agent
	saying  atomic.Bool       // they are being told
}

// tellPeople runs the herald until ctx ends.
func (d *Daemon) tellPeople(ctx context.Context) error {
	l := &notifying{
		d: d, said: d.tags, path: filepath.Join(d.cfg.Agent.DataDir, mattersFile),
		answers: make(chan attempt, 4*member.MaxReceivers), failed: map[string]bool{}, partly: map[string]bool{},
	}
	l.herald = status.NewHerald(d.self, l.kept())
	l.notes = newNotebook(func(b []byte) error { return writeFile(l.path, b) })
	defer l.notes.stop()
	defer l.sends.Wait()
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		var ev status.HeraldEvent
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			l.notes.again()
			looked := d.looked.Load()
			if looked == nil {
				continue
			}
			l.say(ctx, looked.Page.Knowledge.Blocked != "")
			ev = *looked
		case answer := <-l.answers:
			l.log(answer)
			ev = answer.Answered
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

// say lets the others know what has changed of this agent: its ledger is blocked, or is
// not any more (somebody else is on duty then), or its certificate was renewed (who met it
// with the old one meets it anew).
func (l *notifying) say(ctx context.Context, mute bool) {
	tags := maps.Clone(l.d.tags)
	tags[tagEnds] = strconv.FormatInt(l.d.keys.Pair().Expires().Unix(), 10)
	if mute {
		tags[tagMute] = "1"
	}
	if maps.Equal(tags, l.said) || !l.saying.CompareAndSwap(false, true) {
		return
	}
	l.said = tags
	l.sends.Go(func() {
		defer l.saying.Store(false)
		ctx, cancel := context.WithTimeout(ctx, tagFor)
		defer cancel()
		if err := l.d.gossip.SetTags(ctx, tags); err != nil { // they spread later
			l.d.log.Debug("tags", zap.Error(err))
		}
	})
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
			err = l.notes.keep(b)
		}
		if err != nil { // told all the same; after a restart perhaps once more
			l.d.log.Warn("what people are told could not be kept", zap.Error(err))
		}
	case status.SendMessage:
		l.sends.Go(func() {
			ctx, cancel := context.WithDeadline(ctx, e.Deadline)
			defer cancel()
			answer := attempt{Answered: status.Answered{Receiver: e.Receiver.Name, Message: e.Message.ID}}
			answer.again = e.Message.Told != "" && e.Message.Says == status.SaysBegun
			err := l.d.sendTo(ctx, e.Receiver, e.Message)
			if errors.As(err, &answer.partly) {
				err = nil
			}
			if err != nil {
				answer.Err = err.Error()
			}
			l.d.m.notify.sent(e.Receiver.Kind, answer.Err == "")
			l.answers <- answer // there is room: one is under way to each receiver, or two while fleet.yaml changes
		})
	}
}

// attempt is how a message ended.
type attempt struct {
	status.Answered
	partly *notify.Partly // told, but not everywhere
	again  bool           // it was a renewal
}

// log says once that a receiver fails, or is not told everywhere, and once that it is
// well again.
func (l *notifying) log(a attempt) {
	fields := []zap.Field{zap.String("receiver", a.Receiver), zap.String("message", a.Message)}
	failed, partly := a.Err != "", a.partly != nil
	switch {
	case failed && !l.failed[a.Receiver]:
		l.d.log.Warn("people not told", append(fields, zap.String("error", a.Err))...)
	case partly && !l.partly[a.Receiver]:
		l.d.log.Warn("people told, but not everywhere", append(fields, zap.Error(a.partly))...)
	case !failed && !partly && (!a.again || l.failed[a.Receiver] || l.partly[a.Receiver]):
		l.d.log.Info("people told", fields...)
	}
	l.failed[a.Receiver], l.partly[a.Receiver] = failed, partly
}

// sendTo sends a message once. What the receiver's files on this machine say is read
// each time, so a secret that was rotated counts from the next message on; who calls
// waits no longer than ctx, whatever their disk does, and while it does nothing only a
// few of them wait for it.
func (d *Daemon) sendTo(ctx context.Context, r member.Receiver, m status.Message) error {
	type opened struct {
		to  notify.Receiver
		err error
	}
	select {
	case d.opening <- struct{}{}:
	default:
		return fmt.Errorf("receiver %s: the files of %d others are still being read: does the disk hang?", r.Name, cap(d.opening))
	}
	ready := make(chan opened, 1)
	go func() {
		defer func() { <-d.opening }()
		to, err := d.openReceiver(r)
		ready <- opened{to, err}
	}()
	select {
	case <-ctx.Done():
		return fmt.Errorf("receiver %s: its files: %w", r.Name, context.Cause(ctx))
	case o := <-ready:
		if o.err != nil {
			return fmt.Errorf("receiver %s: %w", r.Name, o.err)
		}
		return o.to.Send(ctx, m)
	}
}

func (d *Daemon) openReceiver(r member.Receiver) (notify.Receiver, error) {
	switch {
	case r.Webhook != nil:
		secret, trust, err := secrets(r.Webhook.SecretFile, r.Webhook.CAFile)
		if err != nil {
			return nil, err
		}
		return notify.NewWebhook(notify.WebhookConfig{URL: r.Webhook.URL, Secret: secret, TLS: trust})
	case r.Email != nil:
		e := r.Email
		password, trust, err := secrets(e.PasswordFile, e.CAFile)
		if err != nil {
			return nil, err
		}
		return notify.NewEmail(notify.EmailConfig{
			Server: e.Server, Security: e.Security, From: e.From, To: e.To, User: e.User, Password: password, TLS: trust,
		})
	case r.Slack != nil:
		where, trust, err := secrets(r.Slack.URLFile, r.Slack.CAFile)
		if err != nil {
			return nil, err
		}
		return notify.NewSlack(notify.SlackConfig{URL: string(where), TLS: trust})
	case r.Alertmanager != nil:
		a := r.Alertmanager
		password, trust, err := secrets(a.PasswordFile, a.CAFile)
		if err != nil {
			return nil, err
		}
		return notify.NewAlertmanager(notify.AlertmanagerConfig{URLs: a.URLs, User: a.User, Password: password, TLS: trust})
	case r.Action != nil:
		return notify.NewAction(notify.ActionConfig{Folder: d.actions, Run: r.Action.Run}), nil
	default:
		return nil, fmt.Errorf("kind %s is not known to this build: want a newer moonwatch on this member", r.Kind)
	}
}

// secrets reads a receiver's files on this machine, those that it has.
func secrets(secretFile, caFile string) (secret []byte, trust *tls.Config, err error) {
	if secretFile != "" {
		if secret, err = driver.ReadSecret(secretFile); err != nil {
			return nil, nil, err
		}
	}
	trust, err = trusting(caFile)
	return secret, trust, err
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
