package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/failover/driver/webhook"
)

// A receiver that knows nothing but how to be called: it verifies, and repeats
// the call's id.
func Example() {
	secret := []byte("written by a machine")
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		if err == nil {
			err = webhook.Verify(r.Header, body, time.Now(), secret)
		}
		var call webhook.Call
		if err != nil || json.Unmarshal(body, &call) != nil {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(webhook.Answer{
			ID: call.ID, Detail: fmt.Sprintf("%s asked: %s of %s at slot epoch %d", call.Ask, call.Step, call.Slot, call.SlotEpoch),
		})
	}))
	defer receiver.Close()

	d, err := webhook.New(webhook.Config{URL: receiver.URL, Secret: secret})
	if err != nil {
		fmt.Println(err)
		return
	}
	result := d.Apply(context.Background(), driver.Request{
		Case: "C-12", Step: driver.StepCutover, Attempt: 1, Member: "spare-1", Slot: "web-0", SlotEpoch: 57,
		Deadline: time.Now().Add(time.Minute),
	})
	fmt.Println(result.Outcome)
	// Output: done
}
