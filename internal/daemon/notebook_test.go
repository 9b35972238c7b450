package daemon

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestADiskThatHangsKeepsNobodyFromBeingTold: it is waited for once, and has the newest
// state when it is back.
func TestADiskThatHangsKeepsNobodyFromBeingTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var written []string
		hangs := make(chan struct{})
		n := newNotebook(func(b []byte) error {
			if string(b) != "first" {
				<-hangs
			}
			written = append(written, string(b))
			return nil
		})
		keep := func(what string, wantErr error, most time.Duration) {
			t.Helper()
			began := time.Now()
			if err := n.keep([]byte(what)); !errors.Is(err, wantErr) {
				t.Errorf("%s: %v, want %v", what, err, wantErr)
			}
			if took := time.Since(began); took > most {
				t.Errorf("%s: people waited %v for it, want at most %v", what, took, most)
			}
		}
		keep("first", nil, 0)
		keep("second", errKeepsSlowly, keepPatience)
		for range 100 {
			keep("third", nil, 0)
			n.again()
			time.Sleep(time.Second)
		}
		close(hangs)
		synctest.Wait()
		n.again()
		synctest.Wait()
		if want := []string{"first", "second", "third"}; !slices.Equal(written, want) {
			t.Errorf("written %q, want %q", written, want)
		}
		keep("fourth", nil, 0)
		n.stop()
		if len(written) != 4 {
			t.Errorf("after the disk is back %q were written", written)
		}
	})
}

// TestWhatIsNewestIsKeptAtTheEnd, if the disk answers within a moment: else people are told
// once more after the next start of what is over.
func TestWhatIsNewestIsKeptAtTheEnd(t *testing.T) {
	for name, answers := range map[string]time.Duration{"in time": 3 * keepPatience / 2, "too late": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var written []string
				n := newNotebook(func(b []byte) error {
					if string(b) == "first" {
						time.Sleep(answers)
					}
					written = append(written, string(b))
					return nil
				})
				if err := n.keep([]byte("first")); !errors.Is(err, errKeepsSlowly) {
					t.Fatal(err)
				}
				if err := n.keep([]byte("second")); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				n.stop()
				if took := time.Since(began); took > keepPatience {
					t.Errorf("its end took %v", took)
				}
				time.Sleep(2 * answers)
				synctest.Wait()
				if last := written[len(written)-1]; name == "in time" && last != "second" {
					t.Errorf("%q were written", written)
				}
			})
		})
	}
}

func TestADiskThatRefusesIsToldOf(t *testing.T) {
	full := errors.New("no space left on device")
	n := newNotebook(func([]byte) error { return full })
	defer n.stop()
	if err := n.keep([]byte("x")); !errors.Is(err, full) {
		t.Errorf("%v, want %v", err, full)
	}
}
