package config_test

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/config"
)

func TestLoadSetsEveryKeyOfTheFile(t *testing.T) {
	c := load(t, `
listen: "[::1]:9000"
admin_listen: 10.0.0.1:9100
public_url: https://mirror.example.com/base/
data_dir: /var/lib/cloudmirror
admin_tokens: [0123456789abcdef]
shutdown_delay: 5s
trusted_proxies: [10.0.0.0/8]
log: {level: debug, format: console}
cache: {type: redis, redis: {url: "rediss://user:pw@redis.example.com:6380/3", prefix: "m:", near: {memory: 2MiB, delta: 1s}}}
queue:
  type: sqs
  sqs: {endpoint: "http://127.0.0.1:5000", region: eu-central-1, prefix: m_, visibility: 12h, max_receives: 9, create: false}
copier: {backends: [media/eu-west-1], concurrency: 3, connections: 4, part_size: 5MiB, memory: 20971520, grace: 0}
origin: {timeouts: {connect: 1s, tls: 2s, first_byte: 40s, idle: 4s}}
limits: {waiters: 12, waiters_per_client: 3, copies_per_host: 0}
health: {interval: 0s, timeout: 20ms, failures: 5}
services:
  media:
    allow: ['^https://a\.example\.com/', "^http://"]
    direct: ['^https://a\.example\.com/dists/']
    allow_addresses: [10.1.0.0/16, "fd00::/8"]
    ports: []
    wait: 0
    fallback: none
    mode: redirect-now
    cors: ["https://app.example.com", "http://localhost:3000"]
    ttl: 1m30s
    recheck: 45s
    negative_ttl: 0s
    max_object_size: 1GiB
    bandwidth: 100MiB
    backends:
      eu-west-1:
        storage: {type: s3, bucket: b.eu, prefix: a/b/, region: auto, endpoint: "https://s3.example.com/", path_style: true, provider: minio, presign: true, access: private}
      us-east-1:
        storage: {type: s3, bucket: b.us, public_url: "https://cdn.example.com"}
`)
	s := c.Services[0]
	got := map[string]any{
		"listen": c.Listen, "admin_listen": c.AdminListen, "public_url": c.PublicURL, "data_dir": c.DataDir,
		"tokens": c.Tokens(), "shutdown_delay": c.ShutdownDelay, "log": c.Log, "cache": c.Cache, "queue": c.Queue,
		"copier": c.Copier, "timeouts": c.Origin.Timeouts, "limits": c.Limits, "health": c.Health, "trusted_proxies": c.TrustedProxies[0].String(), "name": s.Name, "direct": s.Direct[0].String(), "allow": []string{s.Allow[0].String(), s.Allow[1].String()},
		"allow_addresses": []string{s.AllowAddresses[0].String(), s.AllowAddresses[1].String()}, "ports": len(s.Ports),
		"wait": s.Wait, "fallback": s.Fallback, "mode": s.Mode, "cors": s.CORS, "ttl": s.TTL, "recheck": s.Recheck, "negative_ttl": s.NegativeTTL,
		"max_object_size": s.MaxObjectSizeBytes, "bandwidth": s.BandwidthBytes, "backends": s.Backends,
	}
	want := map[string]any{
		"listen": "[::1]:9000", "admin_listen": "10.0.0.1:9100", "public_url": "https://mirror.example.com/base",
		"data_dir": "/var/lib/cloudmirror", "tokens": []cloudmirror.Token{{Hash: cloudmirror.HashToken("0123456789abcdef")}},
		"shutdown_delay": 5 * time.Second, "log": config.Log{Level: config.LogDebug, Format: config.LogConsole},
		"cache": config.Cache{Type: config.CacheRedis, Redis: config.Redis{URL: "rediss://user:pw@redis.example.com:6380/3", Prefix: "m:", Near: config.Near{MemoryBytes: 2 << 20, Delta: time.Second}}},
		"queue": config.Queue{Type: config.QueueSQS, SQS: config.SQS{
			Endpoint: "http://127.0.0.1:5000", Region: "eu-central-1", Prefix: "m_", Visibility: 12 * time.Hour, MaxReceives: 9,
		}},
		"copier": config.Copier{
			Backends:    []cloudmirror.BackendID{{Service: "media", Region: "eu-west-1"}},
			Concurrency: 3, Connections: 4, PartSizeBytes: 5 << 20, MemoryBytes: 20 << 20,
		},
		"timeouts": config.Timeouts{Connect: time.Second, TLS: 2 * time.Second, FirstByte: 40 * time.Second, Idle: 4 * time.Second},
		"health":   config.Health{Timeout: 20 * time.Millisecond, Failures: 5},
		"limits":   config.Limits{Waiters: 12, WaitersPerClient: 3}, "trusted_proxies": "10.0.0.0/8",
		"name": "media", "direct": `^https://a\.example\.com/dists/`, "allow": []string{`^https://a\.example\.com/`, "^http://"},
		"allow_addresses": []string{"10.1.0.0/16", "fd00::/8"}, "ports": 0,
		"wait": time.Duration(0), "fallback": cloudmirror.FallbackNone, "mode": cloudmirror.ModeRedirectNow, "cors": []string{"https://app.example.com", "http://localhost:3000"},
		"ttl": 90 * time.Second, "recheck": 45 * time.Second, "negative_ttl": time.Duration(0), "max_object_size": int64(1 << 30), "bandwidth": int64(100 << 20),
		"backends": []config.Backend{
			{ID: cloudmirror.BackendID{Service: "media", Region: "eu-west-1"}, Storage: config.Storage{
				Type: config.StorageS3, Bucket: "b.eu", Prefix: "a/b/", Region: "auto", Endpoint: "https://s3.example.com",
				PathStyle: true, Label: "minio", Presign: true, Access: config.AccessPrivate,
			}},
			{ID: cloudmirror.BackendID{Service: "media", Region: "us-east-1"}, Storage: config.Storage{
				Type: config.StorageS3, Bucket: "b.us", Region: "us-east-1", Label: "s3", PublicURL: "https://cdn.example.com", Access: config.AccessAuto,
			}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestLoadWithoutAFileIsTheDefault(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := config.Load("", nil, config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(printed(t, config.Default()), printed(t, c)); diff != "" {
		t.Error(diff)
	}
	if len(c.Warnings()) > 0 {
		t.Errorf("the default has warnings: %v", c.Warnings())
	}
}

func TestAnchorsAndMergeKeys(t *testing.T) {
	c := load(t, `
services:
  s3:
    allow: ["^https://"]
    backends:
      us-east-1: {storage: &storage {type: s3, bucket: us1, provider: minio, path_style: true}}
      eu-west-1: {storage: {<<: *storage, bucket: eu1}}
      eu-west-2: {storage: {bucket: eu2, <<: [*storage, {bucket: late, endpoint: "http://late.example.com"}]}}
`)
	var got []config.Storage
	for _, b := range c.Services[0].Backends {
		got = append(got, b.Storage)
	}
	want := []config.Storage{
		{Type: config.StorageS3, Bucket: "eu1", Region: "eu-west-1", Label: "minio", PathStyle: true, Access: config.AccessAuto},
		{Type: config.StorageS3, Bucket: "eu2", Region: "eu-west-2", Label: "minio", PathStyle: true, Endpoint: "http://late.example.com", Access: config.AccessAuto},
		{Type: config.StorageS3, Bucket: "us1", Region: "us-east-1", Label: "minio", PathStyle: true, Access: config.AccessAuto},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("storages (-want +got):\n%s", diff)
	}
}

func TestSectionsWithEverythingCommentedOutAreDefaults(t *testing.T) {
	c := load(t, "cache:\n  # type: redis\n"+minimal)
	if c.Cache.Type != config.CacheMemory {
		t.Errorf("cache.type is %q", c.Cache.Type)
	}
}

func TestOverridesWinOverFileAndEnvironment(t *testing.T) {
	path := write(t, "listen: :1\ndata_dir: file\n"+minimal)
	c, err := config.Load(path, []string{"CLOUDMIRROR_LISTEN=:2", "CLOUDMIRROR_DATA_DIR=environment"}, config.Overrides{
		Listen: "127.0.0.1:3", DataDir: "flag",
		Allow: []string{`^http://127\.0\.0\.1:9/`, "^https://[^/]+/"}, AllowAddresses: []string{"127.0.0.0/8", "::1/128"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := c.Services[0]
	if c.Listen != "127.0.0.1:3" || c.DataDir != "flag" {
		t.Errorf("listen %q, data_dir %q", c.Listen, c.DataDir)
	}
	if len(s.Allow) != 2 || s.Allow[0].String() != `^http://127\.0\.0\.1:9/` {
		t.Errorf("allow %v", s.Allow)
	}
	if !slices.Equal(s.AllowAddresses, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}) {
		t.Errorf("allow_addresses %v", s.AllowAddresses)
	}
	if len(s.Ports) != 0 {
		t.Errorf("patterns that speak of the port leave ports %v", s.Ports)
	}
}

func TestASchemeAloneAsOverrideLeavesThePortsAlone(t *testing.T) {
	c, err := config.Load("", nil, config.Overrides{Allow: []string{`^http://127\.0\.0\.1:9/`, "^https?://"}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Services[0].Ports, []uint16{80, 443}) {
		t.Errorf("ports %v", c.Services[0].Ports)
	}
}

func TestServerURL(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080",
		":8080":          "http://localhost:8080",
		"0.0.0.0:80":     "http://localhost:80",
		"[::]:80":        "http://localhost:80",
		"[::1]:80":       "http://[::1]:80",
	} {
		if got := load(t, "listen: \""+listen+"\"\n"+minimal).ServerURL(); got != want {
			t.Errorf("listen %s: %s, not %s", listen, got, want)
		}
	}
	if got := load(t, "public_url: https://mirror.example.com/\n"+minimal).ServerURL(); got != "https://mirror.example.com" {
		t.Errorf("with public_url: %s", got)
	}
}

func TestListeningEverywhereWithFilesAndNoPublicURLIsWarnedOf(t *testing.T) {
	if w := load(t, "listen: :80\n"+minimal).Warnings(); len(w) != 1 || !strings.Contains(w[0], "public_url") {
		t.Errorf("warnings %q", w)
	}
	if w := load(t, "listen: :80\npublic_url: http://mirror.example.com\n"+minimal).Warnings(); len(w) != 0 {
		t.Errorf("with public_url: %q", w)
	}
}

func TestTokensComeFromTheListAndTheFile(t *testing.T) {
	path := write(t, "admin_tokens: [0123456789abcdef, 'ops@example.com:listed-listed-token']\nadmin_tokens_file: tokens\n"+minimal)
	hash := "3465f6e6975baa864ca957f0914ecda9bf7eb601ac31ac20a5dc3d329279a843" // of fedcba9876543210, by sha256sum
	content := strings.Join([]string{
		"# of the release team", "", "  aaaaaaaaaaaaaaaa  ", "sha256:" + hash, "ci:bbbbbbbbbbbbbbbb", "ci:sha256:" + hash,
		// From before there were names: the colon belongs to the token.
		":cccccccccccccccc", "dddddddddddddddd:short", strings.Repeat("n", 65) + ":eeeeeeeeeeeeeeee", "a:b:cccccccccccccccc",
	}, "\n")
	if err := os.WriteFile("tokens", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, nil, config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	of := func(name, plain string) cloudmirror.Token {
		return cloudmirror.Token{Name: name, Hash: cloudmirror.HashToken(plain)}
	}
	want := []cloudmirror.Token{
		of("", "0123456789abcdef"), of("ops@example.com", "listed-listed-token"),
		of("", "aaaaaaaaaaaaaaaa"), of("", "fedcba9876543210"), of("ci", "bbbbbbbbbbbbbbbb"), of("ci", "fedcba9876543210"),
		of("", ":cccccccccccccccc"), of("", "dddddddddddddddd:short"), of("", strings.Repeat("n", 65)+":eeeeeeeeeeeeeeee"), of("a", "b:cccccccccccccccc"),
	}
	if diff := cmp.Diff(want, c.Tokens()); diff != "" {
		t.Error(diff)
	}
	if len(c.Warnings()) != 0 {
		t.Errorf("warnings %q", c.Warnings())
	}
	if err := os.Chmod("tokens", 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err = config.Load(path, nil, config.Overrides{}); err != nil || len(c.Warnings()) != 1 || !strings.Contains(c.Warnings()[0], "mode 0644") {
		t.Errorf("a file that everybody can read: %v, %q", err, c.Warnings())
	}
}

// TestWhatIsAllowed has files that are close to ones that are refused.
func TestWhatIsAllowed(t *testing.T) {
	for name, file := range map[string]string{
		"two listeners on any port":            "listen: 127.0.0.1:0\nadmin_listen: 127.0.0.1:0\n" + minimal,
		"two storages of files":                storages("type: file", "type: file"),
		"prefixes side by side in one bucket":  storages("type: s3, bucket: abc, prefix: a/", "type: s3, bucket: abc, prefix: b/"),
		"buckets of one name on two endpoints": storages("type: s3, bucket: abc", "type: s3, bucket: abc, endpoint: 'http://h'"),
		"a queue's name of 80 characters":      minimal + "queue: {type: sqs, sqs: {prefix: " + strings.Repeat("p", 63) + "}}\n",
		"a long prefix that is not used":       minimal + "queue: {sqs: {prefix: " + strings.Repeat("p", 74) + "}}\n",
		"a token of 16 characters":             minimal + "admin_tokens: [0123456789abcde-]\n",
		"signatures without a public URL":      storages("type: s3, bucket: abc, presign: true"),
	} {
		t.Run(name, func(t *testing.T) { load(t, file) })
	}
}

func TestFilesOfUnreasonableSizeAreRefused(t *testing.T) {
	_, err := config.Load(write(t, minimal+strings.Repeat("# padding\n", 110_000)), nil, config.Overrides{})
	if err == nil || err.Error() != "the configuration cannot be read: cloudmirror.yaml is larger than 1MiB" {
		t.Errorf("a long file: %v", err)
	}
}

func TestTheLeastThroughputIsJudgedOverTheLongestWait(t *testing.T) {
	for name, test := range map[string]struct {
		origin string
		want   time.Duration
	}{
		"by default":              {"{}", 30 * time.Second},
		"a long first byte":       {"{timeouts: {first_byte: 1m}}", time.Minute},
		"a long idle time":        {"{timeouts: {idle: 2m}}", 2 * time.Minute},
		"short ones":              {"{timeouts: {first_byte: 1s, idle: 1s}}", 30 * time.Second},
		"what is set stays as is": {"{timeouts: {first_byte: 1m}, min_rate_over: 5s}", 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if c := load(t, "origin: "+test.origin+"\n"+minimal); c.Origin.MinRateOver != test.want {
				t.Errorf("%v, want %v", c.Origin.MinRateOver, test.want)
			}
		})
	}
}
