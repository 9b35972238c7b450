package admit

import (
	_ "embed"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"

	"moonwatch/shield"
)

// The pages for people. They name nobody and say what helps: to wait.
var (
	//go:embed shed.en.html
	pageEnglish []byte
	//go:embed shed.ja.html
	pageJapanese []byte
)

// tongues are the languages of the pages, the first one for whoever wants neither.
var tongues = language.NewMatcher([]language.Tag{language.English, language.Japanese})

// maxAccept bounds how much of a client's wishes is read: refusing has to be
// cheap, whatever a flood sends.
const maxAccept = 256

// Problem types of draft-ietf-httpapi-ratelimit-headers.
const (
	typeQuota   = "https://iana.org/assignments/http-problem-types#quota-exceeded"
	typeReduced = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
)

// Refuse answers a request of a subdomain that is held: 429 while a part of its
// requests is let in, 503 when none is. A browser gets a page, a program a problem
// (RFC 9457), and both the RateLimit fields where the share is one of requests.
func (g *Gate) Refuse(w http.ResponseWriter, r *http.Request, why Reason, m *shield.Measure) {
	if why == Puzzle {
		g.pose(w, r)
		return
	}
	status, kind, title := http.StatusTooManyRequests, typeQuota, "this site gets more requests than it can serve at the moment"
	if why == Stopped {
		status, kind, title = http.StatusServiceUnavailable, typeReduced, "this site is paused at the moment"
	}
	again := comeBack(g.cfg.Now(), why)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept, Accept-Language")
	h.Set("Retry-After", strconv.Itoa(again))
	if quota := m.Quota(); quota >= 1 && quota < math.MaxInt32 && status == http.StatusTooManyRequests {
		h.Set("RateLimit-Policy", fmt.Sprintf(`"subdomain";q=%d;w=1;qu="requests"`, int(quota)))
		h.Set("RateLimit", fmt.Sprintf(`"subdomain";r=0;t=%d`, again))
	}
	if !wantsPage(r) {
		h.Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type":%q,"title":%q,"status":%d,"violated-policies":["subdomain"]}`+"\n", kind, title, status)
		return
	}
	text, tongue := pageEnglish, "en"
	if wantsJapanese(r) {
		text, tongue = pageJapanese, "ja"
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", tongue)
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that is gone needs no page
}

// comeBack is after how many seconds a refused client may try again, no two at
// once: who is not in the admitted fraction is not before the next drawing.
func comeBack(now time.Time, why Reason) int {
	const turn = int64(shield.StickyFor)
	if why == Cap {
		return 1 + rand.IntN(3)
	}
	left := turn - now.UnixNano()%turn
	return int(time.Duration(left)/time.Second) + 1 + rand.IntN(int(shield.StickyFor/time.Second))
}

// wantsPage reports that a person asks: a browser's navigation accepts HTML by
// name, a program, a script or an image does not.
func wantsPage(r *http.Request) bool {
	return strings.Contains(short(r.Header.Get("Accept")), "text/html")
}

func wantsJapanese(r *http.Request) bool {
	wanted, _, err := language.ParseAcceptLanguage(short(r.Header.Get("Accept-Language")))
	if err != nil {
		return false
	}
	_, i, _ := tongues.Match(wanted...)
	return i == 1
}

func short(s string) string { return s[:min(len(s), maxAccept)] }
