// Package report writes down what the simulator found, for people: a folder
// with result.json, which holds everything, and index.html, which shows it.
//
// The page is one file. It asks for nothing from outside, says everything
// without scripts, and is drawn here, as SVG within HTML; its script only lets a
// reader look closer. Whatever a plan or a member is called is text on it and
// nothing else.
//
// Write makes a folder or leaves nothing: one that exists is refused, and one
// that could not be finished is taken away.
package report
