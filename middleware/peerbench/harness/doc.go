// Package harness compares HTTP servers over loopback. Each server is a process on one processor, the same program started
// again: [Start] and [Serve]. The program itself sends the load, pinned to another processor: [Pin] and [Dial]. Figures are
// ratios within one round, and their median and quartiles over all rounds count: [Quartile].
//
// Pinning needs Linux; CPU times need a Unix.
package harness
