package app_test

import (
	"fmt"
	"net"
	"testing"

	"cloudmirror/config"
)

// silent returns the address of a server that takes connections and never answers.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

// A deadline has no address of its own.
func TestDependenciesThatDoNotAnswerAreNamed(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	redis, sqs, s3 := silent(t), silent(t), silent(t)
	d := deploy(t, func(c *config.Config) {
		c.Services[0].Backends[0].Storage = config.Storage{Type: config.StorageS3, Region: "us-east-1", Endpoint: "http://" + s3, PathStyle: true, Bucket: "copies"}
	},
		fmt.Sprintf("cache: {type: redis, redis: {url: 'redis://user:password@%s'}}", redis),
		fmt.Sprintf("queue: {type: sqs, sqs: {endpoint: 'http://%s'}}", sqs))
	d.check()
	for name, address := range map[string]string{"cache": redis, "queue s3/us-east-1": sqs, "storage s3/us-east-1": s3, "copies s3/us-east-1": s3} {
		d.want(name, "no answer in time ("+address+")")
	}
}
