package gossip

import (
	"bytes"
	"log"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The engine speaks lines that say [ERR] for every lost packet. To us its
// failure detector is a hint, so its errors are worth a look at most, and what
// it says about each silent member and each member's coming and going is
// routine: verdicts tell that story, with votes.
var routine = []string{
	"Failed fallback TCP ping",
	"Failed to send",
	"Push/Pull with",
	"Was able to connect to",
	"Refuting",
	"Got ping for unexpected node",
	"Shutdown without a Leave",
	"Failed to forward ack",
	"Conflicting address for", // told as a Conflict
	"Name conflict for",
	"Node name conflicts",
	"timeout waiting for leave broadcast",
	"timeout while waiting for graceful leave",
}

// Someone who sends us garbage must not be able to fill the disk: so many
// lines are logged in a second, and the rest are dropped.
const linesPerSecond = 10

// lineWriter turns the engine's log lines into entries of ours.
type lineWriter struct{ log *zap.Logger }

func newEngineLog(to *zap.Logger) *log.Logger {
	limited := to.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Second, linesPerSecond, 0)
	}))
	return log.New(lineWriter{limited}, "", 0)
}

// Write logs one line. It never fails.
func (w lineWriter) Write(line []byte) (int, error) {
	level, text := classify(string(bytes.TrimSpace(line)))
	if entry := w.log.Check(level, "membership engine says"); entry != nil {
		entry.Write(zap.String("text", text))
	}
	return len(line), nil
}

// classify splits a line into its level, as we see it, and the rest.
func classify(line string) (zapcore.Level, string) {
	label, text, ok := strings.Cut(strings.TrimPrefix(line, "["), "] ")
	if !ok || !strings.HasPrefix(line, "[") {
		return zapcore.DebugLevel, line
	}
	for _, r := range routine {
		if strings.Contains(text, r) {
			return zapcore.DebugLevel, text
		}
	}
	switch label {
	case "ERR", "ERROR", "WARN":
		return zapcore.WarnLevel, text
	default: // INFO, DEBUG, TRACE
		return zapcore.DebugLevel, text
	}
}
