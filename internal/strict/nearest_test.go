package strict

import (
	"strings"
	"testing"
)

func TestWordsThatSomebodyMayHaveMeant(t *testing.T) {
	known := []string{"probe_interval", "name", "tls", "http", "link", "join"}
	for word, want := range map[string]string{
		"prob_interval": "probe_interval", "probe_intreval": "probe_interval", "probe-interval": "probe_interval",
		"naem": "name", "htttp": "http", "tsl": "tls", "colour": "", "x": "", "": "",
		strings.Repeat("probe_interval", 10): "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
