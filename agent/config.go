package agent

import (
	"errors"
	"fmt"
	"time"
)

// Config holds the numbers of PROTOCOL 2 and 3. Default gives the profile
// lan.
type Config struct {
	ProbeInterval   time.Duration // longer: less traffic, slower accusation
	ReprobeInterval time.Duration // pace after a lost probe and in a roll call
	TimeoutMin      time.Duration // a probe is lost after 4 x the p99 round trip, within these bounds
	TimeoutMax      time.Duration
	Patience        time.Duration // silence before an accusation; shorter stalls go unnoticed
	LostRunMin      int           // lost probes in a row before silence accuses
	LostRunMax      int           // however lossy the network is, this many in a row accuse
	RunChance       float64       // a run of chance losses is rarer than this before it accuses
	LossWindow      int           // regular probes that the loss rule looks at, at most 64
	LossCount       int           // lost ones of the window that accuse
	LossAboveMedian float64       // and this share above the median of the own edges
	LossClear       float64       // cleared below median plus this share
	LossOver        int           // or by so many regular probes answered in a row
	OutageRun       int           // lost regular probes in a row that are an outage and no loss
	ClearAnswers    int           // answers in a row that clear silence
	RollUps         int           // fresh answers that make an up answer to a roll call
	RollDowns       int           // fresh losses in a row that make a down answer, more in lossy weather
	RollDownsMax    int           // but never more than these
	RollChance      float64       // a run of chance losses is rarer than this before it is a down answer
	RollPace        time.Duration // of the probes of a roll call for which RollDowns losses are too few
	RollLife        time.Duration // a roll call is worked on for so long: what takes longer is void at the leader
	RollWatch       time.Duration // after a roll call a silent subject is probed quickly on for so long: while answers to it count

	SlipAfter     time.Duration // a timer this late means that we were stalled
	SlipMemory    time.Duration // and for so long afterwards we abstain
	SmearedLoss   float64       // median loss of answering edges above which a bad half is our own fault
	HopelessLoss  float64       // and above this our word is worth nothing, however long it lasts
	DeafLoss      float64       // so is it if most edges, dead ones apart, lose more than this
	DeafWindow    int           // of so many regular probes
	DoubtMax      time.Duration // doubt ends then: a fleet must not go blind for ever
	NewEdgeMax    time.Duration // a new edge abstains until its first answer, at most this long
	FlapCount     int           // new incarnations
	FlapWindow    time.Duration // within this window accuse
	VoidChecks    bool          // what checks said of a machine that was silent as a whole is forgotten when it is back
	CheckInterval time.Duration // service checks in calm
	CheckRetry    time.Duration // second look after a failed check
	CheckTimeout  time.Duration // upper bound of one check; a roll call waits for it
	CheckFails    int           // failed checks in a row that accuse a service
	Checkers      int           // how many observers check a service in calm

	Gather     time.Duration // between two statements: fifteen roll calls that come at once are answered in few
	VoteLife   time.Duration
	Renew      time.Duration
	MassLife   time.Duration // when many subjects are accused at once
	MassRenew  time.Duration
	Presence   time.Duration   // an observer that the councillors do not probe says so often that it is there
	Resend     []time.Duration // after the first send, until acknowledged
	FullMeshTo int             // as consensus.Overlay: up to here councillors hear everyone by probes
}

// Default is profile lan of PROTOCOL 10.
func Default() Config {
	return Config{
		ProbeInterval: 500 * time.Millisecond, ReprobeInterval: 100 * time.Millisecond,
		TimeoutMin: 50 * time.Millisecond, TimeoutMax: 200 * time.Millisecond,
		Patience: time.Second, LostRunMin: 4, LostRunMax: 14, RunChance: 1e-4,
		LossWindow: 40, LossCount: 16, LossAboveMedian: 0.30, LossClear: 0.15, LossOver: 16,
		OutageRun: 10, ClearAnswers: 2, RollUps: 2,
		RollDowns: 4, RollDownsMax: 10, RollChance: 1e-3, RollPace: 50 * time.Millisecond, RollLife: 2 * time.Second, RollWatch: time.Second,
		SlipAfter: 300 * time.Millisecond, SlipMemory: 2 * time.Second, SmearedLoss: 0.10, HopelessLoss: 0.5, DeafLoss: 0.65, DeafWindow: 20,
		DoubtMax: 30 * time.Second, NewEdgeMax: 2 * time.Second,
		FlapCount: 3, FlapWindow: time.Minute,
		CheckInterval: 2 * time.Second, CheckRetry: 200 * time.Millisecond,
		CheckTimeout: 500 * time.Millisecond, CheckFails: 2, Checkers: 3,
		Gather: 20 * time.Millisecond, VoteLife: 3 * time.Second, Renew: time.Second,
		MassLife: 15 * time.Second, MassRenew: 5 * time.Second,
		Presence: 500 * time.Millisecond,
		Resend: []time.Duration{
			100 * time.Millisecond, 300 * time.Millisecond, 700 * time.Millisecond,
		},
		FullMeshTo: 16,
	}
}

// Validate lists every number that cannot work, alone or beside another.
func (c Config) Validate() error {
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	want(c.ProbeInterval > 0, "probe_interval is %v, want more than 0", c.ProbeInterval)
	want(c.ReprobeInterval > 0 && c.ReprobeInterval <= c.ProbeInterval,
		"reprobe_interval is %v, want more than 0 and at most probe_interval (%v)", c.ReprobeInterval, c.ProbeInterval)
	want(c.TimeoutMin > 0 && c.TimeoutMin <= c.TimeoutMax,
		"probe_timeout is %v to %v, want a range above 0", c.TimeoutMin, c.TimeoutMax)
	want(c.Patience >= c.ProbeInterval+c.TimeoutMin,
		"patience is %v, want at least probe_interval + probe_timeout (%v): else one lost probe is silence",
		c.Patience, c.ProbeInterval+c.TimeoutMin)
	want(c.LostRunMin >= 2 && c.LostRunMin <= c.LostRunMax,
		"lost_run is %d to %d, want 2 or more, in order", c.LostRunMin, c.LostRunMax)
	want(c.RollDowns >= 1 && c.RollDowns <= c.RollDownsMax,
		"roll_downs is %d to %d, want 1 or more, in order", c.RollDowns, c.RollDownsMax)
	want(c.RollPace > 0 && c.RollPace <= c.ReprobeInterval,
		"roll_pace is %v, want more than 0 and at most reprobe_interval (%v)", c.RollPace, c.ReprobeInterval)
	want(c.RollWatch >= 0 && c.RollWatch <= c.RollLife, "roll_watch is %v, want at most roll_life (%v)", c.RollWatch, c.RollLife)
	want(c.LossWindow >= 1 && c.LossWindow <= 64, "loss_window is %d, want 1 to 64", c.LossWindow)
	want(c.LossCount >= 1 && c.LossCount <= c.LossWindow,
		"loss_count is %d, want 1 to loss_window (%d)", c.LossCount, c.LossWindow)
	want(c.LossClear < c.LossAboveMedian,
		"loss_clear is %v, want less than loss_above_median (%v): else an accusation has no hysteresis",
		c.LossClear, c.LossAboveMedian)
	want(c.DeafWindow >= c.OutageRun && c.DeafWindow <= c.LossWindow,
		"deaf_window is %d, want outage_run (%d) to loss_window (%d)", c.DeafWindow, c.OutageRun, c.LossWindow)
	want(c.LossOver >= 1 && c.LossOver <= c.LossWindow,
		"loss_over is %d, want 1 to loss_window (%d)", c.LossOver, c.LossWindow)
	want(c.Gather >= 0 && c.Gather < c.ReprobeInterval,
		"gather is %v, want less than reprobe_interval (%v): else an answer waits for nothing", c.Gather, c.ReprobeInterval)
	want(c.VoteLife > 2*c.Renew, "vote_life is %v, want more than twice renew (%v)", c.VoteLife, c.Renew)
	want(c.MassLife > 2*c.MassRenew, "mass_life is %v, want more than twice mass_renew (%v)", c.MassLife, c.MassRenew)
	want(c.Checkers >= 1, "checkers is %d, want at least 1", c.Checkers)
	return errors.Join(errs...)
}
