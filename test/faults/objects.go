package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"cloudmirror"
	"cloudmirror/origin/origintest"
)

const service = "s3"

// regions are the two of every deployment. Each object belongs to one of them,
// so that the origin's counts are counts of one backend.
var regions = []string{"eu", "us"}

// A kind of object in the load.
type kind string

const (
	hot      kind = "hot"       // copied before the first fault
	fresh    kind = "new"       // the current one of a region is new twice a second
	big      kind = "big"       // copied before, too
	freshBig kind = "new-big"   // new every ten seconds
	special  kind = "a special" // what a scenario asks for by itself
)

const (
	hotObjects  = 16 // in each region
	bigObjects  = 2
	newEvery    = 500 * time.Millisecond
	newBigEvery = 10 * time.Second
	smallBytes  = 64 << 10
	bigBytes    = 20 << 20
)

// An item is an object of the load.
type item struct {
	kind   kind
	region string
	path   string
	size   int64
	rate   int64 // bytes per second that the origin sends; 0: all at once
}

func (i item) backend() cloudmirror.BackendID {
	return cloudmirror.BackendID{Service: service, Region: i.region}
}

// object returns the object as clients name it.
func (i item) object(origin string) cloudmirror.Object {
	raw := fmt.Sprintf("http://%s%s?size=%d", origin, i.path, i.size)
	if i.rate > 0 {
		raw += fmt.Sprintf("&rate=%d", i.rate)
	}
	o, err := cloudmirror.ParseObject(raw)
	if err != nil {
		panic(err) // it is made above
	}
	return o
}

func hotItem(region string, n int) item {
	return item{kind: hot, region: region, path: fmt.Sprintf("/%s/hot/%d.bin", region, n), size: smallBytes}
}

func bigItem(region string, n int) item {
	return item{kind: big, region: region, path: fmt.Sprintf("/%s/big/%d.bin", region, n), size: bigBytes}
}

// specialItem is an object of a scenario, which nobody else asks for.
func specialItem(region string, size, rate int64) item {
	return item{kind: special, region: region, path: "/" + region + "/special/" + cloudmirror.NewID() + ".bin", size: size, rate: rate}
}

// warmItems are all objects that are copied before the first fault.
func warmItems() []item {
	var items []item
	for _, region := range regions {
		for n := range hotObjects {
			items = append(items, hotItem(region, n))
		}
		for n := range bigObjects {
			items = append(items, bigItem(region, n))
		}
	}
	return items
}

// pick chooses what a client asks for next. A new object is asked for by a few
// clients at about the same time.
func pick(load string, running time.Duration) item {
	region := regions[rand.IntN(len(regions))]
	switch n := rand.IntN(1000); {
	case n < 10:
		return bigItem(region, rand.IntN(bigObjects))
	case n < 18:
		return item{kind: freshBig, region: region, path: fmt.Sprintf("/%s/%s/big/%d.bin", region, load, running/newBigEvery), size: bigBytes}
	case n < 250:
		return item{kind: fresh, region: region, path: fmt.Sprintf("/%s/%s/%d.bin", region, load, running/newEvery), size: smallBytes}
	default:
		return hotItem(region, rand.IntN(hotObjects))
	}
}

// Digests remembers the SHA-256 of objects, which the origin makes of their
// paths.
type digests struct {
	mu    sync.Mutex
	known map[string][sha256.Size]byte
}

func (d *digests) of(i item) [sha256.Size]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if sum, found := d.known[i.path]; found {
		return sum
	}
	h := sha256.New()
	_, _ = io.Copy(h, origintest.Content(i.path, i.size)) // generated: cannot fail
	d.known[i.path] = [sha256.Size]byte(h.Sum(nil))
	return d.known[i.path]
}
