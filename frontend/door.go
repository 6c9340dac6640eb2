package frontend

// anyHost is the host of the door through which requests come in whose host has no door
// of its own.
const anyHost = ""

// A door is where the requests for one configured host come in.
type door struct {
	host   string // as it is configured, or anyHost
	policy policy
}

// doorOf returns the door for the host that a request names.
func (rd *redirects) doorOf(host string) *door {
	if d := rd.doors[host]; d != nil {
		return d
	}
	return rd.doors[anyHost]
}
