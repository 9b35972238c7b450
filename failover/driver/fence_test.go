package driver

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOnlySilenceAfterTheStopIsAFenceProof(t *testing.T) {
	tests := []struct {
		claim  string
		stop   Outcome
		silent func(context.Context) bool
		want   Outcome
	}{
		{"stopped and silent", Done, func(context.Context) bool { return true }, Done},
		{"stopped and serving on", Done, func(context.Context) bool { return false }, Unknown},
		{"a question that is cut short", Done, func(ctx context.Context) bool { <-ctx.Done(); return true }, Unknown},
		{"silent, but the stop is unknown", Unknown, func(context.Context) bool { return true }, Unknown},
		{"silent, but the stop failed", Permanent, func(context.Context) bool { return true }, Permanent},
		{"silent, but the stop was refused", Refused, func(context.Context) bool { return true }, Refused},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fence := NewSelfFence(always(tt.stop), tt.silent)
				started, req := time.Now(), request()
				if result := fence.Apply(t.Context(), req); result.Outcome != tt.want {
					t.Errorf("apply: got %v (%s), want %v", result.Outcome, result.Detail, tt.want)
				}
				if took := time.Since(started); took > 20*time.Second {
					t.Errorf("took %v, past the deadline", took)
				}
				req.Deadline = time.Now().Add(time.Second)
				if result := fence.Observe(t.Context(), req); result.Outcome != tt.want {
					t.Errorf("observe: got %v (%s), want %v", result.Outcome, result.Detail, tt.want)
				}
			})
		})
	}
}

func TestAFenceWaitsForASlowStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		fence := NewSelfFence(always(Done), func(context.Context) bool { return time.Since(started) >= time.Second })
		result := fence.Apply(t.Context(), request())
		if result.Outcome != Done || result.Took != time.Second {
			t.Errorf("got %v after %v (%s)", result.Outcome, result.Took, result.Detail)
		}
	})
}

func TestARepeatedFenceStopsOnceAndProvesAnew(t *testing.T) {
	w := newWorld(t)
	w.install("web-start", w.mark())
	serves := true
	fence := NewSelfFence(w.exec(), func(context.Context) bool { return !serves })
	req := request()
	req.Deadline = time.Now().Add(time.Second)
	if result := fence.Apply(t.Context(), req); result.Outcome != Unknown {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
	serves = false
	if result := fence.Apply(t.Context(), request()); result.Outcome != Done {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
	serves = true
	if result := fence.Observe(t.Context(), request()); result.Outcome != Unknown {
		t.Errorf("it serves again: got %v (%s)", result.Outcome, result.Detail)
	}
	w.wantRuns(1)
}

func TestARehearsedFenceAsksForNoProof(t *testing.T) {
	req := request()
	req.DryRun = true
	fence := NewSelfFence(always(Done), func(context.Context) bool { t.Error("asked"); return false })
	if result := fence.Apply(t.Context(), req); result.Outcome != Done {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
}

func TestAFenceIsNotTakenBack(t *testing.T) {
	fence := NewSelfFence(always(Done), nil)
	if result := fence.Compensate(t.Context(), request()); result.Outcome != Refused {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
	if plan, err := fence.Plan(request()); err != nil || !strings.HasSuffix(plan, "then see that nothing serves") {
		t.Errorf("got %q, %v", plan, err)
	}
}

// always is a driver with one answer to everything.
type always Outcome

func (a always) Observe(context.Context, Request) Result    { return Result{Outcome: Outcome(a)} }
func (a always) Plan(Request) (string, error)               { return "stop", nil }
func (a always) Apply(context.Context, Request) Result      { return Result{Outcome: Outcome(a)} }
func (a always) Compensate(context.Context, Request) Result { return Result{Outcome: Outcome(a)} }
