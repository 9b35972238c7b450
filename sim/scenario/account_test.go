package scenario

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"moonwatch/sim"
)

// account is what stands beside each scenario of the library: what it is about,
// what happened, and how it ended.
func account(p *Plan, r *Result) []byte {
	var out bytes.Buffer
	for _, line := range wrapped(p.About, 80) {
		fmt.Fprintf(&out, "%s\n", line)
	}
	fmt.Fprintf(&out, "\n%s\n%s\n", Transcript(r.Story), ending(r))
	return out.Bytes()
}

// ending is how a run ended, in one line, and what it broke, in another.
func ending(r *Result) string {
	parts := []string{counted(r.Verdicts, "verdict")}
	if n := len(r.DetectMS); n > 0 {
		parts = append(parts, "found after "+longestOf(r.DetectMS))
	}
	if n := len(r.RecoverMS); n > 0 {
		parts = append(parts, fmt.Sprintf("%s served again after %s", counted(n, "slot"), longestOf(r.RecoverMS)))
	}
	if r.Requests > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d requests failed", r.Failed, r.Requests))
	}
	if r.Shield != nil {
		parts = append(parts, shieldInWords(*r.Shield))
	}
	parts = append(parts, "over after "+tenths(r.Virtual))
	text := string(r.Outcome) + ": " + strings.Join(parts, ", ")
	if r.Broken != "" {
		text += "\n" + r.Broken
	}
	return text
}

func longestOf(ms []int64) string {
	text := tenths(time.Duration(Percentile(ms, 100)) * time.Millisecond)
	if len(ms) > 1 {
		return "at most " + text
	}
	return text
}

// wrapped breaks a text into lines of at most so many letters.
func wrapped(text string, most int) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(text) {
		if line != "" && len(line)+1+len(w) > most {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(lines, line)
}

// shieldInWords sums up what the shield came to.
func shieldInWords(x sim.Shielded) string {
	text := fmt.Sprintf("others were served %.2f %%, %.1f %% in the worst second, %d innocents held", 100*x.Others, 100*x.WorstSecond, len(x.Innocents))
	for _, y := range []struct {
		what string
		took int64
	}{{"first refusal", int64(x.FirstReject)}, {"shaped at all doors", int64(x.FleetShaped)}, {"released", int64(x.Released)}} {
		if y.took >= 0 {
			text += fmt.Sprintf(", %s after %s", y.what, Duration(y.took))
		}
	}
	if x.Browsers >= 0 {
		text += fmt.Sprintf(", %.1f %% of the challenged browsers served, %.1f %% at once", 100*x.Browsers, 100*x.AtOnce)
	}
	return text
}
