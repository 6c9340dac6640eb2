package schema_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/config/schema"
)

// A sample is what the tests of this package read.
type sample struct {
	Listen      string
	DataDir     string
	Tokens      []string
	LogLevel    string
	Concurrency int
	CacheType   string
	Create      bool
	Bucket      string // hidden with a cache of type memory
	Headers     map[string]string
	Services    []service
}

type service struct {
	Name  string
	Ports []uint16
	Wait  time.Duration
	Size  int64
	Pages []string
}

func newSample() *sample {
	return &sample{Listen: ":80", DataDir: "data", LogLevel: "info", Concurrency: 16, CacheType: "memory"}
}

func (s *sample) keys() schema.Section {
	bucket := schema.One("bucket", &s.Bucket, schema.Optional(schema.Word(3, 9, "-")))
	bucket.Hidden = s.CacheType == "memory"
	return schema.Section{
		schema.One("listen", &s.Listen, schema.HostPort()),
		schema.One("data_dir", &s.DataDir, schema.Path()),
		schema.Many("tokens", &s.Tokens, schema.Word(2, 99, "*")),
		schema.Group("log", schema.Section{schema.One("level", &s.LogLevel, schema.Choice("info", "debug"))}),
		schema.Group("copier", schema.Section{schema.One("concurrency", &s.Concurrency, schema.Integer(1, 1000))}),
		schema.Group("cache", schema.Section{
			schema.One("type", &s.CacheType, schema.Choice("memory", "redis")),
			schema.One("create", &s.Create, schema.Boolean()),
			bucket,
		}),
		schema.Headers("headers", &s.Headers, func(name string) string {
			return map[string]string{"host": "it is part of the URL"}[name]
		}),
		schema.Each("services", schema.Items[service]{
			Target: &s.Services,
			Check: func(name string) error {
				if len(name) > 3 {
					return errors.New("names have at most 3 letters")
				}
				return nil
			},
			New:  func(name string) service { return service{Name: name, Ports: []uint16{80}, Wait: time.Second} },
			Name: func(s *service) string { return s.Name },
			Keys: (*service).keys,
		}),
	}
}

func (s *service) keys() schema.Section {
	return schema.Section{
		schema.Many("ports", &s.Ports, schema.Port()),
		schema.One("wait", &s.Wait, schema.Duration(0, time.Hour)),
		schema.One("size", &s.Size, schema.Size(0, schema.TiB)),
		schema.ManyOr("pages", "*", &s.Pages, schema.Text(func(text string) error {
			if text == "" {
				return errors.New("must not be empty")
			}
			return nil
		})),
	}
}

// problems returns what is wrong with a file, a line for each thing.
func problems(file string) string {
	return fmt.Sprint(errors.Join(newSample().keys().Read("a.yaml", []byte(file), make(schema.Sources))...))
}

// read returns what a file says, and where.
func read(t *testing.T, file string) (*sample, schema.Sources) {
	t.Helper()
	s, sources := newSample(), make(schema.Sources)
	if problems := s.keys().Read("a.yaml", []byte(file), sources); len(problems) > 0 {
		t.Fatal(problems)
	}
	return s, sources
}

func written(t *testing.T, s *sample) string {
	t.Helper()
	var text strings.Builder
	if err := s.keys().Write(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

const whole = `listen: :81
data_dir: "7"
tokens: [abc, a*]
log:
  level: debug
copier:
  concurrency: 3
cache:
  type: redis
  create: true
  bucket: a-b
headers: {}
services:
  a:
    ports: [1, 2]
    wait: 24m
    size: 3MiB
    pages: ['*']
  b:
    ports: []
    wait: 0s
    size: 0B
    pages: [x, y]
`

func TestWhatIsWrittenIsWhatWasRead(t *testing.T) {
	s, _ := read(t, whole)
	want := &sample{
		Listen: ":81", DataDir: "7", Tokens: []string{"abc", "a*"}, LogLevel: "debug", Concurrency: 3, CacheType: "redis", Create: true, Bucket: "a-b", Headers: map[string]string{},
		Services: []service{
			{Name: "a", Ports: []uint16{1, 2}, Wait: 24 * time.Minute, Size: 3 << 20, Pages: []string{"*"}},
			{Name: "b", Pages: []string{"x", "y"}},
		},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(whole, written(t, s)); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

func TestKeysThatAreLeftOutKeepTheirValues(t *testing.T) {
	for _, file := range []string{"", "# nothing\n", "{}", "log:\n  # level: debug\nservices:\nheaders:\n"} {
		if s, _ := read(t, file); !cmp.Equal(s, newSample()) {
			t.Errorf("%q: %+v", file, s)
		}
	}
	if s, _ := read(t, "services: {b: , a: {}}"); !cmp.Equal(s.Services, []service{
		{Name: "a", Ports: []uint16{80}, Wait: time.Second}, {Name: "b", Ports: []uint16{80}, Wait: time.Second},
	}) {
		t.Errorf("services %+v", s.Services)
	}
}

func TestKeysThatAreRightAreSetBesideWrongOnes(t *testing.T) {
	s := newSample()
	problems := s.keys().Read("a.yaml", []byte("listen: nowhere\ncopier: {concurrency: 3}\nservices: {long: {}, a: {wait: 2h}}"), make(schema.Sources))
	want := `a.yaml:1: listen: "nowhere" must be host:port, such as 127.0.0.1:8080 or :8080
a.yaml:3: services: names have at most 3 letters
a.yaml:3: services.a.wait: "2h" must be a duration such as 28s or 1m30s, from 0s to 1h`
	if diff := cmp.Diff(want, errors.Join(problems...).Error()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if s.Listen != ":80" || s.Concurrency != 3 {
		t.Errorf("%+v", s)
	}
}

func TestAHiddenKeyIsReadAndNotWritten(t *testing.T) {
	s, _ := read(t, "cache: {bucket: a-b}")
	if text := written(t, s); s.Bucket != "a-b" || strings.Contains(text, "bucket") {
		t.Errorf("bucket %q, written:\n%s", s.Bucket, text)
	}
}

func TestHeadersAreCanonicalAndHidden(t *testing.T) {
	s, _ := read(t, "headers: {x-KEY: hunter2}")
	if !cmp.Equal(s.Headers, map[string]string{"X-Key": "hunter2"}) || !strings.Contains(written(t, s), "  X-Key: '***'\n") {
		t.Errorf("headers %v, written:\n%s", s.Headers, written(t, s))
	}
	refused(t, map[string]badFile{"reserved": {"headers: {HOST: hunter2}", "1: headers.HOST: cannot be set: it is part of the URL"}})
}

func TestATextThatMayStandAloneIsAList(t *testing.T) {
	if s, _ := read(t, `services: {a: {pages: "*"}}`); !cmp.Equal(s.Services[0].Pages, []string{"*"}) {
		t.Errorf("pages %q", s.Services[0].Pages)
	}
	refused(t, map[string]badFile{"another": {`services: {a: {pages: x}}`, "1: services.a.pages: must be a list; [] is the empty one"}})
}

func TestMergedKeysStandBehindOwnOnes(t *testing.T) {
	s, _ := read(t, `
services:
  a: &a {wait: 3s, ports: [3]}
  b: {<<: *a, ports: [4]}
  c: {ports: [5], <<: [*a, {wait: 9s, size: 9B}]}
`)
	want := []service{
		{Name: "a", Wait: 3 * time.Second, Ports: []uint16{3}},
		{Name: "b", Wait: 3 * time.Second, Ports: []uint16{4}},
		{Name: "c", Wait: 3 * time.Second, Ports: []uint16{5}, Size: 9},
	}
	if diff := cmp.Diff(want, s.Services); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
}

func TestAliasesThatMultiplyAreRefused(t *testing.T) {
	// Each level has every key of the one before ten times: a million in all.
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 {k: v}\n")
	for i := range 6 {
		fmt.Fprintf(&bomb, "a%d: &a%d {<<: [%s*a%d]}\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), i)
	}
	bomb.WriteString("<<: *a6\n")
	if err := problems(bomb.String()); !strings.Contains(err, "the file has more than 50000 keys, aliases counted as often as they are used") {
		t.Error(err)
	}
}
