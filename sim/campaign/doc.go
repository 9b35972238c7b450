// Package campaign plays many plans: it deals them out to child processes, sums
// up what they came to, keeps the results of a campaign that is run in slices,
// and shrinks a plan that breaks a promise to the faults that matter.
//
// Every plan is played in a child process of the same program (Serve), because a
// World replaces that process's crypto/rand.Reader. So the process that calls
// this package plays no world: it may be interrupted at any moment, and a world
// that crashes or hangs costs one seed. What a worker is given are the bytes of
// a plan, the same that are saved when it fails.
//
// What is summed up depends on the seeds that were played and on nothing else:
// not on the number of workers, not on their speed, not on the slices.
package campaign
