package gossip

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestTheEnginesNoiseIsRoutine(t *testing.T) {
	for line, want := range map[string]zapcore.Level{
		"[INFO] serf: EventMemberJoin: a 127.0.0.1":                                 zapcore.DebugLevel,
		"[INFO] memberlist: Suspect a has failed, no acks received":                 zapcore.DebugLevel,
		"[ERR] memberlist: Push/Pull with a failed: connection refused":             zapcore.DebugLevel,
		"[ERR] memberlist: Failed to send gossip to 127.0.0.1:1: network is down":   zapcore.DebugLevel,
		"[WARN] memberlist: Refuting a suspect message (from: a)":                   zapcore.DebugLevel,
		"[ERR] memberlist: Decrypt packet failed: no installed keys from=127.0.0.1": zapcore.WarnLevel,
		"[WARN] serf: Intent queue depth: 200":                                      zapcore.WarnLevel,
		"a line without label":                                                      zapcore.DebugLevel,
	} {
		if level, text := classify(line); level != want || text == "" || text[0] == '[' {
			t.Errorf("%s: %v %q", line, level, text)
		}
	}
}

func TestAFloodOfGarbageDoesNotFillTheLog(t *testing.T) {
	core, logged := observer.New(zapcore.DebugLevel)
	engine := newEngineLog(zap.New(core))
	for range 1000 {
		engine.Printf("[ERR] memberlist: msg type (99) not supported from=127.0.0.1:1")
	}
	if n := logged.Len(); n < linesPerSecond || n > 5*linesPerSecond { // a second or few may have passed
		t.Errorf("%d lines logged", n)
	}
	if e := logged.All()[0]; e.Message != "membership engine says" || e.ContextMap()["text"] == "" {
		t.Errorf("entry is %+v", e)
	}
}
