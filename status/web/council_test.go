package web

import (
	"regexp"
	"strings"
	"testing"

	"moonwatch/status"
)

// sectionOf is what a page has in the section with this heading.
func sectionOf(t *testing.T, body, id string) string {
	t.Helper()
	_, after, found := strings.Cut(body, `<section aria-labelledby="`+id+`">`)
	if !found {
		t.Fatalf("no section %s", id)
	}
	section, _, _ := strings.Cut(after, "</section>")
	return section
}

func TestTheCouncilIsOnThePage(t *testing.T) {
	s := open(t, councilPage())
	council := sectionOf(t, get(s, "/").Body.String(), "council")
	for _, want := range []string{
		`<a class="id" href="/explain/web-2?lang=en">web-2</a></th><td>leader</td><td class="id">a</td>`,
		`<a class="id" href="/explain/web-1?lang=en">web-1</a></th><td>councillor</td>`,
		`web-6</a></th><td>learner</td>`,
		`its seat is lost: down, <time datetime="2026-05-04T12:00:12Z">12:00:12</time>`,
		"its seat is lost: it may not sit in the council any more<",
		"A swap is under way", "no learner has caught up", "3 of 5 councillors are in failure domain a", "moonwatch council",
	} {
		if !strings.Contains(council, want) {
			t.Errorf("it lacks %q: %s", want, council)
		}
	}
	if n := len(regexp.MustCompile(`<th scope="row">`).FindAllString(council, -1)); n != 6 {
		t.Errorf("%d seats, want 5 councillors and a learner", n)
	}
	for _, want := range []string{"議席喪失： 停止", "評議会に入れなくなりました", "学習役", "障害ドメイン a にいます"} {
		if ja := sectionOf(t, get(s, "/?lang=ja").Body.String(), "council"); !strings.Contains(ja, want) {
			t.Errorf("in Japanese it lacks %q: %s", want, ja)
		}
	}
	calm := sectionOf(t, get(open(t, fleetPage(7)), "/").Body.String(), "council")
	if strings.Contains(calm, "lost") || strings.Contains(calm, `class="alerts"`) {
		t.Errorf("a council that is well warns of something: %s", calm)
	}
	if none := sectionOf(t, get(open(t, status.Page{}), "/").Body.String(), "council"); !strings.Contains(none, "There is no council yet.") {
		t.Errorf("without a council: %s", none)
	}
}
