package web

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"moonwatch/status"
)

// place is a page in one state of a fleet.
type place struct {
	name  string
	at    http.Handler
	path  string // without a language
	query string
	odd   bool // it says that there is no such thing, and a browser's console does too
}

// in is the address of a place in a language.
func (p place) in(code string) string {
	q := "?lang=" + code
	if p.query != "" {
		q += "&" + p.query
	}
	return p.path + q
}

// everyPlace lists every page that there is, calm and in trouble, small and large.
func everyPlace(t *testing.T) []place {
	t.Helper()
	lost, storm, ordered := withPast(t, lostPage(), 9), withPast(t, stormPage(), 200), withPast(t, orderedPage(), 9)
	seen, seen200 := withLive(t, lostPage(), failing), withLive(t, stormPage(), failing)
	flooded, vacant := shielded(t, floodedDoor), open(t, vacantPage())
	each := shop
	each.Slots = true
	return []place{
		{name: "now-lost", at: lost, path: "/"},
		{name: "now-storm-200", at: storm, path: "/"},
		{name: "now-ordered", at: ordered, path: "/"},
		{name: "now-calm-200", at: open(t, fleetPage(200)), path: "/"},
		{name: "now-alone", at: open(t, alonePage()), path: "/"},
		{name: "explain-verdict", at: lost, path: "/explain/V-411"},
		{name: "explain-case", at: lost, path: "/explain/C-412"},
		{name: "explain-held", at: storm, path: "/explain/C-420"},
		{name: "explain-member", at: lost, path: "/explain/web-7"},
		{name: "explain-slot", at: lost, path: "/explain/slot-5"},
		{name: "explain-request", at: ordered, path: "/explain/R-408"},
		{name: "explain-vacant", at: vacant, path: "/explain/slot-9"},
		{name: "explain-starting", at: vacant, path: "/explain/slot-0"},
		{name: "explain-unready", at: vacant, path: "/explain/web-1"},
		{name: "explain-unlisted", at: vacant, path: "/explain/stray-1"},
		{name: "explain-retired", at: vacant, path: "/explain/old-1"},
		{name: "explain-retired-and-running", at: vacant, path: "/explain/old-2"},
		{name: "explain-mode", at: storm, path: "/explain/mode"},
		{name: "explain-mode-ordered", at: ordered, path: "/explain/mode"},
		{name: "explain-incident", at: lost, path: "/explain/I-412"},
		{name: "explain-no-incident", at: lost, path: "/explain/I-9", odd: true},
		{name: "now-vacant", at: vacant, path: "/"},
		{name: "now-council", at: open(t, councilPage()), path: "/"},
		{name: "explain-unknown", at: lost, path: "/explain/nobody", odd: true},
		{name: "runbook", at: lost, path: "/runbook/held-brake"},
		{name: "runbook-unknown", at: lost, path: "/runbook/nothing", odd: true},
		{name: "history", at: lost, path: "/history"},
		{name: "history-hours", at: lost, path: "/history", query: "span=48h"},
		{name: "history-200", at: storm, path: "/history"},
		{name: "observers", at: seen, path: "/observers"},
		{name: "observers-200", at: seen200, path: "/observers"},
		{name: "observers-calm", at: withLive(t, fleetPage(7), func(p status.Page) status.Live { return seenLive(p, nil) }), path: "/observers"},
		{name: "observers-before", at: seen200, path: "/observers", query: "at=1h"},
		{name: "shield", at: flooded, path: "/shield"},
		{name: "shield-without-a-door", at: lost, path: "/shield"},
		{name: "public", at: publicPage(t, 11, shop), path: "/"},
		{name: "public-200-slots", at: publicPage(t, 240, each), path: "/"},
		{name: "starting", at: starting(t), path: "/", odd: true},
	}
}

func starting(t *testing.T) *Server {
	t.Helper()
	s := New(Config{})
	t.Cleanup(s.Close)
	return s
}

// peopleSaid are texts of our fixtures that people or machines wrote: they stay as they are
// in every language.
var peopleSaid = strings.NewReplacer(
	"new power supplies", "", "looking at its disk", "", "both racks were moved", "", "nobody is awake", "", "plug pulled", "",
	"it is their sale", "", "new release", "", "Night <Shop>", "",
)

var (
	englishParts = regexp.MustCompile(`(?s)<([a-z]+)[^>]* lang="en"[^>]*>.*?</\w+>`)
	spoken       = regexp.MustCompile(`(?:aria-label|title|alt|data-live|data-lost|data-stale)="([^"]*)"`)
	tags         = regexp.MustCompile(`<[^>]*>`)
	commands     = regexp.MustCompile(`moonwatch( [a-z-]+)+( [A-Z]-\d+)?|Moonwatch`)
	english3     = regexp.MustCompile(`\b[A-Za-z][a-z']+,?(?: [a-z']+,?){2,}`)
	english2     = regexp.MustCompile(`^[A-Z]?[a-z']+ [a-z']+$`)
)

// leftOver finds what a page in another language still says in English: sentences
// anywhere, and words that are all of an element.
func leftOver(body string) []string {
	body = regexp.MustCompile(`(?s)<article class="book" lang="en">.*?</article>`).ReplaceAllString(body, "")
	body = englishParts.ReplaceAllString(body, "")
	var texts []string
	for _, m := range spoken.FindAllStringSubmatch(body, -1) {
		texts = append(texts, m[1])
	}
	texts = append(texts, strings.Split(tags.ReplaceAllString(body, "\n"), "\n")...)
	var found []string
	for _, text := range texts {
		text = strings.TrimSpace(commands.ReplaceAllString(peopleSaid.Replace(html.UnescapeString(text)), ""))
		if english3.MatchString(text) || english2.MatchString(text) {
			found = append(found, text)
		}
	}
	return found
}

// TestEveryPlace asks the same of every page in every language.
func TestEveryPlace(t *testing.T) {
	places := everyPlace(t)
	for name, ask := range map[string]func(*testing.T, []place){
		"no English is left on a Japanese page": noEnglishIsLeftOnAJapanesePage,
		"left over English is found":            leftOverEnglishIsFound,
		"every page says its language":          everyPageSaysItsLanguage,
		"every page says the mode":              everyPageSaysTheMode,
		"pages lead on in their language":       pagesLeadOnInTheirLanguage,
		"nonsense of a browser is survived":     nonsenseOfABrowserIsSurvived,
		"the first view is small":               theFirstViewIsSmallInEveryLanguage,
	} {
		t.Run(name, func(t *testing.T) { ask(t, places) })
	}
}

func noEnglishIsLeftOnAJapanesePage(t *testing.T, places []place) {
	for _, p := range places {
		body := get(p.at, p.in("ja")).Body.String()
		for _, text := range leftOver(body) {
			t.Errorf("%s: %q", p.name, text)
		}
		if !strings.ContainsFunc(body, func(r rune) bool { return unicode.In(r, unicode.Hiragana, unicode.Katakana) }) {
			t.Errorf("%s has no word of Japanese", p.name)
		}
	}
}

// leftOverEnglishIsFound: the test above could find something.
func leftOverEnglishIsFound(t *testing.T, places []place) {
	for _, p := range places {
		if found := leftOver(get(p.at, p.in("en")).Body.String()); len(found) == 0 {
			t.Errorf("%s in English has nothing in English", p.name)
		}
	}
}

func everyPageSaysItsLanguage(t *testing.T, places []place) {
	for _, p := range places {
		for _, code := range []string{"en", "ja"} {
			w := get(p.at, p.in(code))
			body := w.Body.String()
			if !strings.Contains(body, `<html lang="`+code+`">`) {
				t.Errorf("%s: not in %s", p.name, code)
			}
			other := map[string]string{"en": "ja", "ja": "en"}[code]
			if !strings.Contains(body, `hreflang="`+other+`"`) {
				t.Errorf("%s in %s leads to no page in %s", p.name, code, other)
			}
			if !strings.Contains(get(p.at, p.path+"?"+p.query, "Accept-Language", code).Body.String(), `<html lang="`+code+`">`) {
				t.Errorf("%s: a browser that wants %s is not heard", p.name, code)
			}
			if !strings.Contains(strings.Join(w.Header().Values("Vary"), ","), "Accept-Language") {
				t.Errorf("%s: a cache may hand it to somebody who speaks another language", p.name)
			}
		}
	}
}

// pagesLeadOnInTheirLanguage: who chose a language keeps it from page to page.
func pagesLeadOnInTheirLanguage(t *testing.T, places []place) {
	links := regexp.MustCompile(`href="(/(?:explain/|history|observers|shield|runbook/)?[^"]*)"`)
	for _, p := range places {
		for _, m := range links.FindAllStringSubmatch(get(p.at, p.in("ja")).Body.String(), -1) {
			link := html.UnescapeString(m[1])
			if strings.HasPrefix(link, "/assets/") || strings.HasPrefix(link, "/api/") {
				continue
			}
			if !strings.Contains(link, "lang=") {
				t.Errorf("%s leads to %s", p.name, link)
			}
		}
	}
}

func nonsenseOfABrowserIsSurvived(t *testing.T, places []place) {
	odd := []string{
		"", ";;;q=,", "ja;q=x", "*", "ja;q=0", "ja;q=NaN", "ja;q=-1", "-", "\xff\xfe", "日本語", "../../etc/passwd", "<script>", "ja\x00",
		strings.Repeat("ja;q=0,", 5000), strings.Repeat("x-", 30000), "xx, yy;q=1e999",
	}
	for _, p := range places {
		for _, header := range odd {
			w := get(p.at, p.path+"?"+p.query, "Accept-Language", header, "Time-Zone", header, "X-Timezone", header, "Accept-Encoding", header)
			if w.Code >= 500 && !p.odd || !strings.Contains(w.Body.String(), `<html lang="en">`) {
				t.Errorf("%s: Accept-Language %.20q: %d", p.name, header, w.Code)
			}
		}
		for _, lang := range []string{"xx", "", "JA%00", "%3Cscript%3E", strings.Repeat("j", 4000)} {
			if w := get(p.at, p.path+"?lang="+lang); w.Code >= 500 && !p.odd || strings.Contains(w.Body.String(), "<script>") {
				t.Errorf("%s: lang %.20q: %d", p.name, lang, w.Code)
			}
		}
	}
}

// TestTheCatalogueIsWhole: every text of a template has its words, with the same values,
// and no words are kept for a text that is gone.
func TestTheCatalogueIsWhole(t *testing.T) {
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	heads := regexp.MustCompile(`\.Heads((?: "[^"]+")+)`)
	texts := regexp.MustCompile(`Say "([^"]+)"`)
	for _, f := range files {
		b, err := templateFiles.ReadFile("templates/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, m := range texts.FindAllStringSubmatch(string(b), -1) {
			keys = append(keys, m[1])
		}
		for _, m := range heads.FindAllStringSubmatch(string(b), -1) {
			for _, k := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(m[1], -1) {
				keys = append(keys, k[1])
			}
		}
		for _, k := range keys {
			if _, ok := wordsInJapanese()[k]; !ok {
				t.Errorf("%s: %q has no words in Japanese", f.Name(), k)
			}
		}
	}
	verbs := regexp.MustCompile(`%(?:\[\d+\])?[.\d]*[a-z%]`)
	for english, other := range wordsInJapanese() {
		if a, b := len(verbs.FindAllString(english, -1)), len(verbs.FindAllString(other, -1)); a != b {
			t.Errorf("%q has %d values, %q has %d", english, a, other, b)
		}
		for _, r := range other {
			if r == ',' {
				t.Errorf("%q: a comma of another script in %q", english, other)
			}
		}
	}
}

// theFirstViewIsSmallInEveryLanguage: with everything that it loads.
func theFirstViewIsSmallInEveryLanguage(t *testing.T, places []place) {
	loaded := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`)
	assets := open(t, status.Page{})
	for _, p := range places {
		for _, code := range []string{"en", "ja"} {
			total := len(get(p.at, p.in(code), "Accept-Encoding", "gzip").Body.Bytes())
			if p.odd {
				continue // few bytes, not compressed
			}
			seen := map[string]bool{}
			for _, m := range loaded.FindAllStringSubmatch(get(p.at, p.in(code)).Body.String(), -1) {
				if !seen[m[1]] {
					seen[m[1]] = true
					total += get(assets, m[1], "Accept-Encoding", "gzip").Body.Len()
				}
			}
			if len(seen) < 2 || total > 30_000 {
				t.Errorf("%s in %s: %d bytes in the page and %d assets, want at most 30,000", p.name, code, total, len(seen))
			}
			t.Logf("%s in %s: %d bytes", p.name, code, total)
		}
	}
}
