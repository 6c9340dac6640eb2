package cloudmirror

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
)

// A BackendID names one backend: one storage and one queue, for one service in
// one region.
type BackendID struct {
	Service string
	Region  string
}

// String returns `<service>/<region>`, as in URLs and in the configuration.
func (b BackendID) String() string { return b.Service + "/" + b.Region }

// ParseBackendID reads what [BackendID.String] writes. The error says what is
// allowed.
func ParseBackendID(s string) (BackendID, error) {
	service, region, found := strings.Cut(s, "/")
	if !found {
		return BackendID{}, fmt.Errorf("backend %q is not of the form service/region", s)
	}
	b := BackendID{Service: service, Region: region}
	return b, b.Check()
}

// Check reports a service or region name that is not allowed.
func (b BackendID) Check() error {
	if err := CheckService(b.Service); err != nil {
		return err
	}
	return CheckRegion(b.Region)
}

// CheckService reports whether s cannot be the name of a service: 1 to 20
// characters of a-z and 0-9.
func CheckService(s string) error {
	valid := len(s) >= 1 && len(s) <= 20
	for i := range len(s) {
		valid = valid && isLowerAlphanumeric(s[i])
	}
	if !valid {
		return fmt.Errorf("service %q must be 1 to 20 characters of a-z and 0-9", s)
	}
	return nil
}

// CheckRegion reports whether s cannot be the name of a region: 1 to 63
// characters of a-z, 0-9 and hyphen, the first no hyphen; not ending in -dead,
// which dead-letter queues are named by; and none of the reserved names auto,
// all and origin.
func CheckRegion(s string) error {
	valid := len(s) >= 1 && len(s) <= 63 && s[0] != '-'
	for i := range len(s) {
		valid = valid && (isLowerAlphanumeric(s[i]) || s[i] == '-')
	}
	if !valid {
		return fmt.Errorf("region %q must be 1 to 63 characters of a-z, 0-9 and hyphen, the first no hyphen", s)
	}
	if strings.HasSuffix(s, "-dead") {
		return fmt.Errorf("region %q must not end in -dead", s)
	}
	if slices.Contains([]string{"auto", "all", "origin"}, s) {
		return fmt.Errorf("region %q is reserved: auto, all and origin have meanings of their own", s)
	}
	return nil
}

// NewID returns a random identifier of 26 lower-case letters and digits (130
// bits), for attempts and generations. Identifiers are random because a counter
// in the cache would start again after a flush, and let an old holder pass.
func NewID() string { return strings.ToLower(rand.Text()) }
