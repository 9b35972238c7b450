package fenceagent

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"moonwatch/internal/program"
)

// The exit codes of a status that mean something (fencing.py of fence-agents).
const (
	exitOn  = 0
	exitOff = 2
)

// power is what a status says.
type power uint8

const (
	unclear power = iota // no answer that could be trusted, either way
	on
	off
)

// statusLine is what the agents print beside the exit code. Exit code 2 alone is no
// proof: interpreters end with it too when they do not find their script.
var statusLine = regexp.MustCompile(`(?mi)^\s*Status:\s*(\S+)\s*$`)

// run runs the agent for one action.
func (d Device) run(ctx context.Context, folder program.Folder, action string, deadline time.Time) (program.End, error) {
	path, err := folder.Find(d.Agent)
	if err != nil {
		return program.End{}, err
	}
	input, secrets, err := d.input(action)
	if err != nil {
		return program.End{}, fmt.Errorf("%s: %w", d.Agent, err)
	}
	end := program.Command{Argv: []string{path}, Input: input, Env: program.Environment(), Deadline: deadline}.Run(ctx, nil)
	for _, s := range secrets {
		end.Complaint = []byte(strings.ReplaceAll(string(end.Complaint), s, "***"))
		end.Output = []byte(strings.ReplaceAll(string(end.Output), s, "***"))
	}
	return end, nil
}

// status asks once. Both the exit code and the words have to say the same.
func (d Device) status(ctx context.Context, folder program.Folder, deadline time.Time) (power, string) {
	end, err := d.run(ctx, folder, "status", deadline)
	if err != nil {
		return unclear, err.Error()
	}
	if end.Ending != program.Exited {
		return unclear, fmt.Sprintf("status: %s", end.Summary())
	}
	said := ""
	for _, m := range statusLine.FindAllStringSubmatch(string(end.Output), -1) {
		word := strings.ToUpper(m[1])
		if said != "" && said != word {
			return unclear, fmt.Sprintf("status: says %s and %s", said, word)
		}
		said = word
	}
	switch {
	case end.Code == exitOn && said == "ON":
		return on, "on"
	case end.Code == exitOff && said == "OFF":
		return off, "off"
	case said == "":
		return unclear, fmt.Sprintf("status: %s, and no line \"Status: ON\" or \"Status: OFF\"", end.Summary())
	default:
		return unclear, fmt.Sprintf("status: says %s, and ends with %s", said, end.Summary())
	}
}

// Check asks whether a device could fence, and changes nothing: the agent is
// installed, knows the actions that a fence needs, reaches its device and tells a
// status.
func (d Device) Check(ctx context.Context, folder program.Folder) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(askPatience)
	}
	actions, err := d.actions(ctx, folder, deadline)
	if err != nil {
		return fmt.Errorf("check %s: %w", d.Agent, err)
	}
	for _, want := range []string{"off", "status", "monitor"} {
		if !actions[want] {
			return fmt.Errorf("check %s: its metadata names no action %q", d.Agent, want)
		}
	}
	end, err := d.run(ctx, folder, "monitor", deadline)
	if err == nil && (end.Ending != program.Exited || end.Code != 0) {
		err = errors.New("monitor: " + end.Summary())
	}
	if err != nil {
		return fmt.Errorf("check %s: %w", d.Agent, err)
	}
	if p, why := d.status(ctx, folder, deadline); p == unclear {
		return fmt.Errorf("check %s: %s", d.Agent, why)
	}
	return nil
}

// askPatience bounds one question to a device: management controllers answer in
// one to five seconds.
const askPatience = 20 * time.Second
