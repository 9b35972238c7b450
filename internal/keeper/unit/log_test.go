package unit

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// slowReader takes a line in a while, or never.
type slowReader struct {
	strings.Builder
	takes chan struct{} // nil: at once, after a moment
}

func (r *slowReader) Write(line []byte) (int, error) {
	if r.takes != nil {
		<-r.takes
	}
	time.Sleep(10 * time.Millisecond)
	return r.Builder.Write(line)
}

// TestTheLastWordsOfAKeeperAreHeard: they say which slots it leaves, and why it ends. A
// reader that stands still is not waited for.
func TestTheLastWordsOfAKeeperAreHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &slowReader{}
		u := NewUnhurried(r)
		for range 20 {
			_, _ = u.Write([]byte("x"))
		}
		if err := u.Close(); err != nil || r.Len() != 20 {
			t.Errorf("%d of 20 lines were written, %v", r.Len(), err)
		}

		stands := &slowReader{takes: make(chan struct{})}
		u = NewUnhurried(stands)
		_, _ = u.Write([]byte("x"))
		began := time.Now()
		if err := u.Close(); err != nil || time.Since(began) > lastWords {
			t.Errorf("a reader that stands still was waited for: %v, %v", time.Since(began), err)
		}
		close(stands.takes)
		<-u.wrote
	})
}
