package consensus

import (
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// reformed goes on where a reform had stopped.
func (c *Council) reformed(ev Reformed) []CouncilEffect {
	if c.reform == nil {
		return nil
	}
	rd := *c.reform
	c.reform = nil
	if ev.Accepted {
		c.confs = c.node.ApplyConfChange(ev.Reform.change())
		c.Know(ev.Seats)
	}
	return c.ready(c.commit(rd, c.next, nil))
}

// contextOf is the entry that a change of the council carries.
func contextOf(e *raftpb.Entry) []byte {
	var cc raftpb.ConfChangeV2
	if proto.Unmarshal(e.GetData(), &cc) != nil {
		return nil
	}
	return cc.GetContext()
}

// reformMark stands in every command of that kind, and in few others.
var reformMark = []byte(`"kind":"council"`)

// reformOf reads the reform in a command; false if it is another kind's. Only a
// leader puts commands into the log, so a reform never travels as anything else.
func reformOf(command []byte) (Reform, bool) {
	cmd, err := DecodeCommand(command)
	if err != nil || cmd.Kind != KindCouncil {
		return Reform{}, false
	}
	r, err := decode[Reform](Fact{Command: cmd})
	return r, err == nil
}

// Know learns who holds which seat.
func (c *Council) Know(s Seats) {
	c.seats = s
	for _, x := range s.All() {
		c.members[x.ID] = x.Member
	}
}
