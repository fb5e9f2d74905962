package revocation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

const (
	maxBody   = 1 << 20
	maxID     = 128
	maxCursor = 128
	maxExp    = 253402300799 // the end of the year 9999
)

// page is one answer of the server.
type page struct {
	revoked []entry
	cursor  string
	more    bool
}

// parsePage parses an answer. It is strict about the members that it knows, because an entry that is misread is a
// revocation that is missed. It skips members that it does not know.
func parsePage(body []byte) (p page, err error) {
	if !utf8.Valid(body) || !json.Valid(body) {
		return page{}, errors.New("not valid JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	found := false
	err = parseObject(dec, func(name string) (known bool, err error) {
		switch name {
		case "revoked":
			found = true
			p.revoked, err = parseEntries(dec)
		case "cursor":
			p.cursor, err = parseString(dec, name, maxCursor)
		case "more":
			p.more, err = parseBool(dec, name)
		default:
			return false, nil
		}
		return true, err
	})
	switch {
	case err != nil:
		return page{}, err
	case !found:
		return page{}, errors.New(`"revoked" is missing`)
	case p.cursor == "":
		return page{}, errors.New(`"cursor" is missing`)
	}
	return p, nil
}

func parseEntries(dec *json.Decoder) ([]entry, error) {
	if err := expectDelim(dec, '[', `"revoked" is not an array`); err != nil {
		return nil, err
	}
	var entries []entry
	for dec.More() {
		var e entry
		err := parseObject(dec, func(name string) (known bool, err error) {
			switch name {
			case "id":
				e.id, err = parseString(dec, name, maxID)
			case "exp":
				e.exp, err = parseSeconds(dec)
			default:
				return false, nil
			}
			return true, err
		})
		if err == nil && (e.id == "" || e.exp == 0) {
			err = errors.New(`"id" and "exp" are required`)
		}
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", len(entries)+1, err)
		}
		entries = append(entries, e)
	}
	_, err := dec.Token()
	return entries, err
}

// parseObject parses one object. The function member parses the value of a member that it knows; none of these may
// occur twice.
func parseObject(dec *json.Decoder, member func(name string) (known bool, err error)) error {
	if err := expectDelim(dec, '{', "not a JSON object"); err != nil {
		return err
	}
	seen := make([]string, 0, 4)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if slices.Contains(seen, name) {
			return fmt.Errorf("duplicate member %q", name)
		}
		known, err := member(name)
		switch {
		case err != nil:
			return err
		case known:
			seen = append(seen, name)
		default:
			var skipped json.RawMessage
			if err := dec.Decode(&skipped); err != nil {
				return err
			}
		}
	}
	_, err := dec.Token()
	return err
}

// expectDelim reads one token, and fails with the text message if it is not want.
func expectDelim(dec *json.Decoder, want json.Delim, message string) error {
	if token, err := dec.Token(); err != nil {
		return err
	} else if token != want {
		return errors.New(message)
	}
	return nil
}

func parseString(dec *json.Decoder, name string, maxLen int) (string, error) {
	token, err := dec.Token()
	if err != nil {
		return "", err
	}
	s, ok := token.(string)
	if !ok || s == "" || len(s) > maxLen {
		return "", fmt.Errorf("%q is not a string of 1 to %d bytes", name, maxLen)
	}
	return s, nil
}

func parseBool(dec *json.Decoder, name string) (bool, error) {
	token, err := dec.Token()
	if err != nil {
		return false, err
	}
	b, ok := token.(bool)
	if !ok {
		return false, fmt.Errorf("%q is not true or false", name)
	}
	return b, nil
}

func parseSeconds(dec *json.Decoder) (int64, error) {
	token, err := dec.Token()
	if err != nil {
		return 0, err
	}
	number, _ := token.(json.Number)
	n, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil || n < 1 || n > maxExp {
		return 0, errors.New(`"exp" is not a time in whole Unix seconds`)
	}
	return n, nil
}
