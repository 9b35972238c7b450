package sim

import "slices"

// FaultKind is what a Fault does.
type FaultKind string

// The faults of a machine, its agent and its services.
const (
	Crash       FaultKind = "crash"
	Wipe        FaultKind = "wipe"
	KillAgent   FaultKind = "kill-agent"
	KillService FaultKind = "kill-service"
	Sicken      FaultKind = "sicken"
	Pause       FaultKind = "pause"
	Freeze      FaultKind = "freeze"
	Slow        FaultKind = "slow"
)

// The faults of a disk.
const (
	StallDisk FaultKind = "stall-disk"
	SlowDisk  FaultKind = "slow-disk"
	FullDisk  FaultKind = "full-disk"
	TornTail  FaultKind = "torn-tail"
	LostTail  FaultKind = "lost-tail"
	BitFlip   FaultKind = "bit-flip"
)

// The faults of links.
const (
	Lossy     FaultKind = "lossy"
	LossyIn   FaultKind = "lossy-in"
	LossyOut  FaultKind = "lossy-out"
	Weather   FaultKind = "weather"
	Burst     FaultKind = "burst"
	Duplicate FaultKind = "duplicate"
	Reorder   FaultKind = "reorder"
	Delay     FaultKind = "delay"
	Isolate   FaultKind = "isolate"
	Deafen    FaultKind = "deafen"
	Mute      FaultKind = "mute"
	Cut       FaultKind = "cut"
	CutOneWay FaultKind = "cut-one-way"
	Swizzle   FaultKind = "swizzle"
	Flap      FaultKind = "flap"
)

// The faults of clocks.
const (
	ClockJump  FaultKind = "clock-jump"
	ClockDrift FaultKind = "clock-drift"
)

// The faults of drivers: what becomes of an action.
const (
	HangActions    FaultKind = "hang-actions"
	FailActions    FaultKind = "fail-actions"
	LyingActions   FaultKind = "lying-actions"
	UnknownActions FaultKind = "unknown-actions"
)

// The faults of honesty and of load.
const (
	Lie    FaultKind = "lie"
	Defame FaultKind = "defame"
	Forge  FaultKind = "forge"
	Flood  FaultKind = "flood"
)

// Field names a field of Fault, as its JSON does.
type Field string

// The fields that a kind may need or take. At and Do belong to every fault;
// For to those that can end.
const (
	FieldWhom  Field = "whom"
	FieldOther Field = "other"
	FieldShare Field = "share"
	FieldDelay Field = "delay"
	FieldEvery Field = "every"
	FieldServe Field = "serve"
	FieldHost  Field = "host"

	FieldChange Field = "change"
)

// KindRule says what a fault of one kind is made of. A field that a kind
// neither needs nor takes has to be empty.
type KindRule struct {
	Kind  FaultKind
	What  string // one line for people
	Needs []Field
	Takes []Field // may be set
	Ends  bool    // For may be set: it is over after that. Else it is over at once, or nothing mends it
	Share Range   // of Share, where it is needed or taken; what it is a share of stands in What
}

// Range bounds a number, both ends included.
type Range struct{ Min, Max float64 }

var (
	aShare  = Range{0.001, 1}  // of datagrams, of time, of actions
	aFactor = Range{1, 1000}   // how many times as much
	aRate   = Range{-0.1, 0.1} // of a clock's rate; the protocol stands 1 %
)

func fields(f ...Field) []Field { return f }

// kinds is in the order in which people are shown it.
var kinds = []KindRule{
	{Crash, "the machine's power: agent and services are gone at once; serve: its init starts the services again at boot", fields(FieldWhom), fields(FieldServe), true, Range{}},
	{Wipe, "a crash after which the machine comes back with an empty disk", fields(FieldWhom), nil, true, Range{}},
	{KillAgent, "the agent alone is killed; the services live on", fields(FieldWhom), nil, true, Range{}},
	{KillService, "the services alone are killed; the agent lives on, and nothing but Moonwatch starts them again", fields(FieldWhom), nil, false, Range{}},
	{Sicken, "the services run and fail their checks", fields(FieldWhom), nil, true, Range{}},
	{Pause, "the whole machine stands still, as in a live migration", fields(FieldWhom), nil, true, Range{}},
	{Freeze, "the agent alone stands still", fields(FieldWhom), nil, true, Range{}},
	{Slow, "the machine is slow: what it receives and its timers come delay later (100 ms), its disk and its actions take share times as long", fields(FieldWhom), fields(FieldDelay, FieldShare), true, aFactor},

	{StallDisk, "no write ends", fields(FieldWhom), nil, true, Range{}},
	{SlowDisk, "a write takes delay longer and share times as long (10 times if neither is given)", fields(FieldWhom), fields(FieldDelay, FieldShare), true, aFactor},
	{FullDisk, "writes fail", fields(FieldWhom), nil, true, Range{}},
	{TornTail, "a crash in the middle of a write: nothing of that write is found, for the store has whole transactions or none; what was synced stays", fields(FieldWhom), fields(FieldServe), true, Range{}},
	{LostTail, "the same by another name: what is not yet synced is lost, which a crash leaves to chance", fields(FieldWhom), fields(FieldServe), true, Range{}},
	{BitFlip, "a bit of a stored record flips and the agent restarts: it refuses to start and names the file, until people move that file away at the end", fields(FieldWhom), nil, true, Range{}},

	{Lossy, "a share of the datagrams on these members' links is lost, each way", fields(FieldWhom, FieldShare), fields(FieldOther), true, aShare},
	{LossyIn, "a share of the datagrams to these members is lost; what they send arrives", fields(FieldWhom, FieldShare), fields(FieldOther), true, aShare},
	{LossyOut, "a share of the datagrams of these members is lost; what they are sent arrives", fields(FieldWhom, FieldShare), fields(FieldOther), true, aShare},
	{Weather, "a share of everybody's datagrams is lost, each way", fields(FieldShare), nil, true, aShare},
	{Burst, "these members' links lose everything for a share of the time, each burst as long as every on average (1 s)", fields(FieldWhom, FieldShare), fields(FieldOther, FieldEvery), true, Range{0.001, 0.99}},
	{Duplicate, "a share of the datagrams on these members' links comes twice", fields(FieldWhom, FieldShare), fields(FieldOther), true, aShare},
	{Reorder, "a share of the datagrams on these members' links comes delay later, and so after younger ones", fields(FieldWhom, FieldShare, FieldDelay), fields(FieldOther), true, aShare},
	{Delay, "everything on these members' links takes delay longer, each way", fields(FieldWhom, FieldDelay), fields(FieldOther), true, Range{}},
	{Isolate, "these are cut off from all others, and not from each other", fields(FieldWhom), nil, true, Range{}},
	{Deafen, "nothing reaches these from the others; they are heard", fields(FieldWhom), nil, true, Range{}},
	{Mute, "nothing of these reaches the others; they hear", fields(FieldWhom), nil, true, Range{}},
	{Cut, "the links between whom and other are severed, both ways", fields(FieldWhom), fields(FieldOther), true, Range{}},
	{CutOneWay, "nothing gets from whom to other; the way back is open", fields(FieldWhom), fields(FieldOther), true, Range{}},
	{Swizzle, "the links of these are severed one by one over every (5 s), and healed one by one in another random order", fields(FieldWhom), fields(FieldOther, FieldEvery), true, Range{}},
	{Flap, "the links of these are severed for half of every (10 s) and whole for the other half, again and again", fields(FieldWhom), fields(FieldOther, FieldEvery), true, Range{}},

	{ClockJump, "the wall clock jumps by delay, which may be negative, and back at the end", fields(FieldWhom, FieldDelay), nil, true, Range{}},
	{ClockDrift, "the clock runs share too fast, or too slow if it is negative; it is set right at the end", fields(FieldWhom, FieldShare), nil, true, aRate},

	{HangActions, "a share of the actions (all) never ends by itself: the driver kills it at its deadline", fields(FieldWhom), fields(FieldShare), true, aShare},
	{FailActions, "a share of the actions (all) fails and has no effect", fields(FieldWhom), fields(FieldShare), true, aShare},
	{LyingActions, "a share of the actions (all) is reported done and has no effect", fields(FieldWhom), fields(FieldShare), true, aShare},
	{UnknownActions, "a share of the actions (all) has its effect, and the answer is lost", fields(FieldWhom), fields(FieldShare), true, aShare},

	{LyingFence, "the device that can switch it off says ok, and the power stays on; for pools with power among their fence", fields(FieldWhom), nil, true, Range{}},
	{HangingFence, "the device that can switch it off does not answer", fields(FieldWhom), nil, true, Range{}},
	{FailingFence, "the device that can switch it off refuses", fields(FieldWhom), nil, true, Range{}},

	{Lie, "the agent's statements say down about everybody", fields(FieldWhom), nil, true, Range{}},
	{Defame, "the agent's statements say down about other", fields(FieldWhom, FieldOther), nil, true, Range{}},
	{Forge, "the agent hands in verdicts and reports that are not its to give, and answers the leader in councillors' names; a councillor keeps quiet", fields(FieldWhom), nil, true, Range{}},
	{OrderHold, "people forbid whatever is destructive there: of the fleet, a failure domain or a pool if whom is exactly that, else of each member; mend lifts it", fields(FieldWhom), nil, true, Range{}},
	{OrderFreeze, "people forbid drains as well", fields(FieldWhom), nil, true, Range{}},
	{OrderDisarm, "people forbid all action until they arm again", fields(FieldWhom), nil, true, Range{}},
	{OrderMaintenance, "people work there: nothing destructive, and the brake does not count what falls there", fields(FieldWhom), nil, true, Range{}},
	{OrderDryRun, "people want to know what would be done, and nothing is", fields(FieldWhom), nil, true, Range{}},

	{OrderDrain, "people take the traffic of these occupants away; mend gives it back", fields(FieldWhom), nil, true, Range{}},
	{OrderVacate, "people take the slots of these occupants away from them, drained before, and give them to nobody", fields(FieldWhom), nil, false, Range{}},
	{OrderFill, "people fill the slots that they took away from these members", fields(FieldWhom), nil, false, Range{}},
	{OrderSwitchover, "people move the slots of these occupants to spares", fields(FieldWhom), nil, false, Range{}},
	{OrderRefound, "two operators found a new council from what these have on their disks, with their agents stopped", fields(FieldWhom), nil, false, Range{}},
	{OrderDrill, "people have these spares do a drill; of several the first one does", fields(FieldWhom), nil, false, Range{}},
	{OrderRevoke, "an operator withdraws the certificates of these; mended, they have new ones, with new keys, and their agents start again", fields(FieldWhom), nil, true, Range{}},
	{OrderClear, "people clear the strikes of these members", fields(FieldWhom), nil, false, Range{}},

	{OrderApply, "people apply another fleet: the one that stands with this change, of whom where it is about members", fields(FieldChange), fields(FieldWhom), false, Range{}},

	{OrderOverride, "an operator asks to let the cases of these go on in spite of the brake: of the fleet, a failure domain or a pool if whom is exactly that, else each one, and then in spite of the budget too", fields(FieldWhom), nil, false, Range{}},
	{OrderAlone, "the same, by one operator alone: it takes effect after 15 min unless somebody vetoes it", fields(FieldWhom), nil, false, Range{}},
	{OrderFenced, "an operator says that these are off, which is a fence proof if another one says so too", fields(FieldWhom), nil, false, Range{}},
	{OrderReserve, "an operator asks to let the cases of these have a spare of the reserve", fields(FieldWhom), nil, false, Range{}},
	{OrderFailover, "an operator asks to have the slots of these fail over, which are well by the votes", fields(FieldWhom), nil, false, Range{}},
	{OrderApprove, "another operator approves what was asked for about these", fields(FieldWhom), nil, false, Range{}},
	{OrderApproveOwn, "whoever asked approves it, which is refused", fields(FieldWhom), nil, false, Range{}},
	{OrderReject, "another operator rejects what was asked for about these, or vetoes it", fields(FieldWhom), nil, false, Range{}},

	{Flood, "share times as many requests come for host, which without a shield nobody feels, for occupants bear any load; behind a shield through the doors of whom alone, each so slowly that it keeps its place for delay, and host may be all, *.example.com for names that nobody serves, w*.example.com for four hundred that somebody does, or unfinished for requests whose head never ends", fields(FieldHost, FieldShare), fields(FieldWhom, FieldDelay), true, aFactor},
}

// Kinds are the rules of all kinds of faults, in the order in which people are
// shown them.
func Kinds() []KindRule { return slices.Clone(kinds) }

// RuleOf is the rule of one kind; false if there is no such kind.
func RuleOf(k FaultKind) (KindRule, bool) {
	for _, r := range kinds {
		if r.Kind == k {
			return r, true
		}
	}
	return KindRule{}, false
}

// Has reports whether a fault of this kind may set a field.
func (r KindRule) Has(f Field) bool {
	return slices.Contains(r.Needs, f) || slices.Contains(r.Takes, f)
}
