// Package tables measures how soon and how rightly a failure is told, and sets
// it beside the naive policy in the same worlds and beside what memberlist was
// measured to do.
//
// An experiment is code: a Setting plays one world per seed and fills one Row;
// rows of the same setting add up, over processes, days and machines. The same
// setting and seed give the same row. A World owns the process's
// crypto/rand.Reader, so a process plays one world at a time; Measure deals worlds
// out to child processes.
//
// make bench-detect runs the experiments; the package's tests play each of them
// in a small size and hold it to its promises.
package tables
