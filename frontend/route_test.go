package frontend

import (
	"fmt"
	"strings"
	"testing"

	"cloudmirror"
)

// reached is whether clients can fetch the copies of a region.
type reached bool

func (r reached) Reachable() bool { return bool(r) }

// asked returns a target in a region.
func asked(isReachable bool, fallback cloudmirror.Fallback, direct *redirect) *redirectTarget {
	b := &backend{id: cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}, reach: reached(isReachable)}
	return &redirectTarget{target: target{backend: b}, redirectOptions: redirectOptions{fallback: fallback}, direct: direct}
}

func TestTheRouteAsAsked(t *testing.T) {
	direct := new(redirect)
	tests := []struct {
		name   string
		target *redirectTarget
		want   string
	}{
		{"with a fallback", asked(true, cloudmirror.FallbackOrigin, nil), "s3/us-east-1, origin"},
		{"without a fallback", asked(true, cloudmirror.FallbackNone, nil), "s3/us-east-1, origin: fallback"},
		{"a region that is down", asked(false, cloudmirror.FallbackOrigin, nil), "s3/us-east-1: region-unreachable, origin"},
		{"a region that is down, without a fallback", asked(false, cloudmirror.FallbackNone, nil), "s3/us-east-1: region-unreachable, origin: fallback"},
		{"a direct object", asked(true, cloudmirror.FallbackOrigin, direct), "origin, s3/us-east-1: direct"},
		{"a direct object, without a fallback", asked(true, cloudmirror.FallbackNone, direct), "origin, s3/us-east-1: direct"},
		{"a direct object in a region that is down", asked(false, cloudmirror.FallbackNone, direct), "origin, s3/us-east-1: direct"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rt := asAsked{}.route(client{}, tt.target)
			var got []string
			for _, c := range rt.candidates {
				text := "origin"
				if c.place.Kind == cloudmirror.PlaceCopy {
					text = c.place.Backend.String()
				}
				if (c.want != nil) != (c.place.Kind == cloudmirror.PlaceCopy) {
					t.Errorf("%s: the copy is %v", text, c.want)
				}
				if c.excluded != "" {
					text = fmt.Sprintf("%s: %s", text, c.excluded)
				}
				got = append(got, text)
			}
			if got := strings.Join(got, ", "); got != tt.want {
				t.Errorf("the route is %s, want %s", got, tt.want)
			}
		})
	}
}

func TestTheBestOfTwoCopies(t *testing.T) {
	in := func(region string, why reason) candidate {
		return candidate{place: cloudmirror.Place{Kind: cloudmirror.PlaceCopy, Backend: cloudmirror.BackendID{Service: "s3", Region: region}}, excluded: why}
	}
	for _, tt := range []struct {
		name string
		rt   route
		want string
	}{
		{"the first, if clients may get both", route{candidates: [2]candidate{in("a", ""), in("b", "")}}, "a"},
		{"the one that is not excluded", route{candidates: [2]candidate{in("a", reasonUnreachable), in("b", "")}}, "b"},
		{"the one before that which is excluded", route{candidates: [2]candidate{in("a", ""), in("b", reasonUnreachable)}}, "a"},
	} {
		if got := tt.rt.best(cloudmirror.PlaceCopy).place.Backend.Region; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestARouteAllocatesNothing(t *testing.T) {
	target := asked(true, cloudmirror.FallbackOrigin, nil)
	d := &door{policy: asAsked{}}
	if got := testing.AllocsPerRun(100, func() {
		rt := d.policy.route(client{}, target)
		if rt.best(cloudmirror.PlaceCopy).excluded != "" {
			t.Error("the copy is excluded")
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestAddressesAreKeptByBackend(t *testing.T) {
	east, west := cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}, cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"}
	var all copyAddresses
	if got := all.find(east, "0", 0); got != nil {
		t.Errorf("%v was found in the zero value", got)
	}
	inEast, inWest, purged := new(redirect), new(redirect), new(redirect)
	all.keep(copyAddress{backend: east, generation: "0", redirect: inEast})
	all.keep(copyAddress{backend: west, generation: "0", redirect: inWest})
	if all.find(east, "0", 0) != inEast || all.find(west, "0", 0) != inWest {
		t.Error("the address in one region replaced that in another")
	}
	if all.find(east, "1", 0) != nil || all.find(east, "0", 1) != nil {
		t.Error("the address of another generation or epoch was found")
	}
	all.keep(copyAddress{backend: east, generation: "1", epoch: 2, redirect: purged})
	if all.find(east, "1", 2) != purged || all.find(east, "0", 0) != nil || all.find(west, "0", 0) != inWest {
		t.Error("the address of the latest generation did not replace the one before")
	}
}
