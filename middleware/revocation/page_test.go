package revocation_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/revocation"
)

var pages = []struct {
	name, body string
	want       string // part of the error; "" for a good answer
	ids        []string
}{
	{"empty", `{"revoked":[],"cursor":"c"}`, "", nil},
	{"one", `{"revoked":[{"id":"a","exp":1735689600}],"cursor":"c"}`, "", []string{"a"}},
	{"two and more", `{"revoked":[{"id":"a","exp":1},{"exp":253402300799,"id":"b"}],"cursor":"c","more":true}`, "", []string{"a", "b"}},
	{"members in another order, and whitespace", "\n{ \"more\" : false , \"cursor\":\"c\", \"revoked\" : [ ] }\t", "", nil},
	{"unknown members", `{"x":{"revoked":[1]},"revoked":[{"id":"a","y":[[],{}],"exp":1}],"cursor":"c","x":null}`, "", []string{"a"}},
	{"the longest id", `{"revoked":[{"id":"` + strings.Repeat("a", 128) + `","exp":1}],"cursor":"` + strings.Repeat("c", 128) + `"}`, "", []string{strings.Repeat("a", 128)}},

	{"nothing", ``, "not valid JSON", nil},
	{"not JSON", `revoked`, "not valid JSON", nil},
	{"truncated", `{"revoked":[{"id":"a","exp":1}`, "not valid JSON", nil},
	{"trailing data", `{"revoked":[],"cursor":"c"}{}`, "not valid JSON", nil},
	{"a trailing comma", `{"revoked":[{"id":"a","exp":1},],"cursor":"c"}`, "not valid JSON", nil},
	{"not UTF-8", "{\"revoked\":[{\"id\":\"\xff\",\"exp\":1}],\"cursor\":\"c\"}", "not valid JSON", nil},
	{"an array", `[]`, "not a JSON object", nil},
	{"null", `null`, "not a JSON object", nil},
	{"no list", `{"cursor":"c"}`, `"revoked" is missing`, nil},
	{"a list under a name in another case", `{"Revoked":[{"id":"a","exp":1}],"cursor":"c"}`, `"revoked" is missing`, nil},
	{"a list that is null", `{"revoked":null,"cursor":"c"}`, "not an array", nil},
	{"a list that is an object", `{"revoked":{},"cursor":"c"}`, "not an array", nil},
	{"two lists", `{"revoked":[{"id":"a","exp":1}],"revoked":[],"cursor":"c"}`, `duplicate member "revoked"`, nil},
	{"no cursor", `{"revoked":[]}`, `"cursor" is missing`, nil},
	{"an empty cursor", `{"revoked":[],"cursor":""}`, `"cursor" is not`, nil},
	{"a long cursor", `{"revoked":[],"cursor":"` + strings.Repeat("c", 129) + `"}`, `"cursor" is not`, nil},
	{"a number for a cursor", `{"revoked":[],"cursor":1}`, `"cursor" is not`, nil},
	{"a string for more", `{"revoked":[],"cursor":"c","more":"true"}`, `"more" is not`, nil},
	{"null for more", `{"revoked":[],"cursor":"c","more":null}`, `"more" is not`, nil},
	{"a string as entry", `{"revoked":["a"],"cursor":"c"}`, "entry 1: not a JSON object", nil},
	{"no id", `{"revoked":[{"exp":1}],"cursor":"c"}`, "entry 1", nil},
	{"an empty id", `{"revoked":[{"id":"","exp":1}],"cursor":"c"}`, "entry 1", nil},
	{"a long id", `{"revoked":[{"id":"` + strings.Repeat("a", 129) + `","exp":1}],"cursor":"c"}`, "entry 1", nil},
	{"a number for an id", `{"revoked":[{"id":1,"exp":1}],"cursor":"c"}`, "entry 1", nil},
	{"two ids", `{"revoked":[{"id":"a","id":"b","exp":1}],"cursor":"c"}`, `duplicate member "id"`, nil},
	{"no exp", `{"revoked":[{"id":"b","exp":1},{"id":"a"}],"cursor":"c"}`, "entry 2", nil},
	{"exp 0", `{"revoked":[{"id":"a","exp":0}],"cursor":"c"}`, "whole Unix seconds", nil},
	{"a negative exp", `{"revoked":[{"id":"a","exp":-1}],"cursor":"c"}`, "whole Unix seconds", nil},
	{"a fraction for exp", `{"revoked":[{"id":"a","exp":1.5}],"cursor":"c"}`, "whole Unix seconds", nil},
	{"an exponent for exp", `{"revoked":[{"id":"a","exp":1e9}],"cursor":"c"}`, "whole Unix seconds", nil},
	{"an exp beyond the year 9999", `{"revoked":[{"id":"a","exp":253402300800}],"cursor":"c"}`, "whole Unix seconds", nil},
	{"an exp beyond 64 bits", `{"revoked":[{"id":"a","exp":99999999999999999999}],"cursor":"c"}`, "whole Unix seconds", nil},
	{"a string for exp", `{"revoked":[{"id":"a","exp":"1"}],"cursor":"c"}`, "whole Unix seconds", nil},
	{"deep nesting", `{"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `,"revoked":[],"cursor":"c"}`, "not valid JSON", nil},
}

func TestParsePage(t *testing.T) {
	for _, row := range pages {
		t.Run(row.name, func(t *testing.T) {
			ids, _, cursor, _, err := revocation.ParsePage([]byte(row.body))
			if row.want != "" {
				assert.ErrorContains(t, err, row.want)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, row.ids, ids)
			assert.Equal(t, "c", cursor[:1])
		})
	}
}

// FuzzPage checks that no answer makes parsePage panic, that what it returns is within the bounds, and that it reads
// the same again when written.
func FuzzPage(f *testing.F) {
	for _, row := range pages {
		f.Add([]byte(row.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ids, exps, cursor, more, err := revocation.ParsePage(body)
		if err != nil {
			require.Empty(t, ids)
			require.Empty(t, cursor)
			return
		}
		require.True(t, cursor != "" && len(cursor) <= 128)
		list := []map[string]any{}
		for i, id := range ids {
			require.True(t, id != "" && len(id) <= 128)
			require.True(t, exps[i] >= 1 && exps[i] <= 253402300799)
			list = append(list, map[string]any{"id": id, "exp": exps[i]})
		}
		written, err := json.Marshal(map[string]any{"revoked": list, "cursor": cursor, "more": more})
		require.NoError(t, err)
		ids2, exps2, cursor2, more2, err := revocation.ParsePage(written)
		require.NoError(t, err)
		require.Equal(t, []any{ids, exps, cursor, more}, []any{ids2, exps2, cursor2, more2})
	})
}
