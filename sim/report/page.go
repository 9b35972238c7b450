package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed" // the page's own style and script
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"sync"
	"time"

	"moonwatch/sim/scenario"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
)

// pageTemplate escapes whatever it is given. It is read when the first page is written:
// agents are of the same program, and write none.
var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"lane":    func(l lane, width int64) laneOf { return laneOf{l, width} },
		"columnX": func(i int) int { return i*columnWidth + columnWidth/2 },
	}).Parse(pageHTML))
})

// laneOf is a lane and the width of its drawing.
type laneOf struct {
	Lane lane
	W    int64
}

// view is what the template shows.
type view struct {
	CSS    template.CSS
	JS     template.JS
	Policy string // that allows this page's own script and style, and nothing else

	Title, Kind string
	Headline    string
	Ending      ending
	Lead        string
	Tiles       []tile
	Notes       []string

	Campaign *campaignView
	Runs     []runView
	MoreRuns int // that found no place
	Curves   []curve
	Loads    []load

	Invariants []invariant
	Rare       []rarity
	Never      []rarity
	Single     bool // one run: what never happened in it is not strange

	Command, Version string
}

// tile is a figure of the head.
type tile struct{ Name, Value, More, Class string }

func (in Input) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(in)
}

func (in Input) writePage(w io.Writer) error {
	var b bytes.Buffer // a mistake in the template leaves no half page
	if err := pageTemplate().Execute(&b, in.view()); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}

func (in Input) view() view {
	v := view{CSS: template.CSS(pageCSS), JS: template.JS(pageJS), Command: in.Command, Version: in.Version}
	hash := sha256.Sum256([]byte(pageJS))
	v.Policy = fmt.Sprintf("default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-%s'",
		base64.StdEncoding.EncodeToString(hash[:]))
	for i, r := range in.Runs[:min(len(in.Runs), runsShown)] {
		v.Runs = append(v.Runs, r.view(detailOf(i), in.Campaign != nil))
	}
	v.MoreRuns = len(in.Runs) - len(v.Runs)
	switch {
	case in.Campaign != nil:
		in.campaign(&v)
	case len(in.Runs) > 0:
		in.run(&v)
	default:
		v.Title, v.Headline, v.Ending = "nothing", "Nothing was played", ending{Tone: "mind"}
	}
	return v
}

// bars are the promises of speed, if they hold for the fleets of this report.
func (in Input) bars() (detect, serve []bar) {
	if in.Profile != "lan" {
		return nil, nil
	}
	return detectBars, recoverBars
}

func (v *view) measured(in Input, detect, serve []int64, messages, sent scenario.Spread) {
	d, s := in.bars()
	v.Curves = []curve{
		newCurve("Crash to verdict", "From the crash of a member to the verdict about it.", detect, d),
		newCurve("Loss to service", "From the loss of a slot's service to service again.", serve, s),
	}
	v.Loads = loads(messages, sent)
}

// run fills in the page of one run.
func (in Input) run(v *view) {
	r := in.Runs[0].Result
	v.Kind, v.Title, v.Headline, v.Ending = "run", title(r.Scenario, r.Seed), headline(r), endingOf(r.Outcome)
	v.Lead = fmt.Sprintf("%s: %s for %s", r.Scenario, many(r.Members, "member", "members"), length(r.Virtual))
	if r.Story != nil {
		v.Lead += ", " + many(len(r.Story.Faults), "fault", "faults")
	}
	v.Lead += "."
	v.Notes = append(v.Notes, r.Notes...)
	v.Single = true
	took := cmp.Or(in.Runs[0].Took, in.Took)
	v.Tiles = []tile{
		{Name: "Scenario", Value: r.Scenario},
		{Name: "Seed", Value: fmt.Sprint(r.Seed)},
		{Name: "Events", Value: about(float64(r.Events))},
	}
	if took > 0 {
		v.Tiles = append(v.Tiles, speedTile(r.Events, r.Virtual, took))
	}
	v.Tiles = append(v.Tiles, verdictTile(r.Verdicts, r.False))
	if r.Requests > 0 {
		v.Tiles = append(v.Tiles, requestTile(r.Requests, r.Failed))
	}
	v.Tiles = append(v.Tiles, tile{Name: "Trace hash", Value: r.Trace, Class: "hash"})
	v.measured(in, r.DetectMS, r.RecoverMS, r.Messages, r.Bytes)
	v.Invariants = invariants(r.Checks, r.Promise)
	v.Rare, v.Never = rarities(r.Sometimes)
}

// speedTile says how fast a world was, by events and as a multiple of the wall's
// clock.
func speedTile(events uint64, virtual, took time.Duration) tile {
	s := took.Seconds()
	return tile{Name: "Events per second", Value: about(float64(events) / s), More: fmt.Sprintf("in %s, ×%s", length(took), about(virtual.Seconds()/s))}
}

func verdictTile(verdicts, wrong int) tile {
	return tile{Name: "Verdicts", Value: count(verdicts), More: many(wrong, "false one", "false ones")}
}

func requestTile(requests, failed int) tile {
	return tile{Name: "Requests", Value: about(float64(requests)), More: count(failed) + " failed"}
}

func title(name string, seed uint64) string { return fmt.Sprintf("%s, seed %d", name, seed) }
