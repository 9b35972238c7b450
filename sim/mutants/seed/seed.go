// Package seed holds the words that the hunt and its worker share.
package seed

// Played is how one seed of a story ended: a worker's line.
type Played struct {
	Seed    uint64 `json:"seed"`
	Promise string `json:"promise,omitempty"` // the broken one's name, empty for none
	Words   string `json:"words,omitempty"`   // the checker's
}
