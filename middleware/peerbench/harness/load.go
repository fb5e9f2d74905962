package harness

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// A Run is the result of one measurement of a server. Times are in seconds.
type Run struct {
	Rate     float64 // requests a second
	CPU      float64 // the server's processor time for one request
	P50, P99 float64 // of the time that a request took, seen by the client
}

// Load lets every client send one request after the other for a while, at least one each. A client is a function that sends a
// request and returns an error if the answer is wrong. The first error ends a client's requests, and Load returns it. There
// must be at least one client.
func (s *Server) Load(clients []func() error, length time.Duration) (Run, error) {
	used, err := s.CPU()
	if err != nil {
		return Run{}, err
	}
	began := time.Now()
	end := began.Add(length)
	took, errs := make([][]time.Duration, len(clients)), make([]error, len(clients))
	var wg sync.WaitGroup
	for i, client := range clients {
		wg.Go(func() {
			for at := time.Now(); len(took[i]) == 0 || at.Before(end); {
				if errs[i] = client(); errs[i] != nil {
					return
				}
				now := time.Now()
				took[i] = append(took[i], now.Sub(at))
				at = now
			}
		})
	}
	wg.Wait()
	whole := time.Since(began)
	after, err := s.CPU()
	if err := errors.Join(append(errs, err)...); err != nil {
		return Run{}, err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	n := float64(len(all))
	return Run{Rate: n / whole.Seconds(), CPU: (after - used).Seconds() / n, P50: At(all, 0.5).Seconds(), P99: At(all, 0.99).Seconds()}, nil
}
