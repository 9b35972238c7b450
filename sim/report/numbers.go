package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// clock is a virtual time: minutes and seconds since the world began, hours
// only where there are some.
func clock(ms int64) string {
	tenths := (ms + 50) / 100
	s, m := tenths/10%60, tenths/600
	if m < 60 {
		return fmt.Sprintf("%d:%02d.%d", m, s, tenths%10)
	}
	return fmt.Sprintf("%d:%02d:%02d.%d", m/60, m%60, s, tenths%10)
}

// mark is a time on an axis, as fine as the distance to the next one wants.
func mark(ms, step int64) string {
	if step < 1000 {
		return clock(ms)
	}
	s := clock(ms)
	return s[:len(s)-2]
}

// count groups an integer by thousands.
func count[N int | int64 | uint64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	var b strings.Builder
	for i, r := range s {
		if i > 0 && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// many says how many of something there are.
func many[N int | int64 | uint64](n N, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + more
}

// about is a large number in short.
func about(n float64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f G", n/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.2f M", n/1e6)
	default:
		return count(int64(math.Round(n)))
	}
}

// seconds is a length in seconds, from milliseconds.
func seconds(ms int64) string { return fmt.Sprintf("%.2f s", float64(ms)/1000) }

// length is a duration for people.
func length(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d min %02d s", d/time.Minute, d/time.Second%60), " 00 s")
	case d < 48*time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d h %02d min", d/time.Hour, d/time.Minute%60), " 00 min")
	default:
		return fmt.Sprintf("%s days", count(int64(d/(24*time.Hour))))
	}
}

// share is part of whole in percent of a drawing's width, short enough for
// thousands of them.
func share(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return math.Round(float64(part)/float64(whole)*1e5) / 1e3
}
