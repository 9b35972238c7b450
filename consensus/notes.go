package consensus

import "fmt"

// notes is raft's logger. It keeps the lines until the next Step returns them
// as effects: a decision has no log of its own.
type notes struct{ lines []string }

// maxNotes bounds one Step's notes; raft says little.
const maxNotes = 32

func (n *notes) add(s string) {
	if len(n.lines) < maxNotes {
		n.lines = append(n.lines, s)
	}
}

func (n *notes) take() []string {
	l := n.lines
	n.lines = nil
	return l
}

func (n *notes) Debug(...any)                {}
func (n *notes) Debugf(string, ...any)       {}
func (n *notes) Info(...any)                 {}
func (n *notes) Infof(string, ...any)        {}
func (n *notes) Warning(v ...any)            { n.add(fmt.Sprint(v...)) }
func (n *notes) Warningf(f string, v ...any) { n.add(fmt.Sprintf(f, v...)) }
func (n *notes) Error(v ...any)              { n.add(fmt.Sprint(v...)) }
func (n *notes) Errorf(f string, v ...any)   { n.add(fmt.Sprintf(f, v...)) }

// Raft calls the following only for what cannot happen unless its storage
// broke a promise. There is no way on from there.

func (n *notes) Fatal(v ...any)            { panic("raft: " + fmt.Sprint(v...)) }
func (n *notes) Fatalf(f string, v ...any) { panic("raft: " + fmt.Sprintf(f, v...)) }
func (n *notes) Panic(v ...any)            { panic("raft: " + fmt.Sprint(v...)) }
func (n *notes) Panicf(f string, v ...any) { panic("raft: " + fmt.Sprintf(f, v...)) }
