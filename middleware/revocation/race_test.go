//go:build race

package revocation_test

const raceDetector = true
