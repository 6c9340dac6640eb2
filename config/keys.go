package config

import (
	"time"

	"cloudmirror"
)

// keys is the whole grammar: every key of the file, bound to the field of c that
// it sets. Reading, the environment and printing all walk it.
func (c *Config) keys() section {
	return section{
		{name: "listen", value: one(&c.Listen, listenAddress())},
		{name: "admin_listen", value: one(&c.AdminListen, optional(listenAddress()))},
		{name: "public_url", value: one(&c.PublicURL, optional(webURL()))},
		{name: "data_dir", value: one(&c.DataDir, path())},
		{name: "admin_tokens", value: many(&c.AdminTokens, token())},
		{name: "admin_tokens_file", value: one(&c.AdminTokensFile, optional(path()))},
		{name: "shutdown_delay", value: one(&c.ShutdownDelay, duration(0, 10*time.Minute))},
		{name: "trusted_proxies", value: many(&c.TrustedProxies, prefix())},
		{name: "log", value: section{
			{name: "level", value: one(&c.Log.Level, choice(LogDebug, LogInfo, LogWarn, LogError))},
			{name: "format", value: one(&c.Log.Format, choice(LogJSON, LogConsole))},
		}},
		{name: "cache", value: section{
			{name: "type", value: one(&c.Cache.Type, choice(CacheMemory, CacheRedis))},
			{name: "redis", value: section{
				{name: "url", value: one(&c.Cache.Redis.URL, redisURL())},
				{name: "prefix", value: one(&c.Cache.Redis.Prefix, redisPrefix())},
				{name: "near", value: section{
					{name: "memory", value: one(&c.Cache.Redis.Near.MemoryBytes, size(0, tebibyte))},
					{name: "delta", value: one(&c.Cache.Redis.Near.Delta, duration(0, 10*time.Second))},
				}},
			}},
		}},
		{name: "queue", value: section{
			{name: "type", value: one(&c.Queue.Type, choice(QueueMemory, QueueSQS))},
			{name: "sqs", value: c.Queue.SQS.keys()},
		}},
		{name: "copier", value: c.Copier.keys()},
		{name: "origin", value: c.Origin.keys()},
		{name: "limits", value: c.Limits.keys()},
		{name: "health", value: c.Health.keys()},
		{name: "services", value: named[Service]{
			items: &c.Services,
			check: cloudmirror.CheckService,
			new:   newService,
			name:  func(s *Service) string { return s.Name },
			keys:  (*Service).keys,
		}},
	}
}

func (s *SQS) keys() section {
	return section{
		{name: "endpoint", value: one(&s.Endpoint, optional(webURL()))},
		{name: "region", value: one(&s.Region, word(1, 63, "-"))},
		{name: "prefix", value: one(&s.Prefix, optional(word(1, 74, "-_")))},
		{name: "visibility", value: one(&s.Visibility, wholeSeconds(time.Second, 12*time.Hour))},
		{name: "max_receives", value: one(&s.MaxReceives, integer(1, 1000))},
		{name: "create", value: one(&s.Create, boolean())},
	}
}

func (c *Copier) keys() section {
	return section{
		{name: "backends", value: many(&c.Backends, backendID())},
		{name: "concurrency", value: one(&c.Concurrency, integer(1, 1000))},
		{name: "connections", value: one(&c.Connections, integer(1, 64))},
		{name: "part_size", value: one(&c.PartSizeBytes, size(5*mebibyte, 5*gibibyte))},
		{name: "memory", value: one(&c.MemoryBytes, size(5*mebibyte, tebibyte))},
		{name: "grace", value: one(&c.Grace, duration(0, time.Hour))},
	}
}

func (l *Limits) keys() section {
	return section{
		{name: "waiters", value: one(&l.Waiters, integer(1, 1_000_000))},
		{name: "waiters_per_client", value: one(&l.WaitersPerClient, integer(0, 1_000_000))},
		{name: "copies_per_host", value: one(&l.CopiesPerHost, integer(0, 1000))},
	}
}

func (o *Origin) keys() section {
	return section{
		{name: "proxy", value: one(&o.Proxy, optional(proxyURL()))},
		{name: "max_redirects", value: one(&o.MaxRedirects, integer(0, 20))},
		{name: "user_agent", value: one(&o.UserAgent, userAgent())},
		{name: "min_rate", value: one(&o.MinRateBytes, size(0, gibibyte))},
		{name: "min_rate_over", value: one(&o.MinRateOver, duration(time.Second, time.Hour))},
		{name: "timeouts", value: section{
			{name: "connect", value: one(&o.Timeouts.Connect, duration(100*time.Millisecond, 2*time.Minute))},
			{name: "tls", value: one(&o.Timeouts.TLS, duration(100*time.Millisecond, 2*time.Minute))},
			{name: "first_byte", value: one(&o.Timeouts.FirstByte, duration(100*time.Millisecond, 30*time.Minute))},
			{name: "idle", value: one(&o.Timeouts.Idle, duration(100*time.Millisecond, 30*time.Minute))},
		}},
	}
}

func (h *Health) keys() section {
	return section{
		{name: "interval", value: one(&h.Interval, duration(0, time.Hour))},
		{name: "timeout", value: one(&h.Timeout, duration(10*time.Millisecond, time.Minute))},
		{name: "failures", value: one(&h.Failures, integer(1, 100))},
	}
}

func (s *Service) keys() section {
	return section{
		{name: "allow", value: many(&s.Allow, allowPattern())},
		{name: "direct", value: many(&s.Direct, allowPattern())},
		{name: "allow_addresses", value: many(&s.AllowAddresses, prefix())},
		{name: "ports", value: many(&s.Ports, port())},
		{name: "wait", value: one(&s.Wait, duration(0, 15*time.Minute))},
		{name: "fallback", value: one(&s.Fallback, choice(cloudmirror.FallbackOrigin, cloudmirror.FallbackNone))},
		{name: "mode", value: one(&s.Mode, choice(cloudmirror.ModeWait, cloudmirror.ModeRedirectNow))},
		{name: "cors", value: origins{many(&s.CORS, pageOrigin())}},
		{name: "ttl", value: one(&s.TTL, duration(time.Minute, 10*365*24*time.Hour))},
		{name: "recheck", value: one(&s.Recheck, duration(0, 10*365*24*time.Hour))},
		{name: "negative_ttl", value: one(&s.NegativeTTL, duration(0, 24*time.Hour))},
		{name: "max_object_size", value: one(&s.MaxObjectSizeBytes, size(1, 5*tebibyte))},
		{name: "bandwidth", value: one(&s.BandwidthBytes, size(0, tebibyte))},
		{name: "headers", value: headers{&s.Headers}},
		{name: "backends", value: named[Backend]{
			items: &s.Backends,
			check: cloudmirror.CheckRegion,
			new:   func(region string) Backend { return newBackend(s.Name, region) },
			name:  func(b *Backend) string { return b.ID.Region },
			keys: func(b *Backend) section {
				return section{{name: "storage", value: b.Storage.keys()}}
			},
		}},
	}
}

func (s *Storage) keys() section {
	keys := section{
		{name: "type", value: one(&s.Type, choice(StorageFile, StorageS3))},
		{name: "bucket", value: one(&s.Bucket, word(3, 255, "._-"))},
		{name: "prefix", value: one(&s.Prefix, optional(keyPrefix()))},
		{name: "region", value: one(&s.Region, word(1, 63, "-"))},
		{name: "endpoint", value: one(&s.Endpoint, optional(webURL()))},
		{name: "path_style", value: one(&s.PathStyle, boolean())},
		{name: "provider", value: one(&s.Provider, word(1, 40, "-"))},
		{name: "public_url", value: one(&s.PublicURL, optional(webURL()))},
		{name: "presign", value: one(&s.Presign, boolean())},
		{name: "access", value: one(&s.Access, choice(AccessAuto, AccessPublic, AccessPrivate))},
	}
	for i := range keys {
		keys[i].hidden = s.Type == StorageFile && forS3Only(keys[i].name)
	}
	return keys
}

// forS3Only reports whether a key of a storage means nothing for files.
func forS3Only(key string) bool { return key != "type" && key != "provider" }
