package conform

import "time"

// standstill watches this process until it is asked how long it did not run: a
// machine that has other work makes everything late, and no driver can help that.
func standstill() (lost func() time.Duration) {
	const beat = 10 * time.Millisecond
	stop, total := make(chan struct{}), make(chan time.Duration)
	go func() {
		var sum time.Duration
		tick := time.NewTicker(beat)
		defer tick.Stop()
		last := time.Now()
		note := func() {
			now := time.Now()
			sum += max(0, now.Sub(last)-2*beat)
			last = now
		}
		for {
			select {
			case <-tick.C:
				note()
			case <-stop:
				note()
				total <- sum
				return
			}
		}
	}()
	return func() time.Duration {
		close(stop)
		return <-total
	}
}
