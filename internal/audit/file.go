package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/member"
)

// Source is a chain that was read, with whatever was wrong with reading it.
type Source struct {
	Name    string // of the file
	Cluster string
	Member  member.ID
	Links   []Link
	Own     []Witness // what the same member remembers beside it
	Damage  []string  // of the file itself
	Whole   Head      // of the whole ledger in it, index 0: none
	Content []byte    // of that one; nil: it is not known

	NotWhole string // why the whole ledger could not be had, where there is one
}

// wholeWitness is what a file's own whole ledger is called as a witness.
const wholeWitness = "the whole ledger in this file"

// Open reads a data folder, a ledger's file, or an export.
func Open(path string) (Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Source{}, fmt.Errorf("audit: %w", err)
	}
	if !info.IsDir() && isExport(path) {
		return openExport(path)
	}
	found, err := disk.Inspect(path)
	if err != nil {
		return Source{}, err
	}
	s := Source{Name: found.Path, Cluster: found.Cluster, Member: found.Member, Damage: found.Damage}
	for _, r := range found.Facts {
		s.Links = append(s.Links, linkOf(r))
	}
	if len(found.Hash) == len(Hash{}) {
		s.Whole, s.Content = Head{found.Head, Hash(found.Hash)}, found.Whole
		s.Own = append(s.Own, Remembered{wholeWitness, []Head{s.Whole}})
	}
	heads, err := ReadMemory(filepath.Join(filepath.Dir(found.Path), MemoryName))
	switch {
	case err == nil:
		s.Own = append(s.Own, Remembered{"the heads beside this file", heads})
	case !errors.Is(err, fs.ErrNotExist):
		return Source{}, err
	}
	return s, nil
}

// linkOf is a record of the ledger's file.
func linkOf(r disk.Inspected) Link {
	f, err := consensus.DecodeFact(r.Bytes)
	switch {
	case err != nil && r.Damage != "":
		return Damaged(r.Index, r.Damage)
	case err != nil:
		return Damaged(r.Index, "its record is no fact: "+err.Error())
	case f.Index != r.Index:
		return Damaged(r.Index, fmt.Sprintf("its record calls itself fact %d", f.Index))
	}
	l := LinkOf(f)
	if r.Damage != "" {
		return l.Altered(r.Damage)
	}
	return l
}

// isExport looks at the first byte: an export is text, a ledger's file is not.
func isExport(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // only read
	b, err := bufio.NewReader(f).ReadByte()
	return err == nil && b == '{'
}

func openExport(path string) (Source, error) {
	f, err := os.Open(path)
	if err != nil {
		return Source{}, fmt.Errorf("audit: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	t, links, err := Read(f)
	s := Source{Name: path, Cluster: t.Cluster, Member: t.Member, Links: links}
	if err != nil {
		if t.Moonwatch == "" {
			return s, fmt.Errorf("audit %s: %w", path, err)
		}
		s.Damage = append(s.Damage, err.Error())
	}
	return s, nil
}

// File is a witness that is a file, which may hold more of a ledger than heads.
type File struct {
	Remembered
	Links []Link
	Whole Whole
}

// Witness is a whole ledger as a witness, which remembers where it ends.
func (w Whole) Witness() Witness { return File{Remembered{w.Of, []Head{w.At}}, nil, w} }

// WitnessOf reads what a file remembers: another agent's data folder, of which its heads
// count, such heads, a ledger, or an export.
func WitnessOf(path string) (Witness, error) {
	file := path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		file = filepath.Join(path, MemoryName)
	}
	if filepath.Base(file) == MemoryName {
		heads, err := ReadMemory(file)
		if err != nil {
			return nil, fmt.Errorf("witness: %w", err)
		}
		return Remembered{path, heads}, nil
	}
	s, err := Open(path)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	w := File{Remembered{Who: path}, s.Links, Whole{path, s.Whole, s.Content}}
	for _, l := range s.Links {
		if l.damage == "" {
			w.List = append(w.List, Head{l.Index, Hash(l.fact().Hash)})
		}
	}
	if len(w.List) == 0 && s.Whole.Index > 0 {
		w.List = []Head{s.Whole}
	}
	return w, nil
}

// Check verifies a source against itself, what lies beside it, and other witnesses.
func (s Source) Check(witnesses ...Witness) Report {
	r := Verify(s.Links, append(append([]Witness(nil), s.Own...), witnesses...))
	switch {
	case s.Whole.Index == 0:
	case len(s.Links) == 0:
		r = s.checkWhole(witnesses)
	case s.Whole.Index+1 == s.Links[0].Index && s.Links[0].damage == "" && s.Links[0].Prev != s.Whole.Hash:
		r.OK = false
		r.Breaks = append([]Break{{
			Fact: s.Whole.Index, What: "rewritten", Found: s.Whole.Hash.String(), Expected: s.Links[0].Prev.String(),
			Says:   []string{fmt.Sprintf("fact %d", s.Links[0].Index)},
			Detail: "the whole ledger before the first fact ends otherwise",
		}}, r.Breaks...)
	}
	for _, d := range s.Damage {
		r.Breaks = append(r.Breaks, Break{What: "damaged", Detail: d})
	}
	folded, breaks := s.foldAnew(witnesses)
	r.Folded, r.Breaks = folded, append(r.Breaks, breaks...)
	r.OK = r.OK && len(s.Damage) == 0 && len(breaks) == 0
	return r
}

// checkWhole verifies a whole ledger without the facts before it, as a restored backup
// is, and one that was fed at one stroke. It has no chain that could hold or not: only
// who remembers its head can say whether it is the one that was agreed. So it is good
// when somebody does, and nobody remembers another one.
func (s Source) checkWhole(witnesses []Witness) Report {
	at := s.Whole
	r := Report{Head: at.Index, Hash: at.Hash, Whole: &at}
	own := slices.DeleteFunc(slices.Clone(s.Own), func(w Witness) bool { return w.Name() == wholeWitness })
	agree := false
	for _, w := range append(own, witnesses...) {
		t := Testimony{Member: w.Name(), Agrees: true}
		heads, err := w.Heads(at.Index, at.Index)
		switch {
		case err != nil:
			t.Agrees, t.Unheard = false, err.Error()
		case len(heads) == 0:
		case heads[0].Hash == at.Hash:
			t.Head, t.AgreesTo = at.Index, at.Index
			agree = true
		default:
			t.Head, t.Agrees, t.Differs, t.Expected = at.Index, false, at.Index, heads[0].Hash.String()
			r.Breaks = append(r.Breaks, Break{
				Fact: at.Index, What: "rewritten", Found: at.Hash.String(), Expected: t.Expected, Says: []string{t.Member},
				Detail: "the whole ledger is not the one that was agreed",
			})
		}
		r.Witnesses = append(r.Witnesses, t)
	}
	r.OK = agree && len(r.Breaks) == 0
	return r
}
