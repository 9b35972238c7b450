package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"moonwatch/member"
)

// exportFormat is the version of an export's lines.
const exportFormat = 1

// Title is the first line of an export. It holds nothing of when and by whom the
// export was made: the same facts give the same bytes.
type Title struct {
	Moonwatch string    `json:"moonwatch"` // audit
	Format    int       `json:"format"`
	Cluster   string    `json:"cluster"`
	Member    member.ID `json:"member"` // whose ledger it is
	First     uint64    `json:"first"`
	Prev      Hash      `json:"prev"` // the head before the first fact: all zero for fact 1
}

// end is the last line: without it the file was cut.
type end struct {
	Head  uint64 `json:"head"`
	Hash  Hash   `json:"hash"`
	Facts int    `json:"facts"`
}

// Writer writes an export, line by line.
type Writer struct {
	out   *bufio.Writer
	last  Link
	count int
}

// NewWriter begins an export of the ledger of a member. First is its first fact.
func NewWriter(out io.Writer, cluster string, id member.ID, first Link) (*Writer, error) {
	w := &Writer{out: bufio.NewWriter(out)}
	return w, w.line(Title{Moonwatch: "audit", Format: exportFormat, Cluster: cluster, Member: id, First: first.Index, Prev: first.Prev})
}

// Add writes facts, in order.
func (w *Writer) Add(links ...Link) error {
	for _, l := range links {
		if err := w.line(l); err != nil {
			return err
		}
		w.last = l
		w.count++
	}
	return nil
}

// Close writes the last line.
func (w *Writer) Close() error {
	if err := w.line(end{Head: w.last.Index, Hash: w.last.Hash, Facts: w.count}); err != nil {
		return err
	}
	return w.out.Flush()
}

func (w *Writer) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.out.Write(append(b, '\n'))
	return err
}

// maxLine bounds one line: a command of 64 KiB, escaped.
const maxLine = 1 << 20

// ErrExport says that a file is no export, or not a whole one.
var ErrExport = errors.New("not a whole export")

// Read reads an export. Lines that are no facts end it with an error that names the
// line; whether the facts are right is for Verify to say.
func Read(in io.Reader) (Title, []Link, error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	var t Title
	var links []Link
	n, ended := 0, false
	for lines.Scan() {
		n++
		b := lines.Bytes()
		switch {
		case ended:
			return t, links, fmt.Errorf("line %d: %w: the export ended in line %d", n, ErrExport, n-1)
		case n == 1:
			if err := json.Unmarshal(b, &t); err != nil || t.Moonwatch != "audit" {
				return t, nil, fmt.Errorf("line 1: %w: want the title that 'moonwatch audit export' writes", ErrExport)
			}
			if t.Format != exportFormat {
				return t, nil, fmt.Errorf("line 1: format %d, this program reads %d", t.Format, exportFormat)
			}
		case bytes.HasPrefix(b, []byte(`{"head":`)):
			var e end
			if err := strict(b, &e); err != nil {
				return t, links, fmt.Errorf("line %d: %w: %w", n, ErrExport, err)
			}
			if k := len(links); k != e.Facts || k > 0 && (links[k-1].Index != e.Head || links[k-1].Hash != e.Hash) {
				return t, links, fmt.Errorf("line %d: %w: it ends with fact %d, %v, and its last line says %d facts up to %d, %v",
					n, ErrExport, lastOf(links).Index, lastOf(links).Hash, e.Facts, e.Head, e.Hash)
			}
			ended = true
		default:
			var l Link
			if err := strict(b, &l); err != nil {
				return t, links, fmt.Errorf("line %d: %w: %w", n, ErrExport, err)
			}
			if len(links) == 0 && (l.Index != t.First || l.Prev != t.Prev) {
				return t, links, fmt.Errorf("line %d: %w: fact %d after %v, the title says %d after %v", n, ErrExport, l.Index, l.Prev, t.First, t.Prev)
			}
			links = append(links, l)
		}
	}
	if err := lines.Err(); err != nil {
		return t, links, fmt.Errorf("line %d: %w", n+1, err)
	}
	if !ended {
		return t, links, fmt.Errorf("line %d: %w: its last line is missing", n, ErrExport)
	}
	return t, links, nil
}

func lastOf(links []Link) Link {
	if len(links) == 0 {
		return Link{}
	}
	return links[len(links)-1]
}

// strict refuses keys that it does not know: whoever adds some has changed the file.
func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(into)
}
