package middleware

import "strings"

// find returns the value of a top-level claim, or, when path begins with a slash, the one that the JSON Pointer path
// (RFC 6901) leads to through objects. text was accepted before as one object.
func find(text, path string) (value, bool) {
	name, rest := path, ""
	if strings.HasPrefix(path, "/") {
		name, rest, _ = strings.Cut(path[1:], "/")
		if len(name)+1 < len(path) {
			rest = path[len(name)+1:]
		}
		name = pointerUnescaper.Replace(name)
	}
	var m members // of a text that was accepted before: it can only be an array or a scalar, which has none
	for m.begin(text); m.next(); {
		switch {
		case m.name != name:
		case rest == "":
			return m.value, true
		default:
			return find(m.value.raw, rest)
		}
	}
	return value{}, false
}

// pointerUnescaper works from left to right, as RFC 6901 §4 wants it: "~01" is "~1".
var pointerUnescaper = strings.NewReplacer("~1", "/", "~0", "~")

// validPointer reports whether path is a JSON Pointer to something in an object.
func validPointer(path string) bool {
	for i := range len(path) {
		if path[i] == '~' && (i+1 == len(path) || path[i+1] != '0' && path[i+1] != '1') {
			return false
		}
	}
	return len(path) > 1
}
