package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheKeyOfADoorIsAWordThatOthersCannotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "door.key")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if key, err := loadDoorKey(""); key != "" || err != nil {
		t.Errorf("without a file: %q, %v", key, err)
	}
	write("0123456789abcdef0123456789abcdef\n", 0o640)
	if key, err := loadDoorKey(path); key != "0123456789abcdef0123456789abcdef" || err != nil {
		t.Errorf("got %q, %v", key, err)
	}
	for text, want := range map[string]string{"short\n": "want a key of 16 to 256", "": "of 0 bytes", "two words of many letters": "want a key"} {
		write(text, 0o600)
		if _, err := loadDoorKey(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
	write("0123456789abcdef0123456789abcdef\n", 0o644)
	if _, err := loadDoorKey(path); err == nil || !strings.Contains(err.Error(), "chmod 640") {
		t.Errorf("everybody may read it: %v", err)
	}
}
