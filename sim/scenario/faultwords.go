package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/internal/strict"
	"moonwatch/member"
	"moonwatch/sim"
)

// faultTexts tell each fault to people, and its end; what stands in brackets is
// filled in.
var faultTexts = map[sim.FaultKind][2]string{
	sim.Crash:       {"{whom}: the power is gone", "{whom}: the power is back"},
	sim.Wipe:        {"{whom}: power and disk are gone", "{whom}: the power is back, the disk is empty"},
	sim.KillAgent:   {"{whom}: the agent is killed", "{whom}: the agent is started again"},
	sim.KillService: {"{whom}: the service is killed", ""},
	sim.Sicken:      {"{whom}: the service falls ill", "{whom}: the service would be well again"},
	sim.Pause:       {"{whom}: the machine stands still", "{whom}: the machine goes on"},
	sim.Freeze:      {"{whom}: the agent stands still", "{whom}: the agent goes on"},
	sim.Slow:        {"{whom}: the machine becomes slow{numbers}", "{whom}: the machine is as fast as before"},

	sim.StallDisk: {"{whom}: no write to the disk ends", "{whom}: the disk writes again"},
	sim.SlowDisk:  {"{whom}: the disk becomes slow{numbers}", "{whom}: the disk is as fast as before"},
	sim.FullDisk:  {"{whom}: the disk is full", "{whom}: the disk has room again"},
	sim.TornTail:  {"{whom}: the power is gone in the middle of a write", "{whom}: the power is back"},
	sim.LostTail:  {"{whom}: the power is gone, and what was not synced", "{whom}: the power is back"},
	sim.BitFlip:   {"{whom}: a bit flips on the disk", "{whom}: people have moved the damaged ledger away"},

	sim.Lossy:     {"{whom}: {share} of all datagrams are lost{to}", "{whom}: no more datagrams are lost"},
	sim.LossyIn:   {"{whom}: {share} of what it is sent is lost{to}", "{whom}: no more datagrams are lost"},
	sim.LossyOut:  {"{whom}: {share} of what it sends is lost{to}", "{whom}: no more datagrams are lost"},
	sim.Weather:   {"the network loses {share} of all datagrams", "the network loses no more datagrams"},
	sim.Burst:     {"{whom}: all datagrams are lost in bursts, {share} of the time{to}", "{whom}: no more bursts of loss"},
	sim.Duplicate: {"{whom}: {share} of all datagrams come twice{to}", "{whom}: datagrams come once again"},
	sim.Reorder:   {"{whom}: {share} of all datagrams come {delay} late{to}", "{whom}: datagrams come in order again"},
	sim.Delay:     {"{whom}: everything comes {delay} late{to}", "{whom}: everything comes in time again"},
	sim.Isolate:   {"{whom}: cut off from all others", "{whom}: no longer cut off"},
	sim.Deafen:    {"{whom}: hears nobody, and is heard", "{whom}: hears the others again"},
	sim.Mute:      {"{whom}: heard by nobody, and hears", "{whom}: heard again"},
	sim.Cut:       {"{whom}: cut off from {other}", "{whom}: no longer cut off from {other}"},
	sim.CutOneWay: {"{whom}: nothing gets through to {other}, the way back is open", "{whom}: heard by {other} again"},
	sim.Swizzle:   {"{whom}: the links fail one by one", "{whom}: the links come back one by one"},
	sim.Flap:      {"{whom}: the links come and go, every {every}", "{whom}: the links stay"},

	sim.ClockJump:  {"{whom}: the clock jumps by {delay}", "{whom}: the clock is set right"},
	sim.ClockDrift: {"{whom}: the clock is wrong by {share} of the time", "{whom}: the clock is set right"},

	sim.HangActions:    {"{whom}: actions hang", "{whom}: actions end again"},
	sim.FailActions:    {"{whom}: actions fail", "{whom}: actions work again"},
	sim.LyingActions:   {"{whom}: actions say done and do nothing", "{whom}: actions do what they say"},
	sim.UnknownActions: {"{whom}: actions are done, and their answers are lost", "{whom}: actions answer again"},

	sim.LyingFence:   {"{whom}: its fence device says ok and leaves the power on", "{whom}: its fence device does what it says"},
	sim.HangingFence: {"{whom}: its fence device does not answer", "{whom}: its fence device answers again"},
	sim.FailingFence: {"{whom}: its fence device refuses", "{whom}: its fence device works again"},

	sim.Lie:              {"{whom}: the agent says down about everybody", "{whom}: the agent says the truth again"},
	sim.Defame:           {"{whom}: the agent says down about {other}", "{whom}: the agent says the truth again"},
	sim.Forge:            {"{whom}: the agent hands in what is not its to decide", "{whom}: the agent keeps to its own again"},
	sim.OrderHold:        {"people hold {whom}", "the hold of {whom} ends"},
	sim.OrderFreeze:      {"people freeze {whom}", "the freeze of {whom} ends"},
	sim.OrderDisarm:      {"people disarm {whom}", "{whom}: armed again"},
	sim.OrderMaintenance: {"people begin to work at {whom}", "the work at {whom} is done"},
	sim.OrderDrain:       {"people drain {whom}", "people give {whom} its traffic back"},
	sim.OrderVacate:      {"people vacate the slot of {whom}", ""},
	sim.OrderFill:        {"people fill the slot that {whom} had", ""},
	sim.OrderSwitchover:  {"people move the slot of {whom}", ""},
	sim.OrderRefound:     {"two operators found a new council from the disks of {whom}", ""},
	sim.OrderOverride:    {"alice asks to go on with {whom} in spite of the brake", ""},
	sim.OrderAlone:       {"alice asks alone to go on with {whom} in spite of the brake", ""},
	sim.OrderFenced:      {"alice says that {whom} is off", ""},
	sim.OrderReserve:     {"alice asks for a spare of the reserve for {whom}", ""},
	sim.OrderFailover:    {"alice asks to have the slot of {whom} fail over", ""},
	sim.OrderApprove:     {"bob approves what was asked for about {whom}", ""},
	sim.OrderApproveOwn:  {"alice approves what she asked for about {whom}", ""},
	sim.OrderReject:      {"bob rejects what was asked for about {whom}", ""},
	sim.OrderDrill:       {"people want a drill of {whom}", ""},
	sim.OrderRevoke:      {"people withdraw the certificate of {whom}", "{whom}: a new certificate, and the agent starts again"},
	sim.OrderClear:       {"people have looked at {whom}", ""},
	sim.OrderApply:       {"people apply another fleet: {change}", ""},
	sim.OrderDryRun:      {"people want only to know what would be done with {whom}", "the dry run of {whom} ends"},

	sim.Flood: {"{host}: {times} as many requests come", "{host}: as many requests come as before"},
}

// faultWords is what to say when a fault begins, and when it ends. A kind that
// is not known here is told by its name.
func faultWords(g *ground, f *sim.Fault) (begin, end string) {
	texts, ok := faultTexts[f.Do]
	if !ok {
		texts = [2]string{"{whom}: " + string(f.Do), "{whom}: end of " + string(f.Do)}
	}
	var to, numbers string
	other := "all others"
	if len(f.Other) > 0 {
		other = g.names(f.Other)
		to = " between it and " + other
	}
	if f.Share != 0 {
		numbers += fmt.Sprintf(", %g times", f.Share)
	}
	if f.Delay != 0 {
		numbers += ", by " + strict.Short(f.Delay)
	}
	change := ""
	if f.Change != nil {
		if change = f.Change.String(); len(f.Whom) > 0 {
			change = g.names(f.Whom) + " " + change
		}
	}
	fill := strings.NewReplacer(
		"{whom}", g.names(f.Whom), "{other}", other, "{to}", to, "{share}", fmt.Sprintf("%.3g %%", 100*f.Share), "{times}", fmt.Sprintf("%g times", f.Share),
		"{delay}", strict.Short(f.Delay), "{every}", strict.Short(or(f.Every, 10*time.Second)), "{host}", f.Host, "{numbers}", numbers, "{change}", change,
	)
	return fill.Replace(texts[0]), fill.Replace(texts[1])
}

// or is a number, or another one if it is not set.
func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// names lists members as people would: a whole failure domain by its name, and
// only the first few of many.
func (g *ground) names(ids []member.ID) string {
	const few = 6
	if len(ids) > 1 {
		if len(ids) == len(g.fleet.Members) {
			return "everybody"
		}
		d := g.domain(ids[0])
		if all := g.that(func(m member.Member) bool { return m.Domain == d }); len(all) == len(ids) && !slices.ContainsFunc(ids, func(id member.ID) bool { return g.domain(id) != d }) {
			return fmt.Sprintf("failure domain %s", d)
		}
	}
	if len(ids) > few {
		var first []string
		for _, id := range ids[:few-1] {
			first = append(first, string(id))
		}
		return fmt.Sprintf("%s and %d more", strings.Join(first, ", "), len(ids)-few+1)
	}
	return strict.Words(ids, "and")
}

func (g *ground) domain(id member.ID) member.FailureDomain {
	for _, m := range g.fleet.Members {
		if m.ID == id {
			return m.Domain
		}
	}
	return ""
}

// tenths prints a duration in seconds, rounded to 100 ms.
func tenths(d time.Duration) string {
	return fmt.Sprintf("%.1f s", d.Round(100*time.Millisecond).Seconds())
}
