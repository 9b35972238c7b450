package dns

import (
	"strings"
	"testing"
	"time"
)

func TestAConfigListsAllItsMistakesAndNoSecret(t *testing.T) {
	_, err := New(Config{
		Server: "ns1", Zone: "exam..ple", TTL: 1500 * time.Millisecond,
		Key: Key{Name: "a..b", Algorithm: "hmac-md5", Secret: "hunter2"},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		`server is "ns1", want host:port`, `zone is "exam..ple"`, `key.name is "a..b"`, `key.algorithm is "hmac-md5"`,
		"key.secret is not base64 of at least 16 bytes", "ttl is 1.5s", "name or address is missing",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("it shows the secret: %v", err)
	}
}
