package audit

import "moonwatch/member"

// Heads is what one member remembers, as an agent answers.
type Heads struct {
	Member  member.ID `json:"member"`
	Heads   []Head    `json:"heads"`
	Unheard string    `json:"unheard,omitempty"` // why it did not answer
}

// Page is a part of an agent's ledger.
type Page struct {
	Schema  int       `json:"schema"`
	Cluster string    `json:"cluster"`
	Member  member.ID `json:"member"`
	First   uint64    `json:"first"` // the oldest fact that it keeps
	Head    uint64    `json:"head"`
	Links   []Link    `json:"links"`
}
