package web

import (
	"time"

	"moonwatch/failover"
)

// banner is the mode as each page has it above its content: what is shown of the past, of
// one case or of a runbook is read by somebody who has to know how much is allowed now. Two
// banners are == if they say the same.
type banner struct {
	Name      failover.Mode
	Since     time.Time
	Why, Ends string
}

// banner is the mode of this view; nil: nothing is known yet.
func (v *view) banner() *banner {
	if v == nil || v.page.Mode.Name == "" {
		return nil
	}
	m := v.page.Mode
	return &banner{m.Name, m.Since.UTC().Round(0), m.Why, m.Ends}
}

// said is what the banner says, as a part of a kept page's name: another mode is another page.
func (b *banner) said() string {
	if b == nil {
		return ""
	}
	return string(b.Name) + " " + b.Since.Format(time.RFC3339Nano) + " " + b.Why + " " + b.Ends
}
