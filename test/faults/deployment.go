package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cloudmirror/test/lab"
)

const (
	frontends   = 2
	copiers     = 2
	waitSeconds = 10 // the service's wait
	visibility  = "6s"
	adminToken  = "a-token-of-the-faults"
)

// A deployment is the system under test: front ends behind a balancer, copiers,
// what they depend on, and a proxy on each link.
type deployment struct {
	*laboratory
	toxi     *toxiproxy
	origin   *lab.Origin
	redis    [2]*redisServer // the second replicates the first
	sqs      string          // endpoint, past the proxies
	storages map[string]*storage
	balancer string // base URL
	digests  digests

	originName   string // host and port in the origin's URLs: its link for copiers
	originDirect string
	addresses    map[string]string // where links listen

	frontends []*role
	copiers   []*role
	owned     []func() // stop what belongs to the deployment, the newest last

	front              atomic.Pointer[string] // instead of the balancer, for self-checks
	clientsShareOrigin atomic.Bool            // clients reach the origin over the copiers' link

	window time.Duration // until a dead region is noticed; 0: it never is

	mu     sync.Mutex
	dead   map[string]deadTime // by region
	noneUp interval            // the origin is down for clients
}

// A deadTime is when a region's copies could not be fetched by clients, and how
// long that may remain unnoticed.
type deadTime struct {
	from   time.Time
	window time.Duration
}

// An interval is a time with a beginning and, unless it goes on, an end.
type interval struct{ from, until time.Time }

// overlaps reports whether the interval has anything in common with another.
func (i interval) overlaps(other interval) bool {
	return !i.from.IsZero() && i.from.Before(other.until) && (i.until.IsZero() || i.until.After(other.from))
}

// A role is a front end or a copier.
type role struct {
	*lab.Process
	kind   string // as on the command line
	listen string // of a front end
	admin  string
	last   counters // of its earlier lives
}

func newDeployment(ctx context.Context, l *laboratory) (*deployment, error) {
	d := &deployment{
		laboratory: l, digests: digests{known: make(map[string][32]byte)}, storages: make(map[string]*storage),
		addresses: make(map[string]string), dead: make(map[string]deadTime),
	}
	for _, step := range []func(context.Context) error{
		d.startOrigin, d.startProxies, d.startRedis, d.startSQS, d.startStorages, d.linkAll,
		d.configure, d.startRoles, d.startBalancer,
		func(ctx context.Context) error { return d.warm(ctx, func(item) bool { return true }) },
	} {
		if err := step(ctx); err != nil {
			d.close()
			return nil, err
		}
	}
	return d, nil
}

// close stops everything.
func (d *deployment) close() {
	for _, r := range append(d.frontends, d.copiers...) {
		r.Kill()
	}
	for i := len(d.owned) - 1; i >= 0; i-- {
		d.owned[i]()
	}
}

func (d *deployment) own(stop func()) { d.owned = append(d.owned, stop) }

func (d *deployment) startOrigin(context.Context) (err error) {
	if d.originDirect, err = lab.FreeAddress(); err != nil {
		return err
	}
	d.origin = lab.NewOrigin()
	server, err := lab.Serve(d.originDirect, d.origin)
	if err == nil {
		d.own(server.Close)
	}
	return err
}

func (d *deployment) startProxies(ctx context.Context) error {
	t, p, err := startToxiproxy(ctx, d.laboratory)
	if err != nil {
		return err
	}
	d.toxi = t
	d.own(p.Kill)
	return nil
}

// linkAll puts a proxy on every link.
func (d *deployment) linkAll(ctx context.Context) error {
	links := map[string]string{
		redisFrontends: d.redis[0].address, redisCopiers: d.redis[0].address,
		sqsFrontends: d.sqs, sqsCopiers: d.sqs, originCopiers: d.originDirect,
	}
	for region, s := range d.storages {
		links[s3Prefix+region], links[publicPrefix+region] = s.inner.Address, s.public.Address
	}
	for name, upstream := range links {
		listen, err := lab.FreeAddress()
		if err != nil {
			return err
		}
		if err := d.toxi.link(ctx, name, listen, upstream); err != nil {
			return err
		}
		d.addresses[name] = listen
	}
	d.originName = d.addresses[originCopiers]
	return nil
}

// startRoles starts front ends and copiers.
func (d *deployment) startRoles(ctx context.Context) error {
	for i := range frontends {
		r, err := d.startRole(ctx, "frontend", i, "cloudmirror")
		if err != nil {
			return err
		}
		d.frontends = append(d.frontends, r)
	}
	for i := range copiers {
		r, err := d.startRole(ctx, "copier", i, "cloudmirror")
		if err != nil {
			return err
		}
		d.copiers = append(d.copiers, r)
	}
	return nil
}

func (d *deployment) startRole(ctx context.Context, kind string, n int, binary string) (*role, error) {
	listen, err := lab.FreeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := lab.FreeAddress()
	if err != nil {
		return nil, err
	}
	r := &role{kind: kind, listen: listen, admin: admin, last: make(counters)}
	r.Process, err = d.start(ctx, fmt.Sprintf("%s-%d", kind, n+1), lab.Command{
		Program: d.path(binary), Args: []string{kind, "--config", d.path(kind + ".yaml")},
		Env:   append([]string{"CLOUDMIRROR_LISTEN=" + listen, "CLOUDMIRROR_ADMIN_LISTEN=" + admin}, lab.AWSEnv()...),
		Ready: lab.IsReady(admin),
	})
	return r, err
}

// warm waits until the known objects that are wanted have copies, and fetches
// them.
func (d *deployment) warm(ctx context.Context, wanted func(item) bool) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	c := newClient(d)
	for _, i := range warmItems() {
		for wanted(i) {
			r := c.get(ctx, i)
			if isHit(r) {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("%s %s is not copied: %s %s %s", i.kind, i.path, r.outcome, r.cache, r.detail)
			}
		}
	}
	d.origin.TakeCounts()
	return nil
}

// frontURL is where clients ask.
func (d *deployment) frontURL() string {
	if url := d.front.Load(); url != nil {
		return *url
	}
	return d.balancer
}

// declareDead says that clients cannot fetch a region's copies from now on, so
// that for a while redirects to it are no mistake yet. Without a monitor in the
// binary there is no such time.
func (d *deployment) declareDead(region string, window time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead[region] = deadTime{time.Now(), window}
}

func (d *deployment) declareOrigin(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if down {
		d.noneUp = interval{from: time.Now()}
	} else {
		d.noneUp.until = time.Now()
	}
}

func (d *deployment) forgive() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.dead)
	d.noneUp = interval{}
}

// isExcused reports whether a redirect to a region at a time could not know that
// the copy cannot be fetched.
func (d *deployment) isExcused(region string, asked time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	dead, found := d.dead[region]
	return found && asked.Before(dead.from.Add(dead.window))
}

// originWasDown reports whether the origin was down for clients at any moment
// between two times.
func (d *deployment) originWasDown(from, until time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.noneUp.overlaps(interval{from, until})
}

// text gets a page of the deployment.
func (d *deployment) text(ctx context.Context, url string) (string, error) {
	return lab.Get(ctx, d.plain, url)
}
