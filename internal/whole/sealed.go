package whole

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strings"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Seal puts a line before a text that says what it is, as in "moonwatch steps 1", and the
// checksum of all that follows: what a disk has rotted or somebody has cut is not believed.
// People can read it in an emergency.
func Seal(what string, text []byte) []byte {
	return fmt.Appendf(nil, "%s %08x\n%s", what, crc32.Checksum(text, castagnoli), text)
}

// Unseal gives back what Seal was given, or says why it is not that.
func Unseal(what string, content []byte) (text []byte, err error) {
	head, text, found := bytes.Cut(content, []byte("\n"))
	sum, ours := strings.CutPrefix(string(head), what+" ")
	if !found || !ours {
		return nil, fmt.Errorf("damaged: does not begin with %q", what)
	}
	if want := fmt.Sprintf("%08x", crc32.Checksum(text, castagnoli)); sum != want {
		return nil, fmt.Errorf("damaged: checksum is %q, want %s", sum, want)
	}
	return text, nil
}
