package admit

import (
	"testing"
	"time"
)

func TestRefusedClientsDoNotComeBackAllAtOnce(t *testing.T) {
	seen := map[int]bool{}
	for range 200 {
		seen[comeBack(time.Unix(1000, 0), Fraction)] = true
	}
	if len(seen) < 5 {
		t.Errorf("only %d different waits", len(seen))
	}
}
