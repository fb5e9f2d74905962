package harness

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// Probe lets clients send requests at a fixed rate and returns how long each took, sorted. A client is used by one goroutine and
// sends every len(clients)-th request. If the client was still busy with the previous one, the time of a request counts from
// when it was due, so that a slow server does not get fewer requests; otherwise from when it is sent. After three times the
// length, no more requests are sent, and those left count with the time since they were due. The first error ends a client's
// requests, and Probe returns it.
//
// The process needs one more processor (GOMAXPROCS) than there are clients, or they disturb each other.
func Probe(clients []func() error, rate float64, length time.Duration) ([]time.Duration, error) {
	period := time.Duration(float64(len(clients)) / rate * float64(time.Second))
	began := time.Now()
	took, errs := make([][]time.Duration, len(clients)), make([]error, len(clients))
	var wg sync.WaitGroup
	for i, client := range clients {
		wg.Go(func() {
			due := began.Add(period * time.Duration(i) / time.Duration(len(clients)))
			for ; due.Sub(began) < length; due = due.Add(period) {
				from := due
				if time.Since(began) > 3*length {
					took[i] = append(took[i], time.Since(due))
					continue
				}
				if time.Now().Before(due) {
					sleepUntil(due)
					from = time.Now() // that this program woke up late is not the server's doing
				}
				if errs[i] = client(); errs[i] != nil {
					return
				}
				took[i] = append(took[i], time.Since(from))
			}
		})
	}
	wg.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	return all, errors.Join(errs...)
}
