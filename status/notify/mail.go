package notify

import (
	"bytes"
	"mime"
	"mime/quotedprintable"
	"strings"
	"time"

	"moonwatch/status"
)

// mail writes a message as RFC 5322 wants it. What may hold anything, a host's name or
// an operator's reason, is encoded: it cannot become a header.
func mail(c EmailConfig, m status.Message, now time.Time) []byte {
	var b bytes.Buffer
	head := func(name, value string) {
		if strings.HasPrefix(value, "=?") { // encoded words fill their lines
			value = "\r\n " + value
		} else {
			value = " " + value
		}
		b.WriteString(name + ":" + value + "\r\n")
	}
	head("From", "Moonwatch <"+c.From+">")
	head("To", strings.Join(c.To, ",\r\n\t"))
	head("Subject", subject(m.Title()))
	head("Date", now.UTC().Format(time.RFC1123Z))
	head("Message-ID", reference(m.ID, c.From))
	// The matter itself is the thread's root: so also who missed the first message
	// sees the others together.
	thread := reference(m.Cluster+"/"+m.Notice.ID, c.From)
	head("In-Reply-To", thread)
	head("References", thread)
	head("Auto-Submitted", "auto-generated") // nobody's holiday answers it
	if m.Notice.Severity == status.Critical && m.Says != status.SaysEnded {
		head("Importance", "high")
	}
	head("MIME-Version", "1.0")
	head("Content-Type", "text/plain; charset=utf-8")
	head("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(m.Text())) // into memory
	_ = w.Close()
	return b.Bytes()
}

// subjectMost is how long a title stands in a subject: what is longer, mail programs cut.
const subjectMost = 200

// subject encodes a title, on lines of at most 76 characters if it has to.
func subject(title string) string {
	if r := []rune(title); len(r) > subjectMost {
		title = string(r[:subjectMost-1]) + "…"
	}
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", title), "?= =?", "?=\r\n =?")
}
