package frontend

import (
	"net/http"
	"strings"
)

// loops reports whether a request came from a copier of this deployment, which
// names itself in CDN-Loop (RFC 8586): a list of ids, each with parameters that
// may have quoted strings.
func (rd *redirects) loops(h http.Header) bool {
	if rd.deploymentID == "" {
		return false
	}
	for _, line := range h["Cdn-Loop"] {
		for line != "" {
			var element string
			element, line = cutElement(line)
			id, _, _ := strings.Cut(element, ";")
			if strings.Trim(id, " \t") == rd.deploymentID {
				return true
			}
		}
	}
	return false
}

// cutElement returns the first element of a list (RFC 9110, section 5.6.1) and
// what is behind its comma.
func cutElement(list string) (element, rest string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			return list[:i], list[i+1:]
		}
	}
	return list, ""
}
