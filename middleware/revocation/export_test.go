package revocation

// ParsePage exposes parsePage to the tests.
func ParsePage(body []byte) (ids []string, exps []int64, cursor string, more bool, err error) {
	p, err := parsePage(body)
	for _, e := range p.revoked {
		ids, exps = append(ids, e.id), append(exps, e.exp)
	}
	return ids, exps, p.cursor, p.more, err
}
