package phrase

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
)

func book(t *testing.T, forms map[string]string) *Book {
	t.Helper()
	b, err := New(forms)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTextsWithinTextsAreSaidToo(t *testing.T) {
	b := book(t, map[string]string{
		"Why: %s.":             "理由：%s。",
		"%s is in cascade: %s": "%s はカスケード状態：%s",
		"%d of %d in trouble":  "%[2]s 台中 %[1]s 台に問題",
		"its service is gone":  "サービスが停止",
	})
	for text, want := range map[string]string{
		"Why: fleet is in cascade: 3 of 7 in trouble.": "理由：fleet はカスケード状態：7 台中 3 台に問題。",
		"3 of 7 in trouble":                            "7 台中 3 台に問題",
		"3 of many in trouble":                         "3 of many in trouble",
		"C-12: its service is gone":                    "C-12：サービスが停止",
		"3 of 7 in trouble; its service is gone":       "7 台中 3 台に問題；サービスが停止",
		"what nobody has put into words":               "what nobody has put into words",
		"web-1":                                        "web-1",
		"":                                             "",
	} {
		if got := b.Say(text); got != want {
			t.Errorf("%q is said %q, want %q", text, got, want)
		}
		if got := b.Say(text); got != want {
			t.Errorf("the second time %q is said %q, want %q", text, got, want)
		}
	}
}

func TestANameIsNeverTranslated(t *testing.T) {
	b := book(t, map[string]string{"down": "停止", "%s is down": "%s は停止"})
	if got := b.Say("down is down"); got != "down は停止" {
		t.Error(got)
	}
}

func TestAFormThatCannotBeSaidIsRefused(t *testing.T) {
	for english, other := range map[string]string{
		"%s of %s": "%s", "%s of all": "%s と %s", "%s%s": "%s%s", "100 %": "100", "%s is %t": "%s は %s",
	} {
		if _, err := New(map[string]string{english: other}); err == nil {
			t.Errorf("%q as %q is taken", english, other)
		}
	}
}

// TestEveryFormIsFoundAgain: what is written with a form is said by that form and by no
// other one.
func TestEveryFormIsFoundAgain(t *testing.T) {
	for english, other := range japanese() {
		parts, holes, err := split(english)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		var values []any
		for i, n := range holes {
			v := fmt.Sprintf("x%d", i)
			if n == number {
				v = fmt.Sprint(i + 1)
			}
			text.WriteString(parts[i] + v)
			values = append(values, v)
		}
		text.WriteString(parts[len(parts)-1])
		want := fmt.Sprintf(other, values...)
		if !strings.Contains(english, " ") && !strings.HasSuffix(english, ":") {
			t.Errorf("%q is one word: it would never be looked up", english)
		} else if got := Japanese().Say(text.String()); got != want {
			t.Errorf("%q is said\n %q, want\n %q", text.String(), got, want)
		}
	}
}

func TestJapaneseIsJapanese(t *testing.T) {
	for english, other := range japanese() {
		if !strings.ContainsFunc(other, func(r rune) bool {
			return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || strings.ContainsRune("：（", r)
		}) {
			t.Errorf("%q is said %q", english, other)
		}
	}
}

func TestWhatComesFromOutsideIsNoForm(t *testing.T) {
	for _, text := range []string{"%s %d %!", strings.Repeat("a: b; c, d. ", 2000), "100 % of \x00 \xff", "  ", ": : ; , ", "<script> %[1]s"} {
		if got := Japanese().Say(text); !strings.Contains(got, "a") && strings.Contains(text, "a") {
			t.Errorf("%.40q is lost: %.40q", text, got)
		}
	}
}

// TestWhatPeopleWroteStaysAsItIs: reasons that look like sentences of decisions are shown
// word for word, wherever they stand.
func TestWhatPeopleWroteStaysAsItIs(t *testing.T) {
	for _, reason := range []string{
		"loss of power: rack b",
		"replacement of fans by vendor: back at noon",
		"new power supplies, the old one is down",
		"hold of pool web by bob: it is down, until noon",
		"restart in place",
		"the pool is gone. 'moonwatch undrain x' gives it back",
	} {
		for form, before := range map[string]string{
			"ordered by alice: %s":                                                              "alice の指示：",
			"slot s-1 of web-1 drained by alice: %s":                                            "",
			"C-4 switchover of slot s-1 away from web-1 by alice: %s":                           "",
			"hold of pool web: %s":                                                              "",
			"maintenance of fleet by alice: %s":                                                 "",
			"maintenance of fleet by alice: %s, until 12:30:00 UTC":                             "",
			"H-3 hold of fleet by alice at web-1 (not signed): %s":                              "",
			"R-3 alice asks: let C-4 have a spare of the reserve: %s":                           "",
			"R-3 by alice and bob: %s":                                                          "",
			"R-3 was rejected by bob: %s":                                                       "",
			"given up: R-3 was rejected by bob: %s":                                             "",
			"C-4 web-1 says: activate of s-1 at slot epoch 7 done: %s":                          "",
			"C-4 web-1 says: fence of s-1 at slot epoch 7 failed: %s":                           "",
			"web-1 says: it is not ready: %s":                                                   "",
			"C-4 HELD by hold: maintenance of fleet by alice: %s":                               "",
			"Why: maintenance of fleet by alice: %s, until 12:30:00 UTC.":                       "",
			"C-4 moves slot s-1 of pool web away from web-1: ordered by alice: %s.":             "",
			"alice took its traffic away at 12:00:00: %s. 'moonwatch undrain s' gives it back.": "",
		} {
			text := fmt.Sprintf(form, reason)
			said := Japanese().Say(text)
			if !strings.Contains(said, reason) || said == text || before != "" && said != before+reason {
				t.Errorf("%q\nis said\n%q", text, said)
			}
		}
	}
}

// TestListsAreSaidToTheirEnd: a clause costs no depth, nor does it matter what was asked
// before.
func TestListsAreSaidToTheirEnd(t *testing.T) {
	for _, joint := range []struct{ english, other string }{{"; ", "；"}, {", ", "、"}, {". ", "。"}} {
		b := book(t, map[string]string{"it is down": "停止", "Why: %s": "理由：%s"})
		clauses, said := make([]string, 40), make([]string, 40)
		for i := range clauses {
			clauses[i], said[i] = "it is down", "停止"
		}
		text, want := strings.Join(clauses, joint.english), strings.Join(said, joint.other)
		for _, whole := range []struct{ text, want string }{{"Why: " + text, "理由：" + want}, {text, want}, {"web-1, " + text, "web-1、" + want}} {
			if got := b.Say(whole.text); got != whole.want {
				t.Errorf("%q is said\n%q", whole.text, got)
			}
		}
	}
}

// TestShallowAnswersAreNotRemembered: what was met at the bottom of another text is said
// in full when it is asked for itself.
func TestShallowAnswersAreNotRemembered(t *testing.T) {
	b := book(t, map[string]string{"(%s)": "《%s》", "it is down": "停止"})
	inner := "(((it is down)))"
	b.Say(strings.Repeat("(", deepest-2) + inner + strings.Repeat(")", deepest-2))
	if got := b.Say(inner); got != "《《《停止》》》" {
		t.Error(got)
	}
}

func BenchmarkSay(b *testing.B) {
	text := "C-412 FENCING: silent for 3.1s, and the second roll call agrees"
	for b.Loop() {
		clear(Japanese().said)
		Japanese().Say(text)
	}
}
