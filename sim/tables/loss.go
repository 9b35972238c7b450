package tables

import (
	"fmt"
	"time"
)

// Uniform loss: nothing is wrong with anybody but the network, which loses a
// share of all datagrams. Every verdict is false.
//
// Most of the days are spent in fleets of five, where a member-day costs least:
// four edges per member, where a large fleet has sixteen. They are also the
// fleets in which the fewest wrong observers would do. Some days are spent in
// fleets of 32, whose overlay and presence messages small fleets do not have.

func losses() []Setting {
	var out []Setting
	for _, c := range []struct {
		roundTrip int // per cent
		oneWay    float64
	}{{10, 0.051}, {30, 0.163}, {51, 0.30}} {
		for _, f := range []struct {
			members, worlds int
			virtual         time.Duration
		}{{5, 400, 12 * time.Hour}, {32, 75, time.Hour}} {
			out = append(out, Setting{
				ID: fmt.Sprintf("loss/%d-%d", c.roundTrip, f.members), Runs: f.worlds,
				What: fmt.Sprintf("%d %% of all round trips, %d members", c.roundTrip, f.members),
				Play: func(seed uint64) Row { return playLoss(f.members, c.oneWay, f.virtual, seed) },
				Bars: func(r Row) []string { return missed(r) },
			})
		}
	}
	return out
}

func playLoss(members int, oneWay float64, virtual time.Duration, seed uint64) Row {
	cfg := fleet(members)
	cfg.Net.Loss = oneWay
	s, err := newStage(cfg, seed)
	if err != nil {
		return failed(seed, members, err)
	}
	return s.end(s.Run(virtual))
}
