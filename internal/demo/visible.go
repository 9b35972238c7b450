package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// seeEvery is how often the members are asked whom they see.
const seeEvery = 100 * time.Millisecond

// see waits until every member sees every other one, by each one's own page:
// before that an observer would abstain, and the story would be another one.
func (l *launcher) see(ctx context.Context) error {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	again := time.NewTicker(seeEvery)
	defer again.Stop()
	for {
		lack := l.unseen(ctx, client)
		if lack == "" {
			l.say("all %d members see each other", len(l.children))
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", lack, context.Cause(ctx))
		case err := <-l.crashes:
			return err
		case <-again.C:
		}
	}
}

// unseen says who does not see whom, empty if nobody is missing.
func (l *launcher) unseen(ctx context.Context, client *http.Client) string {
	var names []member.ID
	for _, c := range l.children {
		names = append(names, c.Name)
	}
	for _, c := range l.children {
		p, err := askPage(ctx, client, netip.AddrPortFrom(c.Addr, portHTTP))
		if err != nil {
			return fmt.Sprintf("page of %s: %v", c.Name, err)
		}
		for _, name := range names {
			i := slices.IndexFunc(p.Members, func(m status.Member) bool { return m.ID == name })
			if i < 0 || p.Members[i].Trouble() {
				return fmt.Sprintf("%s does not see %s well", c.Name, name)
			}
		}
	}
	return ""
}

// maxPage bounds a page of seven members in bytes; it is some 100 KiB.
const maxPage = 8 << 20

func askPage(ctx context.Context, client *http.Client, at netip.AddrPort) (p status.Page, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.String()+"/api/v1/page", nil)
	if err != nil {
		return p, err
	}
	res, err := client.Do(req)
	if err != nil {
		return p, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return p, fmt.Errorf("answer %s", res.Status)
	}
	return p, json.NewDecoder(io.LimitReader(res.Body, maxPage)).Decode(&p)
}
