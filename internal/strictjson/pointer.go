package strictjson

import "strings"

// Find returns the value of a top-level member, or, when path begins with a slash, the one that the JSON Pointer path
// (RFC 6901) leads to through objects. text was accepted by [Object] before.
func Find(text, path string) (Value, bool) {
	name, rest := path, ""
	if strings.HasPrefix(path, "/") {
		name = path[1:]
		if end := strings.IndexByte(name, '/'); end >= 0 {
			name, rest = name[:end], name[end:]
		}
		name = pointerUnescaper.Replace(name)
	}
	var found Value
	// An array or a scalar on the way has no members: Object fails, and nothing is found.
	_ = Object(text, func(member string, value Value) error {
		if member == name {
			found = value
		}
		return nil
	})
	if found.Kind() == 0 || rest == "" {
		return found, found.Kind() != 0
	}
	return Find(found.text, rest)
}

// pointerUnescaper works from left to right, as RFC 6901, Section 4, demands: "~01" is "~1".
var pointerUnescaper = strings.NewReplacer("~1", "/", "~0", "~")

// ValidPointer reports whether path is a JSON Pointer to something inside an object.
func ValidPointer(path string) bool {
	for i := range len(path) {
		if path[i] == '~' && (i+1 == len(path) || path[i+1] != '0' && path[i+1] != '1') {
			return false
		}
	}
	return len(path) > 1 && path[0] == '/'
}
