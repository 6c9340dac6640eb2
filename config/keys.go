package config

import (
	"time"

	"cloudmirror"
	"cloudmirror/config/schema"
)

// keys is the whole grammar: every key of the file, bound to the field of c that
// it sets. Reading, the environment and printing all walk it.
func (c *Config) keys() schema.Section {
	return schema.Section{
		schema.One("listen", &c.Listen, schema.HostPort()),
		schema.One("admin_listen", &c.AdminListen, schema.Optional(schema.HostPort())),
		schema.One("public_url", &c.PublicURL, schema.Optional(schema.WebURL())),
		schema.One("data_dir", &c.DataDir, schema.Path()),
		schema.Many("admin_tokens", &c.AdminTokens, token()),
		schema.One("admin_tokens_file", &c.AdminTokensFile, schema.Optional(schema.Path())),
		schema.One("shutdown_delay", &c.ShutdownDelay, schema.Duration(0, 10*time.Minute)),
		schema.Many("trusted_proxies", &c.TrustedProxies, schema.CIDR()),
		schema.Group("log", schema.Section{
			schema.One("level", &c.Log.Level, schema.Choice(LogDebug, LogInfo, LogWarn, LogError)),
			schema.One("format", &c.Log.Format, schema.Choice(LogJSON, LogConsole)),
		}),
		schema.Group("cache", schema.Section{
			schema.One("type", &c.Cache.Type, schema.Choice(CacheMemory, CacheRedis)),
			schema.Group("redis", schema.Section{
				schema.One("url", &c.Cache.Redis.URL, redisURL()),
				schema.One("prefix", &c.Cache.Redis.Prefix, redisPrefix()),
				schema.Group("near", schema.Section{
					schema.One("memory", &c.Cache.Redis.Near.MemoryBytes, schema.Size(0, schema.TiB)),
					schema.One("delta", &c.Cache.Redis.Near.Delta, schema.Duration(0, 10*time.Second)),
				}),
			}),
		}),
		schema.Group("queue", schema.Section{
			schema.One("type", &c.Queue.Type, schema.Choice(QueueMemory, QueueSQS)),
			schema.Group("sqs", c.Queue.SQS.keys()),
		}),
		schema.Group("copier", c.Copier.keys()),
		schema.Group("origin", c.Origin.keys()),
		schema.Group("limits", c.Limits.keys()),
		schema.Group("health", c.Health.keys()),
		schema.Each("services", schema.Items[Service]{
			Target: &c.Services,
			Check:  cloudmirror.CheckService,
			New:    newService,
			Name:   func(s *Service) string { return s.Name },
			Keys:   (*Service).keys,
		}),
	}
}

func (s *SQS) keys() schema.Section {
	return schema.Section{
		schema.One("endpoint", &s.Endpoint, schema.Optional(schema.WebURL())),
		schema.One("region", &s.Region, schema.Word(1, 63, "-")),
		schema.One("prefix", &s.Prefix, schema.Optional(schema.Word(1, 74, "-_"))),
		schema.One("visibility", &s.Visibility, schema.WholeSeconds(time.Second, 12*time.Hour)),
		schema.One("max_receives", &s.MaxReceives, schema.Integer(1, 1000)),
		schema.One("create", &s.Create, schema.Boolean()),
	}
}

func (c *Copier) keys() schema.Section {
	return schema.Section{
		schema.Many("backends", &c.Backends, backendID()),
		schema.One("concurrency", &c.Concurrency, schema.Integer(1, 1000)),
		schema.One("connections", &c.Connections, schema.Integer(1, 64)),
		schema.One("part_size", &c.PartSizeBytes, schema.Size(5*schema.MiB, 5*schema.GiB)),
		schema.One("memory", &c.MemoryBytes, schema.Size(5*schema.MiB, schema.TiB)),
		schema.One("grace", &c.Grace, schema.Duration(0, time.Hour)),
	}
}

func (l *Limits) keys() schema.Section {
	return schema.Section{
		schema.One("waiters", &l.Waiters, schema.Integer(1, 1_000_000)),
		schema.One("waiters_per_client", &l.WaitersPerClient, schema.Integer(0, 1_000_000)),
		schema.One("copies_per_host", &l.CopiesPerHost, schema.Integer(0, 1000)),
	}
}

func (o *Origin) keys() schema.Section {
	return schema.Section{
		schema.One("proxy", &o.Proxy, schema.Optional(schema.ProxyURL())),
		schema.One("max_redirects", &o.MaxRedirects, schema.Integer(0, 20)),
		schema.One("user_agent", &o.UserAgent, schema.HeaderText(256)),
		schema.One("min_rate", &o.MinRateBytes, schema.Size(0, schema.GiB)),
		schema.One("min_rate_over", &o.MinRateOver, schema.Duration(time.Second, time.Hour)),
		schema.Group("timeouts", schema.Section{
			schema.One("connect", &o.Timeouts.Connect, schema.Duration(100*time.Millisecond, 2*time.Minute)),
			schema.One("tls", &o.Timeouts.TLS, schema.Duration(100*time.Millisecond, 2*time.Minute)),
			schema.One("first_byte", &o.Timeouts.FirstByte, schema.Duration(100*time.Millisecond, 30*time.Minute)),
			schema.One("idle", &o.Timeouts.Idle, schema.Duration(100*time.Millisecond, 30*time.Minute)),
		}),
	}
}

func (h *Health) keys() schema.Section {
	return schema.Section{
		schema.One("interval", &h.Interval, schema.Duration(0, time.Hour)),
		schema.One("timeout", &h.Timeout, schema.Duration(10*time.Millisecond, time.Minute)),
		schema.One("failures", &h.Failures, schema.Integer(1, 100)),
	}
}

func (s *Service) keys() schema.Section {
	return schema.Section{
		schema.Many("allow", &s.Allow, allowPattern()),
		schema.Many("direct", &s.Direct, allowPattern()),
		schema.Many("allow_addresses", &s.AllowAddresses, schema.CIDR()),
		schema.Many("ports", &s.Ports, schema.Port()),
		schema.One("wait", &s.Wait, schema.Duration(0, 15*time.Minute)),
		schema.One("fallback", &s.Fallback, schema.Choice(cloudmirror.FallbackOrigin, cloudmirror.FallbackNone)),
		schema.One("mode", &s.Mode, schema.Choice(cloudmirror.ModeWait, cloudmirror.ModeRedirectNow)),
		schema.ManyOr("cors", everyOrigin, &s.CORS, pageOrigin()),
		schema.One("ttl", &s.TTL, schema.Duration(time.Minute, 10*365*24*time.Hour)),
		schema.One("recheck", &s.Recheck, schema.Duration(0, 10*365*24*time.Hour)),
		schema.One("negative_ttl", &s.NegativeTTL, schema.Duration(0, 24*time.Hour)),
		schema.One("max_object_size", &s.MaxObjectSizeBytes, schema.Size(1, 5*schema.TiB)),
		schema.One("bandwidth", &s.BandwidthBytes, schema.Size(0, schema.TiB)),
		schema.Headers("headers", &s.Headers, reservedHeader),
		schema.Each("backends", schema.Items[Backend]{
			Target: &s.Backends,
			Check:  cloudmirror.CheckRegion,
			New:    func(region string) Backend { return newBackend(s.Name, region) },
			Name:   func(b *Backend) string { return b.ID.Region },
			Keys: func(b *Backend) schema.Section {
				return schema.Section{schema.Group("storage", b.Storage.keys())}
			},
		}),
	}
}

func (s *Storage) keys() schema.Section {
	keys := schema.Section{
		schema.One("type", &s.Type, schema.Choice(StorageFile, StorageS3)),
		schema.One("bucket", &s.Bucket, schema.Word(3, 255, "._-")),
		schema.One("prefix", &s.Prefix, schema.Optional(keyPrefix())),
		schema.One("region", &s.Region, schema.Word(1, 63, "-")),
		schema.One("endpoint", &s.Endpoint, schema.Optional(schema.WebURL())),
		schema.One("path_style", &s.PathStyle, schema.Boolean()),
		schema.One("provider", &s.Label, schema.Word(1, 40, "-")),
		schema.One("public_url", &s.PublicURL, schema.Optional(schema.WebURL())),
		schema.One("presign", &s.Presign, schema.Boolean()),
		schema.One("access", &s.Access, schema.Choice(AccessAuto, AccessPublic, AccessPrivate)),
	}
	for i := range keys {
		keys[i].Hidden = s.Type == StorageFile && forS3Only(keys[i].Name)
	}
	return keys
}

// forS3Only reports whether a key of a storage means nothing for files.
func forS3Only(key string) bool { return key != "type" && key != "provider" }
