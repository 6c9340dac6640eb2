package config

import (
	"net"
	"net/netip"
	"time"

	"cloudmirror"
	"cloudmirror/config/schema"
)

// A Config is a whole configuration. [Load] and [Default] return valid ones;
// [Config.Check] says whether one suits a process. A Config does not change after
// it was loaded, and is safe for concurrent use.
type Config struct {
	Listen        string        // host:port of the front end; the host may be empty
	AdminListen   string        // host:port of metrics, health and pprof; empty: none of its own
	PublicURL     string        // as configured; ServerURL has the default
	DataDir       string        // of file storage and of the admin-token file
	ShutdownDelay time.Duration // from "not ready" until the server stops accepting requests

	AdminTokens     []cloudmirror.Token // as listed; Tokens has those of the file, too
	AdminTokensFile string

	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed

	Log      Log
	Cache    Cache
	Queue    Queue
	Copier   Copier
	Origin   Origin
	Limits   Limits
	Health   Health
	Services []Service // by name

	fileTokens []cloudmirror.Token
	sources    schema.Sources
	warnings   []string
}

// Log says what is logged and how.
type Log struct {
	Level  LogLevel
	Format LogFormat
}

// Cache says where entries are kept.
type Cache struct {
	Type  CacheType
	Redis Redis
}

// Redis says which Redis holds the entries, with CacheRedis.
type Redis struct {
	URL    string // redisurl.Parse has its forms; it may hold a password
	Prefix string // of every key, verbatim
	Near   Near
}

// Near says what front ends remember of the entries that Redis holds.
type Near struct {
	MemoryBytes int64         // bound in this process; 0: nothing is remembered
	Delta       time.Duration // of the whole deployment: the greatest age of what a process remembers
}

// Queue says where jobs wait.
type Queue struct {
	Type QueueType
	SQS  SQS
}

// SQS says which queues hold the jobs, with QueueSQS.
type SQS struct {
	Endpoint    string // empty: that of AWS
	Region      string
	Prefix      string // of every queue's name, verbatim
	Visibility  time.Duration
	MaxReceives int
	Create      bool // make queues that are missing
}

// QueueName returns the name of a backend's queue; its dead letters are in the
// queue of that name with -dead behind it.
func (s SQS) QueueName(b cloudmirror.BackendID) string {
	return s.Prefix + b.Service + "-" + b.Region
}

// Copier says which jobs a copier runs, and the resources it may use.
type Copier struct {
	Backends      []cloudmirror.BackendID // empty: all
	Concurrency   int                     // copies at a time
	Connections   int                     // that one copy of a large object may use at a time
	PartSizeBytes int64
	MemoryBytes   int64         // bound of all buffers together
	Grace         time.Duration // how long running copies may continue after a stop was requested
}

// Limits bound how much of a process its clients and origins can use.
type Limits struct {
	Waiters          int // requests that wait for copies at the same time
	WaitersPerClient int // those of one IPv4 address, or IPv6 network of 64 bits; 0: not bounded
	CopiesPerHost    int // copies of one origin host that a copier runs at a time, and connections for them; 0: not bounded
}

// Origin says how copiers connect to the origins of all services.
type Origin struct {
	// Proxy is the http, https or socks5 URL of the proxy for all origins; it may
	// hold a password. Empty: copiers connect directly.
	Proxy        string
	MaxRedirects int    // that a copier follows for one object; 0: none
	UserAgent    string // how copiers name themselves

	MinRateBytes int64         // least bytes of a body for each second of waiting for it; 0: none
	MinRateOver  time.Duration // the span of waiting over which that is measured

	Timeouts Timeouts
}

// Timeouts say how long copiers wait for origins. Each applies to one hop of a
// redirect.
type Timeouts struct {
	Connect   time.Duration // name resolution and connecting, over all addresses of a host
	TLS       time.Duration // the handshake
	FirstByte time.Duration // from the request to the end of the response header
	Idle      time.Duration // without a byte of the body
}

// Health says how a front end finds out whether its clients can fetch copies.
type Health struct {
	Interval time.Duration // between probes; 0: no probes
	Timeout  time.Duration // of one probe
	Failures int           // in a row after which the region's clients are sent to the origin
}

// A Service is a group of backends with one set of rules for origins.
type Service struct {
	Name               string
	Allow              []cloudmirror.AllowPattern // never empty
	Direct             []cloudmirror.AllowPattern // of URLs that are never copied
	AllowAddresses     []netip.Prefix             // let through the private-address guard
	Ports              []uint16                   // of origins; empty: any
	Wait               time.Duration              // 0: clients do not wait
	Fallback           cloudmirror.Fallback
	Mode               cloudmirror.Mode
	CORS               []string      // origins of pages whose scripts may read responses; * is all
	TTL                time.Duration // how long a copy is kept
	Recheck            time.Duration // the age of a sighting after which a hit makes the front end check storage again; 0: never
	NegativeTTL        time.Duration // how long an origin's refusal is remembered
	MaxObjectSizeBytes int64
	BandwidthBytes     int64 // read from origins in a second, by each copier; 0: not bounded

	// Headers are sent to the origin that was asked for, by their canonical names.
	// The values may be secrets.
	Headers map[string]string

	Backends []Backend // by region; never empty
}

// MaxLife returns how long a copy may be kept at most. The markers of purges and the
// lifecycle rules of buckets follow it: they outlive every copy.
func (s *Service) MaxLife() time.Duration { return s.TTL }

// A Backend is one storage (and one queue) of a service.
type Backend struct {
	ID      cloudmirror.BackendID
	Storage Storage
}

// Storage says where a backend's copies are. All but Type and Provider are for
// StorageS3.
type Storage struct {
	Type      StorageType
	Bucket    string
	Prefix    string // of every key, verbatim
	Region    string // of the bucket; by default the backend's
	Endpoint  string // empty: that of AWS; without a slash at its end
	PathStyle bool
	Label     string // the key provider: names the storage to people and in metrics
	PublicURL string // base of redirects, without a slash at its end; empty: the bucket's own
	Presign   bool
	Access    Access
}

// IsPublic reports whether the bucket lets anyone read copies.
func (s Storage) IsPublic() bool {
	return s.Access == AccessPublic || s.Access == AccessAuto && !s.Presign && s.PublicURL == ""
}

// Tokens returns all bearer tokens: the listed ones and FileTokens.
func (c *Config) Tokens() []cloudmirror.Token { return c.WithTokens(c.fileTokens) }

// FileTokens returns the tokens that admin_tokens_file held when the configuration
// was loaded.
func (c *Config) FileTokens() []cloudmirror.Token { return c.fileTokens }

// WithTokens returns the listed bearer tokens and the given ones, such as
// [ReadTokens] returns later on.
func (c *Config) WithTokens(ofFile []cloudmirror.Token) []cloudmirror.Token {
	return append(c.AdminTokens[:len(c.AdminTokens):len(c.AdminTokens)], ofFile...)
}

// ServerURL returns the URL at which clients reach the front end, without a slash
// at its end: public_url, or http://<listen>. A listen address without a host becomes
// localhost there.
func (c *Config) ServerURL() string {
	if c.PublicURL != "" {
		return c.PublicURL
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "http://" + c.Listen
	}
	if listensEverywhere(host) {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Warnings returns what is allowed but probably a mistake, a sentence each.
func (c *Config) Warnings() []string { return c.warnings }

func listensEverywhere(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "" || err == nil && address.IsUnspecified()
}
