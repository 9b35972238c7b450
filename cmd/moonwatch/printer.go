package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// printer gathers what goes to standard output: lines and tables.
type printer struct {
	wide, color bool
	out         bytes.Buffer
}

func (p *printer) bytes() []byte { return p.out.Bytes() }

// line prints one line of text.
func (p *printer) line(format string, args ...any) {
	p.out.WriteString(strings.TrimRight(clean(fmt.Sprintf(format, args...)), " "))
	p.out.WriteByte('\n')
}

// tone says how a cell is coloured; without colours it says nothing, so a word
// always stands there too.
type tone string

const (
	plain tone = ""
	good  tone = "32"
	warn  tone = "33"
	bad   tone = "31"
	head  tone = "1"
)

// cell is one word of a table. An empty one is printed as "-", so that columns
// can be cut by programs.
type cell struct {
	text string
	tone tone
}

func text(format string, args ...any) cell { return cell{text: fmt.Sprintf(format, args...)} }

func word[T ~string](s T) cell { return cell{text: string(s)} }

// column is a title and how to fill it. Wide columns are left out of the
// narrow table.
type column[T any] struct {
	title string
	wide  bool
	of    func(T) cell
}

// table prints rows under titles; without rows it says so in a line.
func table[T any](p *printer, none string, rows []T, columns []column[T]) {
	if len(rows) == 0 {
		p.line("%s", none)
		return
	}
	p.grid(gridOf(rows, columns, p.wide))
}

// gridOf fills the cells of a table, the titles first.
func gridOf[T any](rows []T, columns []column[T], wide bool) [][]cell {
	grid := make([][]cell, len(rows)+1)
	for _, c := range columns {
		if c.wide && !wide {
			continue
		}
		grid[0] = append(grid[0], cell{c.title, head})
		for i, row := range rows {
			grid[i+1] = append(grid[i+1], c.of(row).orNone())
		}
	}
	return grid
}

func (c cell) orNone() cell {
	if c.text == "" {
		c.text = "-"
	}
	return c
}

func (p *printer) grid(grid [][]cell) {
	widths := make([]int, len(grid[0]))
	for _, row := range grid {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(clean(c.text)))
		}
	}
	for _, row := range grid {
		for i, c := range row {
			s := clean(c.text)
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(s)+2)
			if i == len(row)-1 {
				pad = ""
			}
			if p.color && c.tone != plain {
				s = "\x1b[" + string(c.tone) + "m" + s + "\x1b[0m"
			}
			p.out.WriteString(s + pad)
		}
		p.out.WriteByte('\n')
	}
}

// clean takes out what could move the reader's cursor: names and details come
// from machines that may be in bad hands.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return -1
		}
		return r
	}, s)
}

// span is a time as people read it: 420ms, 3.1s, 12m5s, 3h2m, 5d4h.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	case d < day:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	default:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	}
}

// since is how long ago something was, nothing for a time that is not known.
func since(now, then time.Time) cell {
	if then.IsZero() {
		return cell{}
	}
	return text("%s", span(max(0, now.Sub(then))))
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func count(n int) cell {
	if n == 0 {
		return cell{}
	}
	return text("%d", n)
}

func join[T ~string](items []T) string {
	s := make([]string, len(items))
	for i, x := range items {
		s[i] = string(x)
	}
	return strings.Join(s, ",")
}
