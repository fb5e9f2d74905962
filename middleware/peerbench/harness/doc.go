// Package harness measures HTTP servers over loopback, side by side. Each server is a process of its own, the same program
// started again, with one processor: [Start] and [Serve]. The load comes from the program itself, pinned to another one:
// [Pin] and [Dial]. Figures are ratios within one round, and their median and quartiles over the rounds count: [Quartile].
//
// Pinning needs Linux; CPU times need a Unix.
package harness
