package frontend

// A door is where the requests for one configured host come in, or those for every host
// that has no door of its own.
type door struct {
	policy policy
}

// doorOf returns the door for the host that a request names.
func (rd *redirects) doorOf(host string) *door {
	if d := rd.doors[host]; d != nil {
		return d
	}
	return rd.anyHost
}
