// Package strictjson reads untrusted JSON so that no second reader can understand it differently.
//
// encoding/json answers the two questions that matter for a token wrongly: it takes the last of two members with one
// name, and it matches names without regard to case. This reader is also stricter than RFC 8259 wherever readers differ:
// names are unique within every object, strings are valid UTF-8 without unpaired surrogates, numbers fit a float64,
// nothing follows the value, and the depth is bounded, because the text is unauthenticated. It can give way to
// encoding/json/jsontext once that is stable.
//
// [Object] reads the members of one object. A [Value] keeps the text of what was read; [Find] follows a JSON Pointer and
// [NumericDate] reads a date of RFC 7519.
package strictjson
