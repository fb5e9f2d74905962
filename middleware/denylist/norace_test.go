//go:build !race

package denylist_test

const raceDetector = false
