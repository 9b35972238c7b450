package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moonwatch/internal/strict"
)

var update = flag.Bool("update", false, "rewrite testdata/*/*.want and the samples in configs")

// Each file of testdata holds one mistake (or one warning); the file beside it
// says what people are told.
func TestEveryMistakeIsNamedWithItsPlace(t *testing.T) {
	for _, kind := range []string{"agent", "fleet"} {
		files, err := filepath.Glob(filepath.Join("testdata", kind, "*.yaml"))
		if err != nil || len(files) < 20 {
			t.Fatalf("%s: %d files, %v", kind, len(files), err)
		}
		for _, file := range files {
			t.Run(kind+"/"+strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				name := kind + ".yaml"
				var told string
				if kind == "agent" {
					_, err = ParseAgent(name, b, nil, nil)
				} else {
					var warnings []strict.Mistake
					_, warnings, err = ParseFleet(name, b)
					for _, w := range warnings {
						told += "warning: " + w.String() + "\n"
					}
				}
				if err != nil {
					told += err.Error() + "\n"
				}
				if told == "" {
					t.Error("nothing is wrong with it")
				}
				golden(t, strings.TrimSuffix(file, ".yaml")+".want", told)
			})
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run the test with -update and read what it writes", err)
	}
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
