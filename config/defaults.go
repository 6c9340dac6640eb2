package config

import (
	"time"

	"cloudmirror"
	"cloudmirror/config/schema"
)

// Default returns the configuration of `serve` without a file: everything in
// one process, copies as files under ./data, service s3 with region us-east-1
// and https origins, on 127.0.0.1:8080, with logs for people.
func Default() *Config {
	c := newConfig()
	c.Log.Format = LogConsole
	service := newService("s3")
	everyHTTPS, err := cloudmirror.ParseAllowPattern("^https://")
	if err != nil { // it is the pattern that the documentation recommends
		panic(err)
	}
	service.Allow = []cloudmirror.AllowPattern{everyHTTPS}
	backend := newBackend(service.Name, "us-east-1")
	backend.Storage.Type = StorageFile
	backend.Storage.complete()
	service.Backends = []Backend{backend}
	c.Services = []Service{service}
	return c
}

// newConfig returns the defaults that a file changes. It has no services.
func newConfig() *Config {
	return &Config{
		Listen:  "127.0.0.1:8080",
		DataDir: "./data",
		Log:     Log{Level: LogInfo, Format: LogJSON},
		Cache: Cache{
			Type: CacheMemory,
			Redis: Redis{
				URL: "redis://127.0.0.1:6379/0", Prefix: "cloudmirror:",
				Near: Near{MemoryBytes: 64 * schema.MiB, Delta: 500 * time.Millisecond},
			},
		},
		Queue: Queue{
			Type: QueueMemory,
			SQS: SQS{
				Region: "us-east-1", Prefix: "cloudmirror-",
				Visibility: time.Minute, MaxReceives: 5, Create: true,
			},
		},
		Copier: Copier{
			Concurrency: 16, Connections: 8, PartSizeBytes: 16 * schema.MiB, MemoryBytes: 192 * schema.MiB,
			Grace: 30 * time.Second,
		},
		Origin: Origin{
			MaxRedirects: 5, UserAgent: "cloudmirror", MinRateBytes: schema.KiB, MinRateOver: 30 * time.Second,
			Timeouts: Timeouts{Connect: 10 * time.Second, TLS: 10 * time.Second, FirstByte: 30 * time.Second, Idle: 30 * time.Second},
		},
		Limits:  Limits{Waiters: 20_000, CopiesPerHost: 8},
		Health:  Health{Interval: 2 * time.Second, Timeout: 2 * time.Second, Failures: 2},
		sources: make(schema.Sources),
	}
}

func newService(name string) Service {
	return Service{
		Name:               name,
		Ports:              []uint16{80, 443},
		Wait:               28 * time.Second,
		Fallback:           cloudmirror.FallbackOrigin,
		Mode:               cloudmirror.ModeWait,
		TTL:                7 * 24 * time.Hour,
		Recheck:            10 * time.Minute,
		NegativeTTL:        30 * time.Second,
		MaxObjectSizeBytes: 50 * schema.GiB,
	}
}

func newBackend(service, region string) Backend {
	return Backend{ID: cloudmirror.BackendID{Service: service, Region: region}, Storage: Storage{Access: AccessAuto}}
}

// completeOrigin raises MinRateOver to the longest wait that the timeouts allow,
// unless min_rate_over is set: one long wait must not fail a copy that is fast
// after it.
func (c *Config) completeOrigin() {
	if !c.sources.IsSet("origin.min_rate_over") {
		c.Origin.MinRateOver = max(c.Origin.MinRateOver, c.Origin.Timeouts.FirstByte, c.Origin.Timeouts.Idle)
	}
}

// complete sets what depends on the type and on the backend's name.
func (b *Backend) complete() {
	b.Storage.complete()
	if b.Storage.Type == StorageS3 && b.Storage.Region == "" {
		b.Storage.Region = b.ID.Region
	}
}

func (s *Storage) complete() {
	if s.Label == "" {
		s.Label = string(s.Type)
	}
}
