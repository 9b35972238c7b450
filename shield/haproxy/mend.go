package haproxy

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"moonwatch/shield"
)

// want is what the map should hold at a moment, by HAProxy's keys. Who is held and
// was never seen here, nor named by anybody, is not in it: HAProxy goes by names.
func (d *Door) want(now time.Time) map[string]string {
	out := map[string]string{}
	for _, m := range d.room.Holds(now) {
		if word.MatchString(m.Name) {
			out[m.Name] = valueOf(m.Measure)
		}
	}
	return out
}

// noCap is a cap that nobody reaches.
const noCap = 1_000_000_000

// valueOf is what the map says of a subdomain.
func valueOf(m shield.Measure) string {
	switch {
	case m.Rung == shield.Drop:
		return "drop"
	case m.Rung == shield.Stop:
		return "stop"
	}
	most := noCap
	if m.Cap > 0 {
		most = int(min(math.Ceil(m.Cap), noCap))
	}
	return fmt.Sprintf("shape:%d:%d", min(max(m.Admit, 0), shield.Whole), most)
}

// tell brings the map from what it is known to hold to what it should. The caller
// has read it back before, or nothing is known and nothing is told.
func (d *Door) tell(ctx context.Context, now time.Time) error {
	if d.told == nil {
		return nil
	}
	want := d.want(now)
	var commands []string
	for _, k := range slices.Sorted(maps.Keys(d.told)) {
		if _, stays := want[k]; !stays {
			commands = append(commands, "del map "+d.cfg.Map+" "+k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		switch is, there := d.told[k]; {
		case !there:
			commands = append(commands, "add map "+d.cfg.Map+" "+k+" "+want[k])
		case is != want[k]:
			commands = append(commands, "set map "+d.cfg.Map+" "+k+" "+want[k])
		}
	}
	if len(commands) == 0 {
		return nil
	}
	answer, err := d.ask(ctx, commands)
	if err != nil {
		return err
	}
	d.told = want
	if line := strings.TrimSpace(answer); line != "" {
		// Somebody took away what was to be changed, or HAProxy was reloaded just now:
		// it is read back with the next poll.
		d.mended = time.Time{}
		d.cfg.Log.Debug("haproxy's map changed meanwhile", zap.String("answer", line))
	}
	d.metrics.held.Set(float64(len(want)))
	return nil
}

// mend reads the map back, and puts right what is not as it was told.
func (d *Door) mend(ctx context.Context) error {
	info, err := d.ask(ctx, []string{"show info"})
	if err != nil {
		return err
	}
	pid, version := infoOf(info, "Pid"), infoOf(info, "Version")
	if pid == "" || version == "" {
		return odd(info)
	}
	anew := d.pid != "" && d.pid != pid
	d.pid, d.version = pid, version
	answer, err := d.ask(ctx, []string{"show map " + d.cfg.Map})
	if err != nil {
		return err
	}
	holds, twice, err := parseMap(answer)
	if err != nil {
		return err
	}
	switch changed := differences(d.told, holds); {
	case d.told == nil && len(holds) > 0:
		d.cfg.Log.Info("haproxy's map holds entries of before", zap.Int("entries", len(holds)))
	case anew:
		d.cfg.Log.Info("haproxy began anew: it is told again", zap.Int("entries", len(d.told)), zap.String("haproxy_version", version))
	case d.told != nil && len(changed)+len(twice) > 0:
		d.metrics.edits.Add(float64(len(changed) + len(twice)))
		d.cfg.Log.Warn("somebody else edited haproxy's map: it is put right", zap.Strings("keys", append(changed, twice...)))
	}
	if anew {
		d.totals.known = false
	}
	for _, k := range twice { // of two entries for a key nobody knows which one counts
		if _, err := d.ask(ctx, []string{"del map " + d.cfg.Map + " " + k}); err != nil {
			return err
		}
		delete(holds, k)
	}
	d.told, d.mended = holds, time.Now()
	return d.tell(ctx, time.Now())
}

// differences are the keys about which two maps do not agree, sorted.
func differences(a, b map[string]string) []string {
	keys := map[string]bool{}
	for k, v := range a {
		if other, has := b[k]; !has || other != v {
			keys[k] = true
		}
	}
	for k := range b {
		if _, has := a[k]; !has {
			keys[k] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// parseMap reads lines of "0x55 www.example.com stop". twice are the keys that stand
// there more than once.
func parseMap(answer string) (holds map[string]string, twice []string, err error) {
	holds = map[string]string{}
	for line := range strings.Lines(answer) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
			continue
		case len(f) < 2 || !strings.HasPrefix(f[0], "0x"):
			return nil, nil, odd(line)
		case !word.MatchString(f[1]):
			continue // it cannot be named in a command, and is no name that a request comes with
		}
		if _, has := holds[f[1]]; has && !slices.Contains(twice, f[1]) {
			twice = append(twice, f[1])
		}
		holds[f[1]] = strings.Join(f[2:], " ")
	}
	return holds, twice, nil
}

// infoOf reads a line "Pid: 4711" of show info.
func infoOf(answer, what string) string {
	for line := range strings.Lines(answer) {
		if name, value, ok := strings.Cut(line, ":"); ok && name == what {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
