package replay

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Lines is what was read.
type Lines struct {
	Read    int       `json:"read"`
	Skipped int       `json:"skipped"`
	First   []Mistake `json:"first_mistakes"` // at most five
}

// Mistake is a line that is no request.
type Mistake struct {
	Line int    `json:"line"`
	Text string `json:"text"` // what is wrong, and what was wanted
}

// mostLine bounds a line: cookies and long queries fit.
const mostLine = 1 << 20

// Read hands the requests of a log over, in the order of its lines; those of one second,
// where the log tells no more of their time, evenly over it. host is whose log it is, for
// lines that name none. A line that is no request, or longer than mostLine, is passed over.
func Read(from io.Reader, host string, each func(Request)) (Lines, error) {
	in := bufio.NewReaderSize(from, 64<<10)
	out := Lines{First: []Mistake{}}
	var second []Request
	flush := func() {
		for i, q := range second {
			q.At = q.At.Add(time.Second * time.Duration(i) / time.Duration(len(second)))
			each(q)
		}
		second = second[:0]
	}
	var ended error
	for ended == nil {
		var line string
		var long bool
		line, long, ended = nextLine(in)
		if strings.TrimSpace(line) == "" {
			continue
		}
		out.Read++
		q, err := parse(line, host)
		if long {
			err = errLong
		}
		if err != nil {
			out.Skipped++
			if len(out.First) < 5 {
				out.First = append(out.First, Mistake{out.Read, err.Error()})
			}
			continue
		}
		if len(second) > 0 && !q.At.Equal(second[0].At) {
			flush()
		}
		if q.coarse {
			second = append(second, q)
		} else {
			each(q)
		}
	}
	flush()
	if !errors.Is(ended, io.EOF) {
		return out, fmt.Errorf("after line %d: %w", out.Read, ended)
	}
	return out, nil
}

// nextLine reads a line to its end, and gives no more than its first mostLine bytes. With
// the last one comes io.EOF, or what went wrong.
func nextLine(in *bufio.Reader) (line string, long bool, err error) {
	var all []byte
	for {
		part, err := in.ReadSlice('\n')
		room := mostLine - len(all)
		all, long = append(all, part[:min(len(part), room)]...), long || len(part) > room
		if !errors.Is(err, bufio.ErrBufferFull) {
			return strings.TrimRight(string(all), "\r\n"), long, err
		}
	}
}

func parse(line, host string) (Request, error) {
	read := common
	if strings.HasPrefix(strings.TrimSpace(line), "{") {
		read = jsonLine
	}
	q, err := read(line)
	if err != nil {
		return q, err
	}
	if q.Host == "" {
		q.Host = host
	}
	if q.Host == "" {
		return q, errNoHost
	}
	return q, nil
}

var (
	errLong   = fmt.Errorf("it is longer than %d bytes", mostLine)
	errNoHost = errors.New("it names no host: want a log with the virtual host first (Apache's vhost_combined, nginx's log_format '$host $remote_addr - $remote_user [$time_local] ...'), JSON with a host, or --host HOST for all lines")
	errCommon = errors.New(`want "[HOST[:PORT] ]CLIENT IDENT USER [02/Jan/2006:15:04:05 -0700] "GET / HTTP/1.1" 200 123 ...", or a JSON object`)
)

// A line of the common or combined format, with the virtual host before it or not.
var commonLine = regexp.MustCompile(`^(?:(\S+) )?(\S+) (\S+) (.*?) ?\[([^\]]{20,40})\] "((?:[^"\\]|\\.)*)" (\d{3}) (?:\d+|-)(?: .*)?$`)

func common(line string) (q Request, err error) {
	m := commonLine.FindStringSubmatch(line)
	if m == nil {
		return q, errCommon
	}
	// Without a virtual host the greedy first field is the client, and the ident follows.
	host, client := m[1], m[2]
	if m[3] != "-" && m[2] == "-" { // "CLIENT - USER": the first field was no host
		host, client = "", m[1]
	}
	if m[4] == "" { // three fields before the time: CLIENT IDENT USER
		host, client = "", m[1]
	}
	q.Client, q.Host, q.coarse = client, host, true
	if q.At, err = time.Parse("02/Jan/2006:15:04:05 -0700", m[5]); err != nil {
		return q, fmt.Errorf("its time is %q, want one like 02/Jan/2006:15:04:05 -0700", m[5])
	}
	if q.Status, err = strconv.Atoi(m[7]); err != nil {
		return q, errCommon
	}
	if q.Host == "" {
		if _, target, ok := strings.Cut(m[6], " "); ok { // a proxy's log has the whole address
			if u, err := url.Parse(strings.Fields(target + " ")[0]); err == nil {
				q.Host = u.Host
			}
		}
	}
	return q, nil
}

// The keys that are looked for in a JSON line, the first one that is there.
var (
	timeKeys   = []string{"time", "ts", "timestamp", "@timestamp", "time_iso8601", "time_local", "msec", "StartUTC"}
	hostKeys   = []string{"host", "request.host", "http_host", "server_name", "vhost", "RequestHost"}
	clientKeys = []string{"remote_addr", "client_ip", "request.client_ip", "remote_ip", "request.remote_ip", "client", "ClientHost"}
	statusKeys = []string{"status", "status_code", "code", "DownstreamStatus"}
	tookKeys   = []string{"request_time", "duration", "took"}
)

func jsonLine(line string) (q Request, err error) {
	var object map[string]any
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		return q, fmt.Errorf("it begins as JSON and is none: %w", err)
	}
	find := func(keys []string) string {
		for _, k := range keys {
			if v := at(object, k); v != "" {
				return v
			}
		}
		return ""
	}
	missing := func(what string, keys []string) error {
		return fmt.Errorf("it has no %s: want a key called one of %s", what, strings.Join(keys, ", "))
	}
	when, status := find(timeKeys), find(statusKeys)
	if when == "" {
		return q, missing("time", timeKeys)
	}
	if q.At, q.coarse, err = moment(when); err != nil {
		return q, err
	}
	if status == "" {
		return q, missing("status", statusKeys)
	}
	if q.Status, err = strconv.Atoi(status); err != nil || q.Status < 100 || q.Status > 599 {
		return q, fmt.Errorf("its status is %q, want 100 to 599", status)
	}
	if q.Client = find(clientKeys); q.Client == "" {
		return q, missing("client", clientKeys)
	}
	q.Host = find(hostKeys)
	if seconds, err := strconv.ParseFloat(find(tookKeys), 64); err == nil && seconds > 0 && seconds < 1e6 {
		q.Took = time.Duration(seconds * float64(time.Second))
	}
	return q, nil
}

// at is the text of a key, which may be one of an object within: request.host.
func at(object map[string]any, key string) string {
	group, rest, nested := strings.Cut(key, ".")
	if inner, ok := object[group].(map[string]any); ok && nested {
		return at(inner, rest)
	}
	switch v := object[key].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		return ""
	}
}

// moment reads a time: RFC 3339, that of the common format, or seconds since 1970 (also
// milliseconds, where they are too many to be seconds).
func moment(text string) (at time.Time, coarse bool, err error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", "02/Jan/2006:15:04:05 -0700"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, !strings.Contains(text, "."), nil
		}
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds > 0 && seconds < 1e14) {
		return at, false, fmt.Errorf("its time is %q, want RFC 3339, 02/Jan/2006:15:04:05 -0700, or seconds since 1970", text)
	}
	coarse = !strings.Contains(text, ".")
	if seconds > 1e11 {
		seconds, coarse = seconds/1000, false
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(math.Round(part*1e6))*1000).UTC(), coarse, nil
}

// http is the request as a gate wants it.
func (q Request) http() *http.Request {
	return &http.Request{Method: http.MethodGet, Host: q.Host, RemoteAddr: q.Client, Header: http.Header{}}
}
