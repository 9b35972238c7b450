package web

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"moonwatch/internal/phrase"
	"moonwatch/status"
)

// tongue is a language in which pages are. English words are their own keys, so that a
// template reads as the page does.
type tongue struct {
	Code  string
	Name  string                   // in itself
	words func() map[string]string // nil: English
	told  func() *phrase.Book      // for what decisions wrote, which is English
}

var (
	english  = &tongue{Code: "en", Name: "English", told: func() *phrase.Book { return nil }}
	japanese = &tongue{Code: "ja", Name: "日本語", words: wordsInJapanese, told: phrase.Japanese}
	tongues  = []*tongue{english, japanese}
)

// Say is a text in this language. What has no words here is said in English.
func (t *tongue) Say(text string, args ...any) string {
	if t.words != nil {
		if w, ok := t.words()[text]; ok {
			text = w
		}
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// Tell says in this language what a decision wrote: a reason, a line, an answer.
func (t *tongue) Tell(text any) string { return t.told().Say(fmt.Sprint(text)) }

// TellLine is Tell for a line that is indented.
func (t *tongue) TellLine(line string) string {
	text := strings.TrimLeft(line, " ")
	return line[:len(line)-len(text)] + t.Tell(text)
}

// Word says one of the product's own words: how a slot stands, what kind a verdict is of.
// A name is none of them, whatever it is.
func (t *tongue) Word(x any) string { return t.Say(fmt.Sprint(x)) }

// Head is the title of a group: a word, or a sentence of the model.
func (t *tongue) Head(title string) string {
	if w := t.Say(title); w != title {
		return w
	}
	return t.Tell(title)
}

// Heads are the heads of a table.
func (t *tongue) Heads(texts ...string) []string {
	out := make([]string, len(texts))
	for i, x := range texts {
		out[i] = t.Say(x)
	}
	return out
}

// Why leads to the answer to "why?".
func (t *tongue) Why(id any) string {
	return "/explain/" + url.PathEscape(fmt.Sprint(id)) + "?lang=" + t.Code
}

// Book leads to a runbook.
func (t *tongue) Book(name string) string {
	return "/runbook/" + url.PathEscape(name) + "?lang=" + t.Code
}

// Took is how long a closed case went on until the slot was served again.
func (t *tongue) Took(c status.Case) string { return t.Span(took(c)) }

// tongueOf is the language that a request wants: the one of its address, or the first of
// ours in its header, by weight. Who wants neither gets English.
func tongueOf(r *http.Request) *tongue {
	if t := tongueNamed(r.URL.Query().Get("lang")); t != nil {
		return t
	}
	type wish struct {
		t      *tongue
		weight float64
	}
	var wishes []wish
	for one := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, params, _ := strings.Cut(one, ";")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			w, err := strconv.ParseFloat(q, 64)
			if err != nil || math.IsNaN(w) {
				continue
			}
			weight = w
		}
		code, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		if t := tongueNamed(code); t != nil && weight > 0 {
			wishes = append(wishes, wish{t, weight})
		}
	}
	if len(wishes) == 0 {
		return english
	}
	slices.SortStableFunc(wishes, func(a, b wish) int { return cmp.Compare(b.weight, a.weight) })
	return wishes[0].t
}

func tongueNamed(code string) *tongue {
	for _, t := range tongues {
		if t.Code == code {
			return t
		}
	}
	return nil
}

// Span is a length of time with its two largest units.
func (t *tongue) Span(d time.Duration) string {
	s := d.Seconds()
	switch {
	case d < time.Minute:
		return t.Say("%.1f s", math.Floor(s*10)/10)
	case d < 10*time.Minute:
		return t.Say("%d min %d s", int(d.Minutes()), int(s)%60)
	case d < time.Hour:
		return t.Say("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return t.Say("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return t.Say("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// Percent never says more than there is: what is short of a whole by a hair is 99.999 %.
func (t *tongue) Percent(share float64) string {
	if math.IsNaN(share) {
		return "–"
	}
	if share >= 1 {
		return "100 %"
	}
	return strconv.FormatFloat(math.Floor(share*1e5)/1e3, 'f', 3, 64) + " %"
}

// Moment is a point of time for machines and for people; the year is left out, for
// nothing here is older than 400 days.
func (t *tongue) Moment(x time.Time) stamp {
	if x.Year() < 2000 {
		return stamp{Human: "–"}
	}
	x = x.UTC()
	return stamp{Machine: x.Format(time.RFC3339), Human: x.Format(t.Say("Jan 2, 15:04"))}
}

// Instant is a moment to the second.
func (t *tongue) Instant(x time.Time) stamp {
	s := t.Moment(x)
	if s.Machine != "" {
		s.Human += x.UTC().Format(":05")
	}
	return s
}

// At is a time of day, and the day if it is another one than now's. Times without a
// meaning (a genesis has none) are a dash.
func (t *tongue) At(now, x time.Time) stamp {
	x = x.UTC()
	if x.Year() < 2000 {
		return stamp{Human: "–"}
	}
	s := stamp{Machine: x.Format(time.RFC3339Nano), Human: x.Format(time.TimeOnly)}
	if x.Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		s.Human = t.Instant(x).Human
	}
	return s
}

// Day is the day of a moment.
func (t *tongue) Day(x time.Time) string { return x.UTC().Format(t.Say("Jan 2")) }
