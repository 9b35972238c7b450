package dns

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAKeyIsReadAsTsigKeygenWritesIt(t *testing.T) {
	const secret = "bW9vbndhdGNoIG1vb253YXRjaCBtb29ud2F0Y2ghISE="
	good := "key \"moonwatch\" {\n\talgorithm hmac-sha256;\n\tsecret \"" + secret + "\"; // ours\n};\n"
	for name, x := range map[string]struct {
		text string
		mode os.FileMode
		says string
	}{
		"good":                {good, 0o600, ""},
		"of the server":       {good, 0o640, ""},
		"everybody's":         {good, 0o644, "want 0600 or 0640"},
		"two keys":            {good + good, 0o600, "want one key as tsig-keygen writes it"},
		"the secret alone":    {secret, 0o600, "want one key as tsig-keygen writes it"},
		"something else":      {"-----BEGIN PRIVATE KEY-----", 0o600, "want one key as tsig-keygen writes it"},
		"more than a key has": {strings.Repeat("#", 1<<17), 0o600, "want a regular file of at most"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dns.key")
			if err := os.WriteFile(path, []byte(x.text), x.mode); err != nil {
				t.Fatal(err)
			}
			key, err := ReadKey(path)
			switch {
			case x.says == "" && (err != nil || key != Key{"moonwatch", "hmac-sha256", secret}):
				t.Errorf("%+v, %v", key, err)
			case x.says != "" && (err == nil || !strings.Contains(err.Error(), x.says)):
				t.Errorf("%v, want %q", err, x.says)
			case err != nil && strings.Contains(err.Error(), secret):
				t.Errorf("it shows the secret: %v", err)
			}
		})
	}
	if _, err := ReadKey("/nowhere/dns.key"); err == nil || !strings.Contains(err.Error(), "/nowhere/dns.key") {
		t.Error(err)
	}
}
