package fenceagent

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"time"

	"moonwatch/internal/program"
)

// metadata is what an agent tells about itself, as far as a fence wants to know.
type metadata struct {
	XMLName xml.Name `xml:"resource-agent"`
	Actions []struct {
		Name string `xml:"name,attr"`
	} `xml:"actions>action"`
}

// actions asks which actions the agent has. It needs no device for that, so no
// option is told.
func (d Device) actions(ctx context.Context, folder program.Folder, deadline time.Time) (map[string]bool, error) {
	end, err := Device{Agent: d.Agent}.run(ctx, folder, "metadata", deadline)
	if err != nil {
		return nil, err
	}
	if end.Ending != program.Exited || end.Code != 0 {
		return nil, errors.New("metadata: " + end.Summary())
	}
	var m metadata
	if err := xml.Unmarshal(end.Output, &m); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	all := map[string]bool{}
	for _, a := range m.Actions {
		all[a.Name] = true
	}
	return all, nil
}
