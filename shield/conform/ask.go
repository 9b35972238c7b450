package conform

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ask asks for a host as one of many clients, each of which has an address of its
// own, and gives the answer's status.
func (x *trial) ask(client int, host string) int {
	x.Helper()
	status, err := x.try(client, host)
	if err != nil {
		x.Fatalf("client %d asks for %s: %v", client, host, err)
	}
	return status
}

// noHost asks without a Host, as HTTP/1.0 allows.
const noHost = "(none)"

func (x *trial) try(client int, host string) (int, error) { return x.send(client, host, "GET", "/") }

// askFor asks the flooded subdomain for something else than "/".
func (x *trial) askFor(client int, method, target string) int {
	x.Helper()
	status, err := x.send(client, flooded, method, target)
	if err != nil {
		x.Fatalf("client %d asks for %s of %s: %v", client, target, flooded, err)
	}
	return status
}

func (x *trial) send(client int, host, method, target string) (int, error) {
	// The kernel takes every address of 127.0.0.0/8 for its own.
	from := &net.TCPAddr{IP: net.IPv4(127, byte(1+client>>16), byte(client>>8), byte(client))}
	c, err := (&net.Dialer{LocalAddr: from, Timeout: patience}).Dial("tcp", x.Addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	head := "HTTP/1.1\r\nHost: " + host
	if host == noHost {
		head = "HTTP/1.0"
	}
	if _, err := fmt.Fprintf(c, "%s %s %s\r\nAccept: */*\r\nConnection: close\r\n\r\n", method, target, head); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	return res.StatusCode, nil
}

// askAll asks for the flooded subdomain once as each of many clients, some at a time, and gives how many
// were let in. Between them it asks for a neighbour, who has to be let in always.
func (x *trial) askAll(clients int) int {
	x.Helper()
	var let, next atomic.Int64
	var failure atomic.Pointer[string]
	var askers sync.WaitGroup
	for range 4 {
		askers.Go(func() {
			for failure.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= clients {
					return
				}
				if err := x.one(i, &let); err != nil {
					text := err.Error()
					failure.Store(&text)
				}
			}
		})
	}
	askers.Wait()
	if f := failure.Load(); f != nil {
		x.Fatal(*f)
	}
	return int(let.Load())
}

func (x *trial) one(client int, let *atomic.Int64) error {
	switch status, err := x.try(client, flooded); {
	case err != nil:
		return fmt.Errorf("client %d asks for %s: %w", client, flooded, err)
	case status == http.StatusOK:
		let.Add(1)
	case !refusal(status):
		return fmt.Errorf("client %d asks for %s: %d, want 200, 429 or 503", client, flooded, status)
	}
	if client%100 != 0 {
		return nil
	}
	switch status, err := x.try(client, neighbour); {
	case err != nil:
		return fmt.Errorf("client %d asks for %s: %w", client, neighbour, err)
	case status != http.StatusOK:
		return fmt.Errorf("client %d asks for %s, which is not held: %d", client, neighbour, status)
	}
	return nil
}

func refusal(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}
