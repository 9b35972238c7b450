package main

import (
	"github.com/spf13/cobra"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/internal/client"
	"moonwatch/status"
)

func (a *app) membersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "members",
		Short: "List the members: state, duty and verdict; retire and forget them",
		Long: `List the members of the roster, those in trouble first, and who is not in it: agents
that gossip knows and fleet.yaml does not, and retired members.`,
		Example: `  moonwatch members
  moonwatch members -o wide --agent 10.0.0.1:7980
  moonwatch members retire web-3`,
		Args: listed,
	}
	r := a.reading(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return r.show(c.Context(), client.MembersDocument, printMembers)
	}
	c.AddCommand(a.retireCommand(), a.forgetCommand())
	return c
}

func printMembers(p *printer, page status.Page) {
	table(p, noRoster, page.Members, memberColumns(page))
	printUnlisted(p, page)
}

const noRoster = "There is no roster yet: 'moonwatch apply fleet.yaml' brings it."

func memberColumns(page status.Page) []column[status.Member] {
	return []column[status.Member]{
		{title: "MEMBER", of: func(m status.Member) cell { return word(m.ID) }},
		{title: "STATE", of: stateOf},
		{title: "DUTY", of: func(m status.Member) cell { return word(m.Duty) }},
		{title: "SLOT", of: func(m status.Member) cell { return word(m.Slot) }},
		{title: "POOL", of: func(m status.Member) cell { return word(m.Pool) }},
		{title: "FAILURE DOMAIN", of: func(m status.Member) cell { return word(m.Domain) }},
		{title: "COUNCIL", of: seatOf},
		{title: "VERDICT", of: func(m status.Member) cell { return word(m.VerdictID) }},
		{title: "SINCE", of: func(m status.Member) cell { return since(page.Now, m.Since) }},
		{title: "CASE", of: func(m status.Member) cell { return word(m.Case) }},
		{title: "ADDRESS", wide: true, of: func(m status.Member) cell { return word(m.Addr) }},
		{title: "OBSERVERS", wide: true, of: func(m status.Member) cell { return text("%d", len(m.Observers)) }},
		{title: "FALLS", wide: true, of: func(m status.Member) cell { return count(m.Falls) }},
		{title: "STRIKES", wide: true, of: func(m status.Member) cell { return count(m.Strikes) }},
		{title: "CERTIFICATE", wide: true, of: func(m status.Member) cell {
			if m.Cert == nil && m.Expelled == "" {
				return cell{}
			}
			return certCell(m.Cert, m.Expelled, page.Now)
		}},
		{title: "TO STOP", wide: true, of: func(m status.Member) cell { return word(join(m.Leftover)) }},
	}
}

func printUnlisted(p *printer, page status.Page) {
	if len(page.Unlisted) == 0 {
		return
	}
	p.line("")
	table(p, "", page.Unlisted, []column[status.Unlisted]{
		{title: "UNLISTED", of: func(u status.Unlisted) cell { return cell{string(u.ID), warn} }},
		{title: "ADDRESS", of: func(u status.Unlisted) cell { return word(u.Addr) }},
		{title: "WHY", of: func(u status.Unlisted) cell {
			return text("%s", whyUnlisted(u))
		}},
	})
}

// whyUnlisted says what makes an agent nobody's, and what ends that.
func whyUnlisted(u status.Unlisted) string {
	switch {
	case u.Retired && u.Addr == "":
		return "retired, and its agent is gone: 'moonwatch members forget " + string(u.ID) + "'"
	case u.Retired:
		return "retired: it watches nobody and votes nowhere; stop its agent"
	default:
		return "not in fleet.yaml: it watches nobody and votes nowhere; apply a fleet with it, or stop its agent"
	}
}

// stateOf puts a member's condition into one word: the verdict that stands, or
// how close it is to one.
func stateOf(m status.Member) cell {
	switch {
	case m.Verdict == consensus.VerdictPartial, m.Verdict == consensus.VerdictAgentLost:
		return cell{string(m.Verdict), warn}
	case m.Verdict != "":
		return cell{string(m.Verdict), bad}
	case m.Expelled != "":
		return cell{"expelled", bad}
	case m.Accused:
		return cell{"suspect", warn}
	case !m.InView:
		return cell{"out of view", warn}
	default:
		return cell{"alive", good}
	}
}

func seatOf(m status.Member) cell {
	switch {
	case m.Leader:
		return text("leader")
	case m.Councillor:
		return text("councillor")
	default:
		return cell{}
	}
}

func (a *app) slotsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "slots",
		Short:   "List the slots and who holds them",
		Example: "  moonwatch slots\n  moonwatch slots -o json | jq '.slots[] | select(.state != \"serving\")'",
		Args:    listed,
	}
	r := a.reading(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return r.show(c.Context(), client.SlotsDocument, printSlots)
	}
	return c
}

func printSlots(p *printer, page status.Page) {
	table(p, "There are no slots: fleet.yaml declares them.", page.Slots, []column[status.Slot]{
		{title: "SLOT", of: func(s status.Slot) cell { return word(s.ID) }},
		{title: "POOL", of: func(s status.Slot) cell { return word(s.Pool) }},
		{title: "STATE", of: slotState},
		{title: "OCCUPANT", of: func(s status.Slot) cell { return word(s.Occupant) }},
		{title: "SLOT EPOCH", of: func(s status.Slot) cell { return text("%d", s.Epoch) }},
		{title: "SINCE", of: func(s status.Slot) cell { return since(page.Now, s.Since) }},
		{title: "CASE", of: func(s status.Slot) cell { return word(s.Case) }},
	})
	if p.wide && len(page.Pools) > 0 {
		p.line("")
		printPools(p, page)
	}
}

func slotState(s status.Slot) cell {
	switch s.State {
	case status.SlotServing:
		return cell{string(s.State), good}
	case status.SlotDrained:
		return cell{string(s.State), warn}
	default:
		return cell{string(s.State), bad}
	}
}

func printPools(p *printer, page status.Page) {
	table(p, "There are no pools: fleet.yaml declares them.", page.Pools, poolColumns())
}

func poolColumns() []column[status.Pool] {
	return []column[status.Pool]{
		{title: "POOL", of: func(x status.Pool) cell { return word(x.Name) }},
		{title: "ARMED", of: func(x status.Pool) cell {
			if x.Armed {
				return text("yes")
			}
			return cell{"no", warn}
		}},
		{title: "SERVING", of: func(x status.Pool) cell {
			if x.Serving < x.Slots {
				return cell{text("%d of %d", x.Serving, x.Slots).text, bad}
			}
			return text("%d of %d", x.Serving, x.Slots)
		}},
		{title: "SPARES", of: func(x status.Pool) cell {
			if x.Short() {
				return cell{text("%d (floor %d)", x.Free, x.Floor).text, warn}
			}
			return text("%d", x.Free)
		}},
		{title: "CLAIMED", wide: true, of: func(x status.Pool) cell { return count(x.Claimed) }},
		{title: "CONDEMNED", wide: true, of: func(x status.Pool) cell { return count(x.Condemned) }},
		{title: "QUARANTINED", wide: true, of: func(x status.Pool) cell { return count(x.Quarantined) }},
		{title: "BURN-IN", wide: true, of: func(x status.Pool) cell { return count(x.BurnIn) }},
	}
}

// modeTone colours a mode.
func modeTone(m failover.Mode) tone {
	switch m {
	case failover.Normal:
		return good
	case failover.Guarded:
		return warn
	default:
		return bad
	}
}
