package admit

import (
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"net/http"
	"strconv"
	"strings"
	"time"

	"moonwatch/shield"
)

// challenge has a browser work for a moment before it is let in: it looks for a number
// that, hashed together with the challenge, begins with some zero bits. A person waits
// for a second, and a flood of browsers pays for each host and each address anew.
//
// Nothing is kept. The challenge is a MAC over host, client and end, so the cookie with
// which a browser comes back says everything, and whatever it says is made again and
// compared: it counts for this host, for this client (an IPv6 one by its /64) and
// until its end.
type challenge struct {
	key  []byte
	bits int // of zero
}

const (
	// passFor is how long a solution counts: long enough for a visit, short enough that
	// one which is passed on is of little worth.
	passFor = 15 * time.Minute
	// passCookie is the cookie's name.
	passCookie = "moonwatch_pass"
	// maxPass bounds a cookie that is looked at, mostPasses how many are: a parent domain
	// may have set one of the name, and browsers send it along.
	maxPass    = 64
	mostPasses = 4
)

// puzzle is what has to be solved by a client for a host until an end.
func (c *challenge) puzzle(host string, client uint64, end int64) string {
	m := hmac.New(sha256.New, c.key)
	var room [shield.HostRoom]byte
	name, _ := shield.Normalise(room[:0], host)
	m.Write([]byte("moonwatch challenge 1\x00"))
	m.Write(name)
	m.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte{0}, client), uint64(end))) //nolint:gosec // both ways the same
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// passes reports whether a request carries a solution: END.NUMBER in one of its cookies.
func (c *challenge) passes(now time.Time, host string, client uint64, r *http.Request) bool {
	cookies := r.CookiesNamed(passCookie)
	for _, cookie := range cookies[:min(len(cookies), mostPasses)] {
		if c.accepts(now, host, client, cookie.Value) {
			return true
		}
	}
	return false
}

func (c *challenge) accepts(now time.Time, host string, client uint64, pass string) bool {
	if len(pass) > maxPass {
		return false
	}
	first, number, _ := strings.Cut(pass, ".")
	end, err := strconv.ParseInt(first, 10, 64)
	if err != nil || end <= now.Unix() || end > now.Add(passFor).Unix() {
		return false
	}
	if n, err := strconv.ParseUint(number, 10, 64); err != nil || strconv.FormatUint(n, 10) != number {
		return false
	}
	return solves(c.puzzle(host, client, end), number, c.bits)
}

func solves(puzzle, number string, zero int) bool {
	sum := sha256.Sum256([]byte(puzzle + ":" + number))
	return bits.LeadingZeros64(binary.BigEndian.Uint64(sum[:8])) >= zero
}

// navigates reports that a person opens a page: nobody else can be asked to wait for it,
// run it and come back.
func navigates(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	mode := r.Header.Get("Sec-Fetch-Mode")
	return wantsPage(r) && (mode == "" || mode == "navigate")
}

// The page works without anything from elsewhere. Its script is one and the same for
// everybody, so that the policy can name it by its hash.
var (
	//go:embed challenge.js
	challengeScript string
	challengePolicy = func() string {
		sum := sha256.Sum256([]byte(challengeScript))
		return "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'"
	}()
)

// tongue is what the page says in one language.
type tongue struct{ lang, title, text, slow, kept, without string }

var challengeIn = map[bool]tongue{
	false: {
		"en", "One moment, please",
		"This site gets far more requests than usual. Your browser is being checked, which takes about a second; then the page opens by itself.",
		"This takes longer than usual. Please leave the page open.",
		"Your browser has been checked, and does not keep or send the cookie that says so. Please allow cookies for this site, or try again in some minutes.",
		"Your browser does not run scripts here, so it cannot be checked. Please try again in some minutes.",
	},
	true: {
		"ja", "少々お待ちください",
		"ただいま、このサイトには通常よりはるかに多くのアクセスがあります。お使いのブラウザーを確認しています。1 秒ほどで自動的にページが開きます。",
		"通常より時間がかかっています。このままお待ちください。",
		"確認は完了しましたが、その結果を示す Cookie がブラウザーに保存されないか、送信されていません。このサイトの Cookie を許可するか、数分後にもう一度お試しください。",
		"お使いのブラウザーではスクリプトが実行されないため、確認できません。数分後にもう一度お試しください。",
	},
}

// pose answers with the page.
func (g *Gate) pose(w http.ResponseWriter, r *http.Request) {
	now := g.cfg.Now()
	end := now.Add(passFor).Unix()
	t := challengeIn[wantsJapanese(r)]
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept, Accept-Language, Cookie")
	h.Set("Retry-After", strconv.Itoa(comeBack(now, Cap))) // for whoever cannot be challenged and asks all the same
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", t.lang)
	h.Set("Content-Security-Policy", challengePolicy)
	w.WriteHeader(http.StatusTooManyRequests)
	fmt.Fprintf(w, `<!doctype html>
<html lang="%s" data-puzzle="%s" data-end="%d" data-bits="%d" data-for="%d">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>%s</title>
<style>body{font:16px/1.7 system-ui,sans-serif;max-width:32em;margin:15vh auto;padding:0 1em;color:#222;background:#fff}
@media (prefers-color-scheme:dark){body{color:#ddd;background:#151515}}</style>
<h1>%s</h1><p role="status">%s</p><p id="slow" hidden>%s</p><p id="kept" hidden>%s</p><noscript><p>%s</p></noscript>
<script>%s</script>
</html>
`, t.lang, g.challenge.puzzle(r.Host, g.clientOf(r), end), end, g.challenge.bits, int(passFor/time.Second), t.title, t.title, t.text, t.slow, t.kept, t.without, challengeScript)
}
