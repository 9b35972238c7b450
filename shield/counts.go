package shield

// Count is what a door counted of one subdomain in one tick.
type Count struct {
	Key     Key
	Name    string // for people; empty where it is not known
	Asked   uint64 // requests in the tick, those that were refused included
	Cost    uint64 // of the requests that were answered in the tick
	Total   uint32 // requests ever, modulo 2^32: two readings differ exactly
	Refused uint32 // of these
}
