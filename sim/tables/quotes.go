package tables

import "strings"

// What others were measured to do. memberlist is v0.7.0 with DefaultLANConfig,
// on real sockets over loopback, a few trials per row; SWIM and Lifeguard are read
// off the figures of their paper (arXiv 1707.00788), Rapid's of its own (USENIX ATC
// 2018). Where a row's own size was not measured, the nearest one is named.

func quote(head string, from map[string]string) column {
	return column{head, func(s Setting, _ Row) string {
		for _, key := range []string{s.ID, s.ID[:strings.LastIndexAny(s.ID, "-/")]} {
			if q := from[key]; q != "" {
				return q
			}
		}
		return "not measured"
	}}
}

var memberlistCrash = map[string]string{
	"crash/5":     "6.0 s, at most 8.0 s (10 members)",
	"crash/7":     "6.0 s, at most 8.0 s (10 members)",
	"crash/32":    "8.0 s, at most 8.4 s (30 members)",
	"crash/100":   "9.8 to 11.1 s, at most 12.4 s",
	"crash/1000":  "12 s and more, by its formula",
	"crash/10000": "16 s and more, by its formula",
}

var memberlistLoss = func() map[string]string {
	const q = "0 in 0.7 member-days, with streams that lose nothing"
	return map[string]string{"loss/10": q, "loss/30": q, "loss/51": q + " (50 %)"}
}()

var lifeguardStalls = map[string]string{
	"stalls/4": "215 / 0", "stalls/16": "365 / 0", "stalls/32": "610 / 60",
}

var memberlistRapid = map[string]string{
	"rapid/crashes": "many views in between (Rapid's paper)",
	"rapid/flips":   "out and back once per cycle at every observer (30 members)",
	"rapid/in":      "never removed (3 runs of 30 members)",
	"rapid/out":     "removed in 2 of 3 runs; 29 to 63 false deaths of healthy members",
}
