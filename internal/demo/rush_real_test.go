//go:build real

package demo

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
)

// Two members are lost at once while 500 requests a second come through the
// gateway, besides the launcher's own 200. The promise is two failed ones of 200
// a second for each crash, so seven times that for two crashes at 700.
func TestTwoLostMembersCostFewOfManyRequests(t *testing.T) {
	ownTemp(t)
	c := openBroken(t, false)
	defer c.close(t)
	_, door := c.l.console.addresses()
	rush := startLoad(context.Background(), "http://"+door.String()+"/", 500, loadTimeout, c.l.heardAnswer)
	ended := false
	defer func() {
		if !ended {
			rush.end()
		}
	}()
	ids, err := pick(FaultTwo, c.l.present(), rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	must(t, err)
	victims, err := c.l.holdings(ids)
	must(t, err)
	_, err = c.l.strike(FaultTwo, victims)
	must(t, err)
	for range victims {
		c.await(t, "the cutover of each slot", 20*time.Second, func(f consensus.Fact) bool { return reaches(f, failover.Cutover) })
	}
	time.Sleep(time.Second) // what goes wrong at the cutover is a failure, too
	ended = true
	many, few := rush.end(), c.l.load.tally()
	t.Logf("%v lost: %d of %d requests failed, %d of %d of the launcher's", ids, len(many.Failed), many.Requests, len(few.Failed), few.Requests)
	if failed := len(many.Failed) + len(few.Failed); failed > 14 {
		t.Errorf("%d requests failed, want 14 at most; the last one: %v", failed, append(few.Failed, many.Failed...)[failed-1].err)
	}
}
