package s3store_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"cloudmirror/storage"
	"cloudmirror/storage/s3store"
)

// A bucket whose rule removes objects after a day: what is told of a copy is the
// earlier of that and its own expiry, from Put and Stat alike.
func TestLifecycle(t *testing.T) {
	server := startMinIO(t)
	bucket := server.CreateBucket(t, "")
	client := server.Client()
	_, err := client.PutBucketLifecycleConfiguration(t.Context(), &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &bucket,
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{
			ID: aws.String("remove copies"), Status: types.ExpirationStatusEnabled,
			Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")}, Expiration: &types.LifecycleExpiration{Days: aws.Int32(1)},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := new(clock)
	s := newStore(t, server, bucket, func(o *s3store.Options) { o.Now = c.now })
	now := time.Now()
	// After a whole day, at the midnight that follows.
	announced := now.UTC().Truncate(24 * time.Hour).Add(48 * time.Hour)
	for name, test := range map[string]struct{ told, want time.Time }{
		"the copy's own expiry is earlier": {now.Add(time.Hour), now.Add(time.Hour)},
		"the rule is earlier":              {now.Add(100 * time.Hour), announced},
		"the copy has no expiry":           {time.Time{}, announced},
	} {
		for way, size := range sizes {
			t.Run(name+", "+way, func(t *testing.T) {
				key := testKey(t, t.Name())
				put, err := s.Put(t.Context(), key, bytes.NewReader(body(size)), storage.PutOptions{SizeBytes: -1, ExpiresAt: test.told})
				if err != nil {
					t.Fatal(err)
				}
				info, err := s.Stat(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				for call, got := range map[string]time.Time{"Put": put.ExpiresAt, "Stat": info.ExpiresAt} {
					if got.Sub(test.want).Abs() > time.Second {
						t.Errorf("%s says %v, want %v", call, got, test.want)
					}
				}
			})
		}
	}
}
