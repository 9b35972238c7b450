package disk_test

import (
	"fmt"
	"os"
	"path/filepath"

	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/member"
)

// An agent finds after a restart what it had kept.
func ExampleOpen() {
	folder, err := os.MkdirTemp("", "moonwatch")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	cfg := disk.Config{Dir: filepath.Join(folder, "data"), Cluster: "night", Member: "web-3"}
	for range 2 {
		store, err := disk.Open(cfg)
		if err != nil {
			panic(err)
		}
		boot, err := store.Load()
		if err != nil {
			panic(err)
		}
		if boot.Fresh {
			genesis, err := consensus.NewLedger().Found(consensus.Genesis{Cluster: "night", Council: []member.ID{"web-3"}})
			if err != nil {
				panic(err)
			}
			fmt.Println("a new ledger:", store.Keep([]consensus.Fact{genesis}))
		} else {
			fmt.Println("the ledger goes on after fact", boot.Facts[0].Index)
		}
		if err := store.Close(); err != nil {
			panic(err)
		}
	}
	// Output:
	// a new ledger: <nil>
	// the ledger goes on after fact 1
}
