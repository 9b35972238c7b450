package tables

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// toy is a setting whose worlds take no time.
func toy(id string, runs int) Setting {
	return Setting{ID: id, Runs: runs, Bars: func(r Row) []string { return missed(r) }, Play: func(seed uint64) Row {
		return Row{Setting: id, Seeds: []uint64{seed}, Members: 10, Seconds: 8640, Ours: Score{DetectMS: []int64{int64(seed)}}}
	}}
}

func TestSlicesOfTwoWorkersAddUpToTheWhole(t *testing.T) {
	s := Slice{Settings: []Setting{toy("crash/5", 7), toy("crash/7", 3)}, From: 1, Workers: 2}
	var whole, parts Results
	for mine := range 2 {
		s.Mine = mine
		s.Play(Results{}, time.Now, parts.Put)
	}
	s.Mine, s.Workers = 0, 1
	s.Play(Results{}, time.Now, whole.Put)
	if !reflect.DeepEqual(whole, parts) {
		t.Fatalf("two workers: %+v, one: %+v", parts, whole)
	}
	r, _ := whole.Row("crash/5")
	if r.Runs() != 7 || r.MemberDays() != 7 || seeds(r.Seeds) != "1-7" || r.Ours.Detect(50) != 4*time.Millisecond {
		t.Fatalf("row %+v", r)
	}
}

func TestWhatWasPlayedIsNotPlayedAgain(t *testing.T) {
	s := Slice{Settings: []Setting{toy("crash/5", 4)}, From: 1, Workers: 1}
	var done Results
	done.Put(toy("crash/5", 0).Play(2))
	var again []uint64
	s.Play(done, time.Now, func(r Row) { again = append(again, r.Seeds...) })
	if !reflect.DeepEqual(again, []uint64{1, 3, 4}) {
		t.Fatalf("played %v, want all but 2", again)
	}
}

func TestNoWorldBeginsAfterTheSlicesTime(t *testing.T) {
	now := time.Now()
	s := Slice{Settings: []Setting{toy("crash/5", 4)}, From: 1, Workers: 1, Until: now.Add(time.Second)}
	n := 0
	s.Play(Results{}, func() time.Time { return now.Add(time.Duration(n) * time.Second) }, func(Row) { n++ })
	if n != 2 {
		t.Fatalf("%d worlds, want the two that began in time", n)
	}
}

func TestResultsSurviveAKilledWriter(t *testing.T) {
	b, err := json.Marshal(toy("crash/5", 0).Play(1))
	if err != nil {
		t.Fatal(err)
	}
	var r Results
	if err := r.ReadResults(strings.NewReader("PASS\n" + string(b) + "\n" + string(b) + "\n" + string(b[:20]))); err != nil {
		t.Fatal(err)
	}
	if row, _ := r.Row("crash/5"); row.Runs() != 1 {
		t.Fatalf("%d runs, want one: the second is the same, the third was cut off", row.Runs())
	}
	for _, bad := range []string{"{\"setting\":1}\n", "{\"setting\":\"crash/5\"}\n", "{}\n"} {
		if err := new(Results).ReadResults(strings.NewReader(bad)); err == nil || !strings.HasPrefix(err.Error(), "results: line 1: ") {
			t.Errorf("%q: error %v, want one that names the line", bad, err)
		}
	}
}

func TestAnUnknownRowIsRefused(t *testing.T) {
	if _, err := Select("crash/7", "crush"); err == nil || !strings.Contains(err.Error(), `"crush"`) {
		t.Fatalf("error %v, want one that names crush", err)
	}
	if s, err := Select("stalls"); err != nil || len(s) != len(stalledAtOnce)*len(stallLengths) {
		t.Fatalf("%d settings, error %v", len(s), err)
	}
}

func TestEveryRowHasATable(t *testing.T) {
	var r Results
	for _, s := range Settings() {
		row := Row{Setting: s.ID, Seeds: []uint64{1}, Members: 5, Seconds: 60}
		row.Ours.Healthy = 1
		r.Put(row)
	}
	var out bytes.Buffer
	WriteTables(&out, Settings(), r)
	for _, s := range Settings() {
		if !strings.Contains(out.String(), "| `"+s.ID+"` |") || !strings.Contains(out.String(), "**Missed** "+s.ID+": 1 healthy members condemned, want none") {
			t.Errorf("%s: no row, or its missed promise is not told", s.ID)
		}
	}
}

func TestTheRuleOfThree(t *testing.T) {
	r := Row{Members: 5, Seconds: 1000 * 86400 / 5}
	if got := r.Bound(&r.Ours); got != 0.003 {
		t.Fatalf("0 in 1,000 member-days: below %v a day, want 0.003", got)
	}
	for seen, want := range map[int]float64{1: 4.744, 4: 9.154, 20: 29.06} { // Poisson's tables
		if got := 1000 * r.Bound(&Score{Healthy: seen}); math.Abs(got-want) > 0.01*want {
			t.Errorf("%d in 1,000 member-days: below %v in as many, want %v", seen, got, want)
		}
	}
}
