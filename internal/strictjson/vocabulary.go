package strictjson

import "strings"

// A Vocabulary is a set of names, all of ASCII letters, digits and punctuation, of which none may come in another case: a
// reader that matches names as encoding/json does would take it for the name itself.
type Vocabulary map[string]string // from the folded name to the name

// NewVocabulary returns the Vocabulary of names.
func NewVocabulary(names ...string) Vocabulary {
	v := Vocabulary{}
	for _, name := range names {
		v[fold(name)] = name
	}
	return v
}

// Misspells reports whether name differs from one of v's names only by case, in the sense of Unicode and of
// [strings.EqualFold]: ſ is an s and K (the Kelvin sign) a k.
func (v Vocabulary) Misspells(name string) bool {
	known, found := v[fold(name)]
	return found && known != name
}

// fold returns the same text for names that differ only by case. Almost all names are in lower case already.
func fold(name string) string {
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' || c >= 0x80 {
			return strings.Map(foldRune, name)
		}
	}
	return name
}

func foldRune(r rune) rune {
	switch {
	case 'A' <= r && r <= 'Z':
		return r + 'a' - 'A'
	case r == 'ſ':
		return 's'
	case r == '\u212a': // the Kelvin sign
		return 'k'
	}
	return r // no other one is an ASCII letter in another case
}
