package campaign

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var someWhat = What{Scenario: "play", Plan: "0123", Build: "1.2.3"}

// slice runs a slice of a kept campaign.
func slice(t *testing.T, dir string, seeds int, parts map[uint64]part) *Summary {
	t.Helper()
	f, err := OpenFolder(dir, someWhat)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cfg := play(t, seeds, parts)
	cfg.Folder = f
	return run(t, cfg)
}

func TestSlicesAddUpToOneCampaign(t *testing.T) {
	parts := map[uint64]part{3: {Do: "safety"}, 7: {Do: "crash"}, 11: {Do: "liveness"}}
	whole, inSlices := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "slices")
	want := timeless(slice(t, whole, 12, parts))
	slice(t, inSlices, 5, parts)
	slice(t, inSlices, 4, parts)
	got := timeless(slice(t, inSlices, 3, parts))
	for i := range want.Failures {
		a, b := &want.Failures[i].Plan, &got.Failures[i].Plan
		if filepath.Dir(*b) != inSlices {
			t.Errorf("plan %s, want it in %s", *b, inSlices)
		}
		*a, *b = filepath.Base(*a), filepath.Base(*b)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("slices:\n%+v\nwhole:\n%+v", got, want)
	}
}

func TestASliceFillsTheGapsThatAnEarlierOneLeft(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFolder(dir, someWhat)
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range []uint64{1, 2, 5} {
		if err := f.keep(Record{Seed: seed, Crash: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s := slice(t, dir, 3, nil)
	if s.Seeds != 6 || s.Broken != 3 || *s.DetectP99 != 60 || *s.DetectP50 != 40 {
		t.Errorf("%+v, want seeds 3, 4 and 6 beside 1, 2 and 5", s)
	}
}

func TestALineCutOffInTheMiddleIsPlayedAgain(t *testing.T) {
	dir := t.TempDir()
	whole := slice(t, dir, 4, nil)
	path := filepath.Join(dir, "slice-000001.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text[:len(text)-10], 0o600); err != nil {
		t.Fatal(err)
	}
	s := slice(t, dir, 1, nil)
	if s.Seeds != 4 || *s.Trace != *whole.Trace {
		t.Errorf("%+v", s)
	}
}

func TestAFolderOfSomethingElseIsRefused(t *testing.T) {
	dir := t.TempDir()
	slice(t, dir, 1, nil)
	for _, c := range []struct {
		what What
		say  string
	}{
		{What{Scenario: "other", Plan: "0123", Build: "1.2.3"}, "the scenario of the results there is play, and now it is other"},
		{What{Scenario: "play", Plan: "0123", Build: "1.2.4"}, "the version of the program of the results there is 1.2.3, and now it is 1.2.4"},
		{What{Scenario: "play", Plan: "4567", Build: "1.2.3"}, "the plan of seed 1"},
	} {
		if _, err := OpenFolder(dir, c.what); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%v, want %q", err, c.say)
		}
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFolder(full, someWhat); err == nil || !strings.Contains(err.Error(), "not empty, and no campaign's") {
		t.Error(err)
	}
	if _, err := OpenFolder(filepath.Join(full, "letter.txt"), someWhat); err == nil {
		t.Error("a file is no folder")
	}
}

func TestTwoCampaignsDoNotShareAFolder(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFolder(dir, someWhat)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := OpenFolder(dir, someWhat); err == nil || !strings.Contains(err.Error(), "another campaign is writing") {
		t.Error(err)
	}
}

func TestASpoiltSliceIsNamedWithItsLine(t *testing.T) {
	dir := t.TempDir()
	slice(t, dir, 2, nil)
	path := filepath.Join(dir, "slice-000001.jsonl")
	text, _ := os.ReadFile(path)
	if err := os.WriteFile(path, append(text, "{seed\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFolder(dir, someWhat); err == nil || !strings.Contains(err.Error(), "slice-000001.jsonl:3") {
		t.Error(err)
	}
}

func TestAFullDiskEndsTheSliceAndKeepsWhatWasWritten(t *testing.T) {
	dir := t.TempDir()
	slice(t, dir, 2, nil)
	f, err := OpenFolder(dir, someWhat)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.slice, err = os.OpenFile("/dev/full", os.O_WRONLY, 0); err != nil {
		t.Skip(err)
	}
	cfg := play(t, 50, nil)
	cfg.Folder = f
	s, err := Run(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "no space left on device") || s.Seeds >= 50 {
		t.Fatalf("%v after %d seeds", err, s.Seeds)
	}
}

func TestANewFileReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.plan.json")
	for i, want := range []string{"a.plan.json", "a-2.plan.json", "a.plan.json"} {
		data := []byte{byte('a' + i%2)}
		if got, err := WriteOnce(filepath.Join(dir, "a"), ".plan.json", data); err != nil || filepath.Base(got) != want {
			t.Errorf("%s %v, want %s", got, err, want)
		}
	}
	if err := WriteNew(path, nil); err == nil || !strings.Contains(err.Error(), "file exists") && !strings.Contains(err.Error(), "already exists") {
		t.Error(err)
	}
	if err := WriteNew(filepath.Join(path, "b"), nil); err == nil {
		t.Error("a file in a file")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("%v", entries)
	}
}
