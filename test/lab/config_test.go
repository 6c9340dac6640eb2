package lab

import "testing"

func TestConfig(t *testing.T) {
	got := Config{
		Lines: []string{"data_dir: /data", RedisCache("127.0.0.1:1", "prefix: 'x:'"), SQSQueue("http://127.0.0.1:2")},
		Services: []Service{{
			Name: "s3", Allow: AllowOrigin("http://127.0.0.1:3"), Lines: []string{"wait: 5s"},
			Backends: [][2]string{{"eu", NewS3("127.0.0.1:4", "eu").Storage("copies")}, {"us", "{type: file}"}},
		}},
	}.String()
	const want = `data_dir: /data
cache: {type: redis, redis: {url: 'redis://127.0.0.1:1/0', prefix: 'x:'}}
queue: {type: sqs, sqs: {endpoint: 'http://127.0.0.1:2'}}
services:
  s3:
    allow: ['^http://127\.0\.0\.1:3/']
    allow_addresses: ['127.0.0.0/8']
    ports: []
    wait: 5s
    backends:
      eu: {storage: {type: s3, bucket: 'copies', region: eu, endpoint: 'http://127.0.0.1:4', path_style: true}}
      us: {storage: {type: file}}
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
