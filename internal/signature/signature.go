// Package signature signs what is posted to a receiver of people's own, and lets the
// receiver see that it is ours and fresh: an HMAC over body and time, in two headers.
package signature

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The headers of a signed call.
const (
	HeaderTimestamp = "Moonwatch-Timestamp" // when it was signed, in seconds since 1970
	HeaderSignature = "Moonwatch-Signature" // "v1=" and the HMAC-SHA256 of timestamp, "." and body, in hex
)

// Fresh is how old or early a call may be signed: it bounds how long a call that
// somebody recorded could be played again.
const Fresh = 5 * time.Minute

// MinSecret is how long a secret has to be, in bytes: as much as a SHA-256 key is
// worth filling half.
const MinSecret = 16

// Sign sets the headers for a body.
func Sign(header http.Header, body, secret []byte, now time.Time) {
	stamp := strconv.FormatInt(now.Unix(), 10)
	header.Set(HeaderTimestamp, stamp)
	header.Set(HeaderSignature, "v1="+hex.EncodeToString(mac(stamp, body, secret)))
}

func mac(stamp string, body, secret []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(bytes.Join([][]byte{[]byte(stamp), body}, []byte(".")))
	return h.Sum(nil)
}

// Verify says whether a call was signed with one of the secrets, not long ago.
// It is for receivers; there are two secrets while one replaces the other.
func Verify(header http.Header, body []byte, now time.Time, secrets ...[]byte) error {
	stamp := header.Get(HeaderTimestamp)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%s is %q, want seconds since 1970", HeaderTimestamp, stamp)
	}
	if age := now.Sub(time.Unix(seconds, 0)); age.Abs() > Fresh {
		return fmt.Errorf("the call was signed %v ago, want at most %v", age, Fresh)
	}
	for _, secret := range secrets {
		if hmac.Equal([]byte(header.Get(HeaderSignature)), []byte("v1="+hex.EncodeToString(mac(stamp, body, secret)))) {
			return nil
		}
	}
	return errors.New("the signature is not ours")
}
