package status

import "moonwatch/member"

// KeyRotation says how a rotation of the gossip key ended.
type KeyRotation struct {
	Schema  int         `json:"schema"`
	Members []member.ID `json:"members"`           // that have the new key alone
	Without []member.ID `json:"without,omitempty"` // members that were not there: they need it by hand
}
