package web

import (
	"fmt"
	"strconv"
	"time"

	"moonwatch/status"
)

// How far back the slider reaches, and its step.
const (
	sliderBack = 24 * time.Hour
	sliderStep = 5 * time.Minute
)

// slider chooses a moment of the last day. It is a plain form: without a script its button
// shows the moment.
type slider struct {
	Value int // minutes, 0 is now and the day before is -1440
	Min   int
	Step  int
	Text  string // the moment that is chosen, as it is said
	AsOf  int64  // of now, unix milliseconds: for the script
}

func sliderAt(t *tongue, asOf, at time.Time, past bool) slider {
	s := slider{Min: -int(sliderBack.Minutes()), Step: int(sliderStep.Minutes()), AsOf: asOf.UnixMilli()}
	if past {
		s.Value = max(s.Min, -int(asOf.Sub(at).Round(sliderStep).Minutes()))
		s.Text = t.Instant(at).Human + " UTC"
		return s
	}
	s.Text = t.Say("now")
	return s
}

// ago are the moments with a link of their own.
var ago = []struct {
	words string
	name  string // in the address
	d     time.Duration
}{
	{"now", "", 0},
	{"1 h ago", "1h", time.Hour},
	{"3 h ago", "3h", 3 * time.Hour},
	{"6 h ago", "6h", 6 * time.Hour},
	{"12 h ago", "12h", 12 * time.Hour},
	{"24 h ago", "24h", 24 * time.Hour},
}

// momentOf reads which moment is asked for: so long ago by name, the slider's minutes, or a
// time. What is neither, or lies in the future, is now.
func momentOf(text string, s status.Sights) (at time.Time, chosen string) {
	if text == "" {
		return s.AsOf, ""
	}
	for _, x := range ago {
		if x.name == text {
			return s.AsOf.Add(-x.d), text
		}
	}
	if minutes, err := strconv.Atoi(text); err == nil {
		return minutesAgo(-minutes, s)
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil && !at.After(s.AsOf) {
		return at, at.UTC().Format(time.RFC3339Nano)
	}
	return s.AsOf, ""
}

func minutesAgo(minutes int, s status.Sights) (time.Time, string) {
	d := time.Duration(minutes) * time.Minute
	if minutes <= 0 || minutes > int(sliderBack.Minutes()) {
		return s.AsOf, ""
	}
	for _, x := range ago {
		if x.d == d {
			return s.AsOf.Add(-d), x.name
		}
	}
	return s.AsOf.Add(-d), fmt.Sprint(-minutes)
}
