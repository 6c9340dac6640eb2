package config

import "strings"

// reservedHeader returns why a header, named in lower case, is the copier's alone;
// "": a service may set it.
func reservedHeader(name string) string {
	switch name {
	case "host":
		return "it is part of the URL that is asked for"
	case "range":
		return "copiers ask for ranges where an object is continued or read over several connections"
	case "accept-encoding":
		return "bodies are copied as the origin keeps them, without a coding for the way"
	case "cdn-loop":
		return "it tells front ends which requests their own copiers make"
	case "connection", "content-length", "expect", "http2-settings", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade":
		return "it is about the connection or the body of a request, and not about the object"
	}
	switch {
	case strings.HasPrefix(name, "if-"):
		return "copiers set conditions where they continue an object, and want all of it otherwise"
	case strings.HasPrefix(name, "proxy-"):
		return "it is for proxies: see origin.proxy"
	}
	return ""
}
