package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// patience is how long a page may take to be connected to, or to answer.
const patience = 2 * time.Second

// asker asks pages one request after the other, over one connection to each that stays
// open. It is of one goroutine: an http.Client hands each request to a goroutine that writes
// and each answer to one that reads, and so takes as much of a processor as the page does.
type asker struct {
	pages []page
}

type page struct {
	addr string
	ask  []byte
	conn net.Conn // nil: none is open
	from *bufio.Reader
}

func newAsker(addrs []string) *asker {
	a := &asker{}
	for _, addr := range addrs {
		a.pages = append(a.pages, page{addr: addr, ask: fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: gzip\r\n\r\n", addr)})
	}
	return a
}

func (a *asker) close() {
	for i := range a.pages {
		a.pages[i].hangUp()
	}
}

// askAny asks one page after the other until one answers, each once.
func (a *asker) askAny(ctx context.Context, first int) (tries int, err error) {
	for tries = 1; tries <= len(a.pages); tries++ {
		if err = a.pages[(first+tries-1)%len(a.pages)].request(ctx); err == nil {
			return tries, nil
		}
	}
	return tries, err
}

// request asks the page for itself and reads all of its answer. A connection that was open
// may have ended since: then it asks once more over a new one.
func (p *page) request(ctx context.Context) error {
	used := p.conn != nil
	err := p.exchange(ctx)
	if err != nil && used && !errors.Is(err, errAnswer) {
		err = p.exchange(ctx)
	}
	return err
}

// errAnswer is an answer that is not the page.
var errAnswer = errors.New("no page")

func (p *page) exchange(ctx context.Context) (err error) {
	if p.conn == nil {
		dial := net.Dialer{Timeout: patience}
		if p.conn, err = dial.DialContext(ctx, "tcp", p.addr); err != nil {
			p.conn = nil
			return err
		}
		if p.from == nil {
			p.from = bufio.NewReaderSize(nil, 32<<10)
		}
		p.from.Reset(p.conn)
	}
	keep := false
	defer func() {
		if !keep {
			p.hangUp()
		}
	}()
	if err := p.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := p.conn.Write(p.ask); err != nil {
		return err
	}
	resp, err := http.ReadResponse(p.from, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("%w: %s: %w", errAnswer, p.addr, err)
	}
	keep = !resp.Close
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s answered %s", errAnswer, p.addr, resp.Status)
	}
	return nil
}

func (p *page) hangUp() {
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn = nil
	}
}
