package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	"moonwatch/status"
)

// view is one page and its forms. Each is made when it is first asked for and
// then served as bytes: a page that nobody looks at costs nothing.
type view struct {
	id         string // names the news in it: the event id of the stream
	page       status.Page
	told       latest        // the last incidents, which no page has
	heard      atomic.Int64  // when the agent last confirmed it, in ms
	superseded chan struct{} // closed when there is news

	html  map[*tongue]func() content
	event map[*tongue]func() event
	json  map[string]func() content // by the last part of the path
}

func newView(id string, p status.Page, told latest, superseded chan struct{}) *view {
	v := &view{id: id, page: p, told: told, superseded: superseded}
	v.heard.Store(p.Now.UnixMilli())
	v.html = inEach(func(t *tongue) []byte { return render("page", modelOf(t, id, p, told)) })
	v.event = map[*tongue]func() event{}
	for _, t := range tongues {
		v.event[t] = sync.OnceValue(func() event { return newEvent("page", id, squeeze(render("main", modelOf(t, id, p, told)))) })
	}

	part := func(name string, list any) map[string]any {
		return map[string]any{"schema": p.Schema, "now": p.Now, "knowledge": p.Knowledge, name: list}
	}
	members := part("members", p.Members)
	members["unlisted"] = p.Unlisted
	slots := part("slots", p.Slots)
	slots["pools"] = p.Pools
	v.json = map[string]func() content{
		"page":      asJSON(p),
		"members":   asJSON(members),
		"slots":     asJSON(slots),
		"verdicts":  asJSON(part("verdicts", p.Verdicts)),
		"failovers": asJSON(part("failovers", p.Cases)),
		"facts":     asJSON(part("facts", p.Facts)),
	}
	return v
}

// content is one answer as bytes, plain and compressed.
type content struct {
	kind  string // media type
	etag  string
	plain []byte
	gzip  []byte
}

func newContent(kind string, b []byte) content {
	sum := sha256.Sum256(b)
	return content{kind: kind, etag: hex.EncodeToString(sum[:8]), plain: b, gzip: zip(b)}
}

func asJSON(x any) func() content {
	return sync.OnceValue(func() content { return newContent("application/json", encode(x)) })
}

// encode never fails: what it is given are plain values of this module.
func encode(x any) []byte {
	b, err := json.Marshal(x)
	if err != nil {
		panic(fmt.Sprintf("web: encode %T: %v", x, err))
	}
	return append(b, '\n')
}

// zippers are used again: each takes 800 KB.
var zippers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func zip(b []byte) []byte {
	var out bytes.Buffer
	w := zippers.Get().(*gzip.Writer)
	defer zippers.Put(w)
	w.Reset(&out)
	_, _ = w.Write(b) // a bytes.Buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// squeeze drops indentation: it is for those who read the template.
func squeeze(b []byte) []byte {
	var out []byte
	for line := range bytes.Lines(b) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = append(append(out, line...), '\n')
		}
	}
	return out
}
