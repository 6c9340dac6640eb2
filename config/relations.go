package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"cloudmirror"
	"cloudmirror/config/schema"
)

// maxQueueName is the limit of SQS (CreateQueue, QueueName).
const maxQueueName = 80

// With less memory, front ends would rarely find what they remember. With a shorter
// delta, they would have to ask Redis too often whether it is still true.
const (
	minNearMemory = schema.MiB
	minNearDelta  = 100 * time.Millisecond
)

// relations reports what is wrong between keys that are right by themselves.
func (c *Config) relations() []error {
	var problems []error
	report := func(path, format string, args ...any) {
		problems = append(problems, c.sources.Problem(path, format, args...))
	}
	if c.AdminListen != "" && c.AdminListen == c.Listen && !strings.HasSuffix(c.Listen, ":0") {
		report("admin_listen", "%s must differ from listen", schema.Quote(c.AdminListen))
	}
	if c.Copier.MemoryBytes < c.Copier.PartSizeBytes {
		report("copier.memory", "%q must be at least copier.part_size, which is %s",
			schema.FormatSize(c.Copier.MemoryBytes), schema.FormatSize(c.Copier.PartSizeBytes))
	}
	if c.Health.Interval > 0 && c.Health.Timeout > c.Health.Interval {
		report("health.timeout", "%q must be at most health.interval, which is %v", c.Health.Timeout, c.Health.Interval)
	}
	if near := c.Cache.Redis.Near; near.MemoryBytes > 0 && near.MemoryBytes < minNearMemory {
		report("cache.redis.near.memory", "%q must be at least %s, or 0 to remember nothing", schema.FormatSize(near.MemoryBytes), schema.FormatSize(minNearMemory))
	} else if near.MemoryBytes > 0 && near.Delta < minNearDelta {
		report("cache.redis.near.delta", "%q must be at least %s, or cache.redis.near.memory 0", schema.FormatDuration(near.Delta), schema.FormatDuration(minNearDelta))
	}
	if len(c.Services) == 0 {
		report("services", "must name at least one service")
	}
	for i := range c.Services {
		problems = append(problems, c.serviceRelations(&c.Services[i])...)
	}
	for i, b := range c.Copier.Backends {
		path := fmt.Sprintf("copier.backends[%d]", i)
		if !slices.ContainsFunc(c.backends(), func(known *Backend) bool { return known.ID == b }) {
			report(path, "%q must be a backend of services: %s", b, strings.Join(c.backendNames(), ", "))
		}
		if slices.Contains(c.Copier.Backends[:i], b) {
			report(path, "%q is listed twice", b)
		}
	}
	return append(problems, c.overlaps()...)
}

func (c *Config) serviceRelations(s *Service) []error {
	var problems []error
	path := schema.Join("services", s.Name)
	if len(s.Allow) == 0 {
		problems = append(problems, c.sources.Problem(schema.Join(path, "allow"), `must list at least one pattern, such as "^https://"`))
	}
	if len(s.CORS) > 1 && slices.Contains(s.CORS, everyOrigin) {
		problems = append(problems, c.sources.Problem(schema.Join(path, "cors"), `%q must be alone: it stands for every origin`, everyOrigin))
	}
	if least := 2 * c.Origin.Timeouts.FirstByte; s.TTL < least {
		problems = append(problems, c.sources.Problem(schema.Join(path, "ttl"), "%q must be at least %s, twice origin.timeouts.first_byte: a copy may take half of its ttl",
			schema.FormatDuration(s.TTL), schema.FormatDuration(least)))
	}
	if len(s.Backends) == 0 {
		problems = append(problems, c.sources.Problem(schema.Join(path, "backends"), "must name at least one region"))
	}
	for i := range s.Backends {
		b := &s.Backends[i]
		path := schema.Join(schema.Join(path, "backends"), b.ID.Region)
		problems = append(problems, c.storageRelations(&b.Storage, schema.Join(path, "storage"))...)
		dead := c.Queue.SQS.QueueName(b.ID) + "-dead"
		if c.Queue.Type == QueueSQS && len(dead) > maxQueueName {
			problems = append(problems, c.sources.Problem(path, "%q must be at most %d characters long: it is the name of the dead-letter queue, of queue.sqs.prefix, service and region",
				dead, maxQueueName))
		}
	}
	return problems
}

func (c *Config) storageRelations(s *Storage, path string) []error {
	var problems []error
	switch {
	case s.Type == "":
		problems = append(problems, c.sources.Problem(schema.Join(path, "type"), "must be set to %s or %s", StorageFile, StorageS3))
	case s.Type == StorageS3 && s.Bucket == "":
		problems = append(problems, c.sources.Problem(schema.Join(path, "bucket"), "must be set"))
	case s.Presign && s.PublicURL != "":
		problems = append(problems, c.sources.Problem(schema.Join(path, "presign"), "\"true\" does not go with public_url: a signature is good for the bucket's own URL only"))
	case s.Presign && s.Access == AccessPublic:
		problems = append(problems, c.sources.Problem(schema.Join(path, "access"), "%q does not go with presign: what everybody may read needs no signature", AccessPublic))
	case s.Type == StorageFile:
		for _, k := range s.keys() {
			keyPath := schema.Join(path, k.Name)
			if c.sources.IsSet(keyPath) && forS3Only(k.Name) {
				problems = append(problems, c.sources.Problem(keyPath, "is for storage of type s3; this one is of type file"))
			}
		}
	}
	return problems
}

// overlaps reports S3 storages that share keys.
func (c *Config) overlaps() []error {
	var problems []error
	var seen []*Backend
	for _, b := range c.backends() {
		if b.Storage.Type != StorageS3 {
			continue
		}
		i := slices.IndexFunc(seen, func(other *Backend) bool { return overlap(&b.Storage, &other.Storage) })
		if i >= 0 {
			problems = append(problems, c.sources.Problem(storagePath(b.ID),
				"bucket %q with prefix %q overlaps bucket %q with prefix %q of %s: every backend needs keys of its own, and no prefix may begin with another",
				b.Storage.Bucket, b.Storage.Prefix, seen[i].Storage.Bucket, seen[i].Storage.Prefix, seen[i].ID))
		}
		seen = append(seen, b)
	}
	return problems
}

func storagePath(b cloudmirror.BackendID) string {
	return fmt.Sprintf("services.%s.backends.%s.storage", b.Service, b.Region)
}

func overlap(a, b *Storage) bool {
	return a.Place() == b.Place() &&
		(strings.HasPrefix(a.Prefix, b.Prefix) || strings.HasPrefix(b.Prefix, a.Prefix))
}

// Place names the server and the bucket, the same for every spelling of an endpoint.
// Two servers may each have a bucket of one name.
func (s Storage) Place() string {
	u, err := url.Parse(s.Endpoint)
	if err != nil { // the key was checked: it is a URL
		return s.Endpoint + " " + s.Bucket
	}
	host := strings.ToLower(u.Host)
	for scheme, port := range map[string]string{"http": ":80", "https": ":443"} {
		if strings.EqualFold(u.Scheme, scheme) {
			host = strings.TrimSuffix(host, port)
		}
	}
	return host + u.Path + " " + s.Bucket
}

func (c *Config) backends() []*Backend {
	var all []*Backend
	for i := range c.Services {
		for j := range c.Services[i].Backends {
			all = append(all, &c.Services[i].Backends[j])
		}
	}
	return all
}

func (c *Config) backendNames() []string {
	var names []string
	for _, b := range c.backends() {
		names = append(names, b.ID.String())
	}
	return names
}
