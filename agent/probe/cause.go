package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"unicode"
)

// ours are the errors that say more about this machine than about the member
// that was to be asked.
var ours = []error{
	syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, // we are short of something
	syscall.EADDRNOTAVAIL,         // all our ports are in use
	syscall.EAFNOSUPPORT,          // we do not speak this address family
	syscall.EPERM, syscall.EACCES, // our own packet filter
}

// theirs are the errors that somebody over there had to cause.
var theirs = []error{
	syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE,
	io.EOF, io.ErrUnexpectedEOF, // hung up before the answer was whole
}

// failed is the result of a question that ended in an error. Whatever nobody
// sent us is silence: a time-out, no route. An error that we do not know is what
// the caller says: silence before a connection stood, a refusal after.
func failed(question string, err error, otherwise Outcome) Result {
	outcome, cause := judge(err, otherwise)
	return Result{Outcome: outcome, Detail: told(question, "%s", cause)}
}

func judge(err error, otherwise Outcome) (Outcome, string) {
	for _, cause := range ours {
		if errors.Is(err, cause) {
			return Unasked, cause.Error()
		}
	}
	for _, cause := range theirs {
		if errors.Is(err, cause) {
			return Refuses, cause.Error()
		}
	}
	var timeout net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Silent, "no answer in time"
	case errors.Is(err, context.Canceled):
		return Silent, "not waited for"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Silent, "no route"
	default:
		return otherwise, err.Error()
	}
}

// detailLimit keeps a Detail on one line of `explain`, in bytes.
const detailLimit = 240

// told joins a question and what came of it. The answer may be in the words of
// whoever answered, so what a terminal would obey is taken out.
func told(question, format string, args ...any) string {
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(question+": "+fmt.Sprintf(format, args...), "?"))
	if len(text) > detailLimit {
		text = strings.ToValidUTF8(text[:detailLimit], "") + " ..."
	}
	return text
}
