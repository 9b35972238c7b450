package phrase

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Japanese says it in Japanese. Its forms are those of the packages that write: status
// for lines and explanations, failover, consensus and shield for what facts and measures
// give as their reason, status/web for what people are told besides. It is made when it is
// first asked for: where nobody reads Japanese, it costs nothing.
var Japanese = sync.OnceValue(func() *Book {
	b, err := New(japanese())
	if err != nil {
		panic(fmt.Sprintf("phrase: Japanese: %v", err)) // a test makes it
	}
	return b
})

func japanese() map[string]string {
	return joined(japaneseLines, japaneseAnswers, japaneseAlerts, japaneseReasons, japanesePlans, japaneseShield)
}

func joined(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, forms := range all {
		for english, other := range forms {
			if _, twice := out[english]; twice {
				panic("phrase: said twice: " + english)
			}
			out[english] = other
		}
	}
	return out
}

// Forms are the English forms that are known, sorted.
func Forms() []string { return slices.Sorted(maps.Keys(japanese())) }
