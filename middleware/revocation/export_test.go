package revocation

// ParsePage shows what an answer is read as.
func ParsePage(body []byte) (ids []string, exps []int64, cursor string, more bool, err error) {
	p, err := parsePage(body)
	for _, e := range p.revoked {
		ids, exps = append(ids, e.id), append(exps, e.until)
	}
	return ids, exps, p.cursor, p.more, err
}
