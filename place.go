package cloudmirror

// A PlaceKind says what serves an object. The zero value is none.
type PlaceKind uint8

// The kinds of places.
const (
	PlaceCopy   PlaceKind = iota + 1 // the copy in a backend
	PlaceOrigin                      // the server that the object's URL names
)

// A Place can serve an object. Places are compared with ==.
type Place struct {
	Kind    PlaceKind
	Backend BackendID // of a copy; zero for others
}

// A Location is where a client is sent to get an object from a place.
type Location struct {
	Place Place
	URL   string
}
