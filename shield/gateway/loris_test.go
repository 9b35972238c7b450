package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// slow opens a connection from an address of its own and says a part of a request.
func slow(t *testing.T, g *Gateway, from byte, text string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 77, 0, from)}}).Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

const halfAHead = "GET / HTTP/1.1\r\nHost: x.example\r\nX-Slow: "

// ended reports that the other side has closed, within 30 s.
func ended(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	_, err := io.Copy(io.Discard, c)
	var t net.Error
	return !errors.As(err, &t) || !t.Timeout()
}

// Whoever holds connections open and says nothing loses them to those who ask.
func TestSlowLorisClosesItsOwnConnections(t *testing.T) {
	g := open(t, Config{MaxConns: 8, MaxConnsEach: 8, HeadTimeout: time.Hour}, tableOf(services(t, 1)))
	var loris []net.Conn
	for i := range 8 {
		loris = append(loris, slow(t, g, byte(i+1), halfAHead))
	}
	for i := range 4 {
		if status, _, _ := ask(t, client(t), g, "GET", "x.example", ""); status != http.StatusOK {
			t.Fatalf("client %d was answered with %d", i, status)
		}
	}
	if !ended(loris[0]) {
		t.Error("the oldest that said nothing is still open")
	}
}

// One address cannot take the connections of others, and its own oldest goes first.
func TestOneClientHasAPartOfTheConnections(t *testing.T) {
	g := open(t, Config{MaxConns: 100, MaxConnsEach: 3, HeadTimeout: time.Hour}, tableOf(services(t, 1)))
	other := slow(t, g, 1, halfAHead)
	var own []net.Conn
	for range 5 {
		own = append(own, slow(t, g, 2, halfAHead))
		time.Sleep(20 * time.Millisecond) // they are accepted in their order anyway
	}
	for i, c := range own[:2] {
		if !ended(c) {
			t.Errorf("connection %d is still open, want three", i)
		}
	}
	for _, c := range append(own[2:], other) {
		if _, err := io.WriteString(c, "done\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("one that was to stay: %v", err)
		} else {
			res.Body.Close()
		}
	}
}

// Connections on which a request is under way are never closed for others: the newest
// has to go.
func TestWhoIsServedKeepsItsConnection(t *testing.T) {
	list := services(t, 1)
	list[0].hush()
	g := open(t, Config{MaxConns: 2, MaxConnsEach: 2}, tableOf(list))
	first, second := slow(t, g, 1, "GET / HTTP/1.1\r\nHost: x.example\r\n\r\n"), slow(t, g, 2, "GET / HTTP/1.1\r\nHost: x.example\r\n\r\n")
	wait(t, "two requests", func() bool { return g.Stats().InFlight == 2 })
	if !ended(slow(t, g, 3, "")) {
		t.Error("one too many stayed open")
	}
	list[0].speak()
	for _, c := range []net.Conn{first, second} {
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Errorf("got %q, %v", line, err)
		}
	}
}

func TestAHeadThatIsTrickledIsCutOff(t *testing.T) {
	g := open(t, Config{HeadTimeout: 50 * time.Millisecond}, tableOf(services(t, 1)))
	if !ended(slow(t, g, 1, halfAHead)) {
		t.Error("it is still open")
	}
}

// A long body goes to an occupant as it comes. One that is trickled holds its place
// there for as long as the rate allows, and not longer.
func TestALongBodyThatIsTrickledIsCutOff(t *testing.T) {
	g := open(t, Config{MaxBody: 10, BodyTimeout: 100 * time.Millisecond, BodyRate: 1 << 20}, tableOf(services(t, 1)))
	c := slow(t, g, 1, "POST / HTTP/1.1\r\nHost: x.example\r\nContent-Length: 100000\r\n\r\nsome of it")
	if !ended(c) {
		t.Error("it is still open")
	}
	wait(t, "its place to be free", func() bool { return g.Stats().InFlight == 0 })
}

// Who is refused is told so, also if the body of its request does not come, and has its
// connection to itself no longer than that: as many as there may be would close the door.
func TestARefusedRequestIsNotWaitedFor(t *testing.T) {
	nobody := Table{Pools: []Pool{{Name: "web", Hosts: []string{"x.example"}}}}
	for name, each := range map[string]struct {
		request string
		status  int
	}{
		"its name is not served":       {"POST / HTTP/1.1\r\nHost: y.example\r\nContent-Length: 10\r\n\r\n", http.StatusNotFound},
		"its chunks do not come":       {"POST / HTTP/1.1\r\nHost: y.example\r\nTransfer-Encoding: chunked\r\n\r\n", http.StatusNotFound},
		"no occupant takes its upload": {"POST / HTTP/1.1\r\nHost: x.example\r\nContent-Length: 100000\r\n\r\n", http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			g := open(t, Config{BodyTimeout: time.Hour}, nobody)
			c := slow(t, g, 1, each.request)
			_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal("it was not answered:", err)
			}
			res.Body.Close()
			if res.StatusCode != each.status {
				t.Errorf("it was answered with %d, want %d", res.StatusCode, each.status)
			}
			if !ended(c) {
				t.Error("its connection is still open")
			}
		})
	}
}

func TestALongBodyThatComesInTimeArrives(t *testing.T) {
	g := open(t, Config{MaxBody: 10, BodyTimeout: 20 * time.Second, BodyRate: 1 << 10}, tableOf(services(t, 1)))
	long := strings.Repeat("x", 300_000)
	c := slow(t, g, 1, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x.example\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(long), long))
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); string(b) != "POST "+long {
		t.Errorf("%d bytes came back", len(b))
	}
}

// long answers with n bytes, and then says how it went.
func long(n int) (http.HandlerFunc, chan error) {
	ended := make(chan error, 100)
	return func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.Copy(w, io.LimitReader(endless{}, int64(n)))
		ended <- err
	}, ended
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A client that takes none of a long answer, or next to nothing, holds its place at an
// occupant for as long as the rate allows, and not longer.
func TestAnAnswerThatIsNotTakenIsCutOff(t *testing.T) {
	for name, take := range map[string]func(net.Conn){
		"nothing":    func(net.Conn) {},
		"bit by bit": func(c net.Conn) { trickle(c) },
	} {
		t.Run(name, func(t *testing.T) {
			list := services(t, 1)
			answer, ended := long(1 << 30) // more than any socket keeps
			list[0].become(answer)
			g := open(t, Config{TakeTimeout: 200 * time.Millisecond, TakeRate: 1 << 30}, tableOf(list))
			c := slow(t, g, 1, "GET / HTTP/1.1\r\nHost: x.example\r\n\r\n")
			go take(c)
			select {
			case err := <-ended:
				if err == nil {
					t.Error("all of it was taken")
				}
			case <-time.After(30 * time.Second):
				t.Fatal("the occupant still writes")
			}
			wait(t, "its place to be free", func() bool { return g.Stats().InFlight == 0 })
			if n := testutil.ToFloat64(g.metrics.requests.WithLabelValues(string(resultSlow))); n != 1 {
				t.Errorf("%v answers were taken too slowly, want one", n)
			}
		})
	}
}

// trickle reads a byte now and then, until the other side ends.
func trickle(c net.Conn) {
	for b := make([]byte, 1); ; time.Sleep(5 * time.Millisecond) {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

// What the occupant takes for its answer is none of the client's doing: an answer may come
// bit by bit for longer than the client may take, and the connection serves on.
func TestAnAnswerThatComesSlowlyIsNotCutOff(t *testing.T) {
	list := services(t, 1)
	const bits = 3
	list[0].become(func(w http.ResponseWriter, _ *http.Request) {
		for range bits {
			time.Sleep(600 * time.Millisecond)
			fmt.Fprintln(w, "bit")
			_ = http.NewResponseController(w).Flush()
		}
		time.Sleep(1200 * time.Millisecond)
	})
	g := open(t, Config{TakeTimeout: time.Second, TakeRate: 1 << 30}, tableOf(list))
	c := client(t)
	if status, text, _ := ask(t, c, g, "GET", "x.example", ""); status != http.StatusOK || text != strings.Repeat("bit\n", bits) {
		t.Errorf("got %d %q", status, text)
	}
	time.Sleep(1200 * time.Millisecond)
	list[0].become(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "short") })
	if status, text, _ := ask(t, c, g, "GET", "x.example", ""); status != http.StatusOK || text != "short" {
		t.Errorf("afterwards, on the same connection: %d %q", status, text)
	}
}

// A client that takes a long answer as fast as it comes gets all of it.
func TestALongAnswerThatIsTakenArrives(t *testing.T) {
	list := services(t, 1)
	const size = 20 << 20
	answer, _ := long(size)
	list[0].become(answer)
	g := open(t, Config{}, tableOf(list))
	if status, text, _ := ask(t, client(t), g, "GET", "x.example", ""); status != http.StatusOK || len(text) != size {
		t.Errorf("got %d and %d bytes", status, len(text))
	}
}
