package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"moonwatch/internal/program"
	"moonwatch/status"
)

// ActionConfig says which installed program gets messages.
type ActionConfig struct {
	Folder program.Folder
	Run    string // the program's plain name in it
}

// Action runs an installed program for each message. It gets the message as JSON on
// its standard input, and what a script needs most as MOONWATCH_ variables. Exit status
// 0 says that people are told; after any other the message comes again.
type Action struct{ config ActionConfig }

// actionFor bounds a run that nobody else bounds.
const actionFor = 10 * time.Second

// NewAction makes the receiver of a config. Whether the program is there, and may be
// run, is looked at each time.
func NewAction(c ActionConfig) *Action { return &Action{c} }

// Send runs the program. It is killed, with its process group, when ctx ends.
func (a *Action) Send(ctx context.Context, m status.Message) error {
	path, err := a.config.Folder.Find(a.config.Run)
	if err != nil {
		return err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("message %s: %w", m.ID, err)
	}
	deadline, bounded := ctx.Deadline()
	if !bounded {
		deadline = time.Now().Add(actionFor)
	}
	end := program.Command{
		Argv: []string{path}, Input: append(body, '\n'), Deadline: deadline,
		Env: append(program.Environment(),
			"MOONWATCH_MESSAGE="+m.ID, "MOONWATCH_SAYS="+string(m.Says), "MOONWATCH_CLUSTER="+m.Cluster,
			"MOONWATCH_MATTER="+m.Notice.ID, "MOONWATCH_SEVERITY="+string(m.Notice.Severity),
			"MOONWATCH_RUNBOOK="+m.Page(), "MOONWATCH_TITLE="+m.Title(), "MOONWATCH_TEXT="+m.Text()),
	}.Run(ctx, nil)
	switch {
	case end.Ending != program.Exited:
		return fmt.Errorf("action %s: %w", a.config.Run, cause(end.Err))
	case end.Code != program.ExitDone:
		return fmt.Errorf("action %s: exit %d%s", a.config.Run, end.Code, complaint(end.Complaint))
	}
	return nil
}

func cause(err error) error {
	if err == nil {
		return errors.New("it is not known how it ended")
	}
	return err
}

// complaint is what a program said last on its standard error.
func complaint(b []byte) string {
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(b), "?")), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return ": " + last
	}
	return ""
}
