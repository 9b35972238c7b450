package driver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"moonwatch/internal/program"
	"moonwatch/internal/whole"
	"moonwatch/member"
)

// A slot's file is sealed, and holds one line of JSON.
const (
	heading    = "moonwatch steps 1"
	fileEnd    = ".steps"
	runningEnd = ".running" // beside it: the process of the step under way
)

// record is what the journal knows of one slot. A record in use is not changed
// but replaced.
type record struct {
	Slot    member.SlotID    `json:"slot"`
	Highest member.SlotEpoch `json:"highest_slot_epoch"`
	Boot    string           `json:"boot,omitempty"` // the machine's life in which something was last begun here that may run: what builds of before go by
	Begun   *begun           `json:"begun,omitempty"`
	Ended   []ended          `json:"ended,omitempty"` // oldest first, at most remembered
}

// Key tells attempts of one slot apart.
type Key struct {
	Case      string           `json:"case"`
	Step      string           `json:"step"`
	Attempt   int              `json:"attempt"`
	SlotEpoch member.SlotEpoch `json:"slot_epoch"`
}

type begun struct {
	Key
	Boot     string    `json:"boot,omitempty"` // the machine's life in which it was
	Deadline time.Time `json:"deadline"`
	Polled   bool      `json:"polled,omitempty"` // the action said that it goes on
	here     bool      // an Exec of this process waits for it
}

type ended struct {
	Key
	Boot    string  `json:"boot,omitempty"` // the machine's life in which it was begun
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail"`
}

type running struct {
	Key     Key             `json:"key"`
	Process program.Process `json:"process"`
}

func keyOf(req Request) Key {
	return Key{Case: req.Case, Step: req.Step, Attempt: req.Attempt, SlotEpoch: req.SlotEpoch}
}

func (e ended) result() Result {
	return Result{Outcome: e.Outcome, Detail: "remembered: " + e.Detail}
}

func (r *record) clone() *record {
	c := *r
	if r.Begun != nil {
		b := *r.Begun
		c.Begun = &b
	}
	c.Ended = slices.Clone(r.Ended)
	return &c
}

func (r *record) ended(key Key) (ended, bool) {
	for _, e := range r.Ended {
		if e.Key == key {
			return e, true
		}
	}
	return ended{}, false
}

// begin notes the step under way, in the machine's present life.
func (r *record) begin(b begun) {
	for i := range r.Ended {
		if e := &r.Ended[i]; e.Boot == "" {
			e.Boot = r.Boot // of a build that wrote one life for all of them
		}
	}
	if b.Step != stepStop {
		r.Boot = b.Boot
	}
	r.Begun = &b
}

// end closes the step under way and forgets the oldest one, if need be.
func (r *record) end(e ended) {
	if r.Begun != nil {
		e.Boot = r.Begun.Boot
	}
	r.Begun = nil
	r.Ended = append(r.Ended, e)
	if over := len(r.Ended) - remembered; over > 0 {
		r.Ended = slices.Delete(r.Ended, 0, over)
	}
}

func (r *record) encode() ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode steps of slot %s: %w", r.Slot, err)
	}
	return whole.Seal(heading, append(body, '\n')), nil
}

func decode(content []byte) (*record, error) {
	body, err := whole.Unseal(heading, content)
	if err != nil {
		return nil, err
	}
	r := new(record)
	if err := json.Unmarshal(body, r); err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	return r, nil
}

// loadRecords reads a journal's folder and clears away what a crash left half
// written: the file that it was to replace is whole.
func loadRecords(dir string) (map[member.SlotID]*record, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	slots := make(map[member.SlotID]*record)
	var mistakes []error
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		switch {
		case strings.HasSuffix(path, whole.End):
			mistakes = append(mistakes, os.Remove(path))
		case strings.HasSuffix(path, fileEnd):
			r, err := loadRecord(path)
			if err != nil {
				mistakes = append(mistakes, err)
				continue
			}
			slots[r.Slot] = r
		}
	}
	return slots, errors.Join(mistakes...)
}

func loadRecord(path string) (*record, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := decode(content)
	if err == nil && fileName(r.Slot) != filepath.Base(path) {
		err = fmt.Errorf("damaged: holds the steps of slot %s", r.Slot)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; put it back from a copy, or make sure that nothing of the slot runs on this member and move the file away", path, err)
	}
	return r, nil
}

// fileName gives each slot one file, whatever its name holds.
func fileName(slot member.SlotID) string { return url.PathEscape(string(slot)) + fileEnd }

// saveFile replaces a slot's file.
func saveFile(path string, content []byte) error { return whole.Replace(path, content, 0o600) }

func writeRunning(path string, note running) error {
	content, err := json.Marshal(note)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

func readRunning(path string) (running, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return running{}, err
	}
	var note running
	if err := json.Unmarshal(content, &note); err != nil {
		return running{}, err
	}
	return note, nil
}
