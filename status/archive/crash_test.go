package archive

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"moonwatch/status"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// batch is one that tells its number in each of its records. Its clock goes on by a
// millisecond, so that the last hour still shows all of them after as many thousands
// of batches as a disk that does not wait can take.
func batch(n int) status.Records {
	r := status.Records{"cursor": fmt.Appendf(nil, `{"schema":1,"head":%d,"begun":"2026-05-04T12:00:00Z","at":%q,"mode":"normal","slots":{}}`,
		n, noon.Add(time.Duration(n)*time.Millisecond).Format(time.RFC3339Nano))}
	for i := range 40 { // more than a page
		begin := noon.Add(time.Duration(i-50) * time.Minute)
		r["minute/"+begin.Format("2006-01-02T15:04Z")] = fmt.Appendf(nil, `{"known":%d}`, n)
	}
	return r
}

// trailOf is a trail that knows since when the batch's cursor is.
func trailOf(n int) status.Records {
	at := noon.Add(time.Duration(n) * time.Millisecond).Format(time.RFC3339Nano)
	return status.Records{"head": fmt.Appendf(nil, `{"schema":1,"since":%q,"noted":%q}`, at, at)}
}

// TestKillingTheAgentWhileItWritesLeavesWholeBatches kills a real process with SIGKILL,
// again and again, and reads what it left.
func TestKillingTheAgentWhileItWritesLeavesWholeBatches(t *testing.T) {
	const variable = "MOONWATCH_TEST_ARCHIVE"
	if dir := os.Getenv(variable); dir != "" {
		writeForEver(t, dir)
	}
	dir := t.TempDir()
	last := 0
	for life := range 6 {
		writer := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		writer.Env = append(os.Environ(), variable+"="+dir)
		out, err := writer.StdoutPipe()
		no(t, err)
		no(t, writer.Start())
		acknowledged, said, looked := 0, 0, 0
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Errorf("the writer said %q", lines.Text())
				break
			}
			if said++; said == 5 {
				time.AfterFunc(time.Duration(5*life)*time.Millisecond, func() { _ = writer.Process.Kill() })
			}
			acknowledged = n
		}
		_ = writer.Wait()
		a, known, aside := open(t, dir)
		if aside != nil {
			t.Fatalf("life %d: %v", life, aside)
		}
		found := int(known.AsOf().Sub(noon) / time.Millisecond)
		if found < acknowledged || acknowledged <= last {
			t.Fatalf("life %d: acknowledged %d, found %d, last %d", life, acknowledged, found, last)
		}
		if trail, err := a.Trail(); err != nil || !trail.Since().Equal(known.AsOf()) {
			t.Fatalf("life %d: a trail of %v beside the history of %v, %v", life, trail.Since(), known.AsOf(), err)
		}
		for _, c := range known.Past("demo", noon, noon, status.Minute, 60).Cells[:49] {
			if c.Begin.Before(noon.Add(-50*time.Minute)) || c.Begin.After(noon.Add(-11*time.Minute)) {
				continue
			}
			if looked++; int(c.Known) != found {
				t.Fatalf("life %d: a record of batch %d beside the cursor of batch %d", life, c.Known, found)
			}
		}
		if looked != 40 {
			t.Fatalf("life %d: %d records", life, looked)
		}
		no(t, a.Close())
		last = found
	}
}

// writeForEver writes batch after batch, and says so.
func writeForEver(t *testing.T, dir string) {
	a, known, _ := open(t, dir)
	n := 0
	if !known.AsOf().IsZero() {
		n = int(known.AsOf().Sub(noon) / time.Millisecond)
	}
	for {
		n++
		no(t, a.Write(batch(n), trailOf(n)))
		fmt.Println(n)
	}
}
