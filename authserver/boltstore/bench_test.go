package boltstore_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/boltstore"
)

// BenchmarkAdvance advances one grant per caller in three ways, in turns: as the store does it, with one commit per
// step, and with bbolt's Batch. x-alone is the store's rate divided by that of one commit per step, x-batch its rate
// divided by that of Batch. commits/step is how many commits the store needs per step.
func BenchmarkAdvance(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("%d callers", callers), func(b *testing.B) {
			s, err := boltstore.Open(b.TempDir())
			require.NoError(b, err)
			defer func() { require.NoError(b, s.Close()) }()
			for i := range callers {
				require.NoError(b, s.Create(b.Context(), grant(fmt.Sprint(i))))
			}
			generations := make([]uint32, callers)
			const steps = 8 // per caller and turn
			ways := []struct {
				name    string
				advance func(authserver.Step) error
				took    []time.Duration
				commits int
			}{
				{name: "shared", advance: func(step authserver.Step) error { return s.Advance(b.Context(), step) }},
				{name: "alone", advance: s.AdvanceAlone},
				{name: "batch", advance: s.AdvanceBatch},
			}
			for b.Loop() {
				for _, i := range rand.Perm(len(ways)) {
					w := &ways[i]
					before, begin := s.Commits(), time.Now()
					var wg sync.WaitGroup
					for c := range callers {
						wg.Go(func() {
							for range steps {
								generations[c]++
								step := authserver.Step{
									ID: fmt.Sprint(c), From: generations[c], To: generations[c] + 1, Now: grant("").CreatedAt,
								}
								if err := w.advance(step); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					wg.Wait()
					w.took = append(w.took, time.Since(begin))
					w.commits += s.Commits() - before
				}
			}
			perSecond := map[string]float64{}
			for _, w := range ways {
				slices.Sort(w.took)
				perSecond[w.name] = float64(callers*steps) / w.took[len(w.took)/2].Seconds()
				b.ReportMetric(perSecond[w.name], w.name+"/s")
			}
			b.ReportMetric(0, "ns/op") // it would be the sum of the three ways
			b.ReportMetric(perSecond["shared"]/perSecond["alone"], "x-alone")
			b.ReportMetric(perSecond["shared"]/perSecond["batch"], "x-batch")
			b.ReportMetric(float64(ways[0].commits)/float64(callers*steps*len(ways[0].took)), "commits/step")
		})
	}
}
