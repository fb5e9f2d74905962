package strictjson

import "time"

// maxSeconds is the end of the year 9999. A date beyond it is a mistake or an attempt to overflow somebody's arithmetic.
const maxSeconds = 253402300799

// NumericDate reads the text of a JSON number as an RFC 7519 NumericDate: seconds since 1970, possibly with a
// fraction, exactly to the nanosecond (what is finer is cut off). It works on the digits, because a float64 of today's
// date resolves only some 200 ns and converting a large one to an integer is undefined.
func NumericDate(text string) (time.Time, bool) {
	var (
		digits  [40]byte // significant digits, without the point
		n       int
		point   int // how many digits stand before the point; negative when zeros follow it
		pointed bool
		exp     int
		expSign = 1
		i       int
	)
	for ; i < len(text); i++ {
		c := text[i]
		if c == '.' {
			point, pointed = n, true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		if n == 0 && c == '0' {
			if pointed {
				point--
			}
			continue
		}
		if n == len(digits) {
			if !pointed {
				return time.Time{}, false // far beyond the year 9999
			}
			continue // finer than anything that is kept
		}
		digits[n] = c
		n++
	}
	if i == 0 {
		return time.Time{}, false // negative, or not a number
	}
	if !pointed {
		point = n
	}
	if i < len(text) { // exponent, by the grammar that number has checked
		if text[i] != 'e' && text[i] != 'E' {
			return time.Time{}, false
		}
		for _, c := range []byte(text[i+1:]) {
			switch {
			case c == '-':
				expSign = -1
			case c == '+':
			case c < '0' || c > '9':
				return time.Time{}, false
			case exp < 1000:
				exp = exp*10 + int(c-'0')
			}
		}
	}
	point += expSign * exp
	var sec, nsec int64
	for k := range point {
		if sec > maxSeconds {
			return time.Time{}, false
		}
		sec *= 10
		if k < n {
			sec += int64(digits[k] - '0')
		}
		if k >= n && sec == 0 {
			break // 0e999
		}
	}
	if sec > maxSeconds {
		return time.Time{}, false
	}
	for k := range 9 {
		nsec *= 10
		if d := point + k; d >= 0 && d < n {
			nsec += int64(digits[d] - '0')
		}
	}
	return time.Unix(sec, nsec).UTC(), true
}
