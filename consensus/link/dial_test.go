package link

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestWhatABuildOfBeforeDoesNotKnowIsToldApart from what an agent refuses by itself.
func TestWhatABuildOfBeforeDoesNotKnowIsToldApart(t *testing.T) {
	refuses := http.NewServeMux()
	refuses.HandleFunc("/heads", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this agent remembers no heads", http.StatusNotFound)
	})
	for path, want := range map[string]string{
		pathSightings: "refused: its build knows no such request", // which this server has never heard of
		"/heads":      "refused: this agent remembers no heads",
	} {
		w := httptest.NewRecorder()
		refuses.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		resp := w.Result()
		err := accepted("web-2", resp)
		if refusal := (*Refusal)(nil); !errors.As(err, &refusal) || refusal.By != "web-2" || err.Error() != want {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}
