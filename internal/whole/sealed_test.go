package whole

import (
	"slices"
	"strings"
	"testing"
)

func TestASealedTextComesBackAndNothingElseDoes(t *testing.T) {
	const want = "moonwatch steps 1 e3069283\n123456789" // the check value of CRC-32C
	sealed := Seal("moonwatch steps 1", []byte("123456789"))
	if string(sealed) != want {
		t.Errorf("%q, want %q: files of builds before are read no more", sealed, want)
	}
	if text, err := Unseal("moonwatch steps 1", sealed); string(text) != "123456789" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	for i := range sealed {
		bad := slices.Clone(sealed)
		bad[i] ^= 1
		if text, err := Unseal("moonwatch steps 1", bad); err == nil {
			t.Errorf("with byte %d changed it is %q", i, text)
		}
		if text, err := Unseal("moonwatch steps 1", sealed[:i]); err == nil {
			t.Errorf("cut after %d bytes it is %q", i, text)
		}
	}
	if _, err := Unseal("moonwatch keeper 1", sealed); err == nil || !strings.Contains(err.Error(), `does not begin with "moonwatch keeper 1"`) {
		t.Errorf("something else: %v", err)
	}
}
