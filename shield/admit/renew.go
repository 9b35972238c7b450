package admit

import (
	"net/http"
	"strings"
)

// renewals is how many requests for the renewal of its certificate are let in to a stopped
// subdomain in a second, and at once, at each door. An authority asks from about five
// places at a time; ten requests are nothing to who serves hundreds.
const renewals = 10

// renews reports that a certificate authority may ask here whether who wants a certificate
// has the subdomain (RFC 8555, 8.3): GET of a token and of nothing else, for what names
// another path, by dots or escapes, or says more in a query, may be work.
func renews(r *http.Request) bool {
	if r.URL == nil { // one out of a log
		return false
	}
	token, below := strings.CutPrefix(r.URL.Path, "/.well-known/acme-challenge/")
	if !below || token == "" || r.URL.RawPath != "" || r.URL.RawQuery != "" || r.URL.ForceQuery {
		return false
	}
	odd := func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_'
	}
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && !strings.ContainsFunc(token, odd)
}
