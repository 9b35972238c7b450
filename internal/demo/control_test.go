package demo

import (
	"bufio"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"
)

// A launcher that was stopped finds commands whose senders have long been told
// that nothing came of them.
func TestACommandThatNobodyWaitsForIsNotObeyed(t *testing.T) {
	l := newChildless(t)
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.answer(far)
	}()
	must(t, json.NewEncoder(near).Encode(request{Do: DoKill, Member: "vm-1", Until: time.Now().Add(-time.Second)}))
	line, err := bufio.NewReader(near).ReadString('\n')
	must(t, err)
	<-done
	if !strings.Contains(line, "nobody waits for it") {
		t.Errorf("the launcher says %s", line)
	}
}

// newChildless is a launcher without agents: whatever it obeys, it finds no
// member for.
func newChildless(t *testing.T) *launcher {
	t.Helper()
	return &launcher{err: t.Output(), begun: time.Now()}
}
