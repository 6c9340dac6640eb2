package queue_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/queue"
)

func testJob(t *testing.T) queue.Job {
	t.Helper()
	object, err := cloudmirror.ParseObject("https://origin.test/a%2Fb/file.tar.gz?token=hush")
	if err != nil {
		t.Fatal(err)
	}
	return queue.Job{
		ID: "jobid", Object: object, Backend: cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"},
		Generation: "gen1", Tries: 3, Slow: 2, Long: true, Replace: true, Redriven: true, SentAt: time.Date(2026, 3, 4, 5, 6, 7, int(89*time.Millisecond), time.UTC),
		Nonce: "nonce1",
	}
}

func TestJobSurvivesEncoding(t *testing.T) {
	job := testJob(t)
	decoded, err := queue.DecodeJob(job.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(job, decoded, cmp.Comparer(func(a, b cloudmirror.Object) bool { return a == b })); diff != "" {
		t.Errorf("the decoded job differs (-sent +decoded):\n%s", diff)
	}
}

// TestWireForm pins the form of version 1: copiers and front ends of different
// releases exchange it.
func TestWireForm(t *testing.T) {
	const want = `{"version":1,"id":"jobid","url":"https://origin.test/a%2Fb/file.tar.gz?token=hush",` +
		`"backend":"s3/eu-west-1","generation":"gen1","tries":3,"slow":2,"long":true,"replace":true,"redriven":true,"nonce":"nonce1","sent_at":"2026-03-04T05:06:07.089Z"}`
	if got := string(testJob(t).Encode()); got != want {
		t.Errorf("the message body is\n%s\nwant\n%s", got, want)
	}
}

func TestDecodeJob(t *testing.T) {
	// Each case sets fields of a valid message; nil removes one.
	tests := map[string]struct {
		change map[string]any
		err    string // "" if the message is a job
	}{
		"a valid job":                              {nil, ""},
		"unknown fields are ignored":               {map[string]any{"priority": 7, "sources": []string{"https://other.test/"}}, ""},
		"no nonce":                                 {map[string]any{"nonce": nil}, ""},
		"no tries means none failed":               {map[string]any{"tries": nil}, ""},
		"no time of sending":                       {map[string]any{"sent_at": nil}, ""},
		"a newer version is refused":               {map[string]any{"version": 2}, "version 2"},
		"a version of zero is refused":             {map[string]any{"version": 0}, "version 0"},
		"no version is refused":                    {map[string]any{"version": nil}, "version 0"},
		"a version that is no number":              {map[string]any{"version": "1"}, "no job"},
		"no url":                                   {map[string]any{"url": nil}, "url"},
		"a url that is none":                       {map[string]any{"url": "secret.test/key"}, "url"},
		"a url in another than its canonical form": {map[string]any{"url": "HTTPS://secret.test/key"}, "canonical"},
		"a url with a dot segment, of old":         {map[string]any{"url": "https://origin.test/public/..%2fsecret"}, `".." in its path`},
		"a url with a user name":                   {map[string]any{"url": "https://user:secret@origin.test/"}, "user name"},
		"a url that is no string":                  {map[string]any{"url": []string{"https://secret.test/"}}, "no job"},
		"a backend without a region":               {map[string]any{"backend": "s3"}, "backend"},
		"a backend with a reserved region":         {map[string]any{"backend": "s3/auto"}, "backend"},
		"no generation":                            {map[string]any{"generation": nil}, "generation"},
		"a generation that could leave its folder": {map[string]any{"generation": "../x"}, "generation"},
		"no id":                      {map[string]any{"id": nil}, "id"},
		"a negative number of tries": {map[string]any{"tries": -1}, "tries"},
		"a time of sending that is before all years": {map[string]any{"sent_at": "0000-01-01T00:00:00+01:00"}, "year"},
		"a time of sending that is none":             {map[string]any{"sent_at": "yesterday"}, "no job"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := queue.DecodeJob(changed(t, test.change))
			switch {
			case test.err == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.err != "" && err == nil:
				t.Errorf("accepted, want an error that names %q", test.err)
			case test.err != "" && !strings.Contains(err.Error(), test.err):
				t.Errorf("the error is %q, want it to name %q", err, test.err)
			case err != nil && strings.Contains(err.Error(), "secret"):
				t.Errorf("the error repeats the URL: %v", err)
			}
		})
	}
}

func TestDecodeJobRefusesWhatIsNoObject(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":                     "",
		"plain text":                  "https://secret.test/",
		"half of a message":           `{"version":1,"id":"x","url":"https://secret.test/`,
		"an array":                    `["https://secret.test/"]`,
		"null":                        "null",
		"a message and another value": string(testJob(t).Encode()) + ` "https://secret.test/"`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := queue.DecodeJob([]byte(body))
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error repeats the URL: %v", err)
			}
		})
	}
}

// FuzzDecodeJob checks that what is accepted is a whole job that survives
// another round, and that what is refused does not show its URL.
func FuzzDecodeJob(f *testing.F) {
	f.Add([]byte(`{"version":1,"id":"a","url":"https://origin.test/x","backend":"s3/us-east-1","generation":"0"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		job, err := queue.DecodeJob(body)
		if err != nil {
			if url := urlOf(body); url != "" && strings.Contains(err.Error(), url) {
				t.Errorf("the error repeats the URL: %v", err)
			}
			return
		}
		if job.ID == "" || job.Object.IsZero() || job.Backend.Check() != nil || job.Generation == "" || job.Tries < 0 {
			t.Errorf("an incomplete job was accepted: %+v", job)
		}
		again, err := queue.DecodeJob(job.Encode())
		if err != nil {
			t.Fatalf("the job does not survive encoding: %v", err)
		}
		job.SentAt = job.SentAt.UTC().Truncate(time.Millisecond)
		if again != job {
			t.Errorf("the job changed from %+v to %+v", job, again)
		}
	})
}

// urlOf returns the URL of a message if the body holds it only once, so that it
// cannot have come into an error from another field.
func urlOf(body []byte) string {
	var fields struct{ URL string }
	_ = json.Unmarshal(body, &fields) // what it found until an error will do
	if len(fields.URL) < 8 || strings.Count(string(body), fields.URL) != 1 {
		return ""
	}
	return fields.URL
}

// changed returns the body of a valid message with some fields set or, by nil,
// removed.
func changed(t *testing.T, change map[string]any) []byte {
	t.Helper()
	fields := make(map[string]any)
	if err := json.Unmarshal(testJob(t).Encode(), &fields); err != nil {
		t.Fatal(err)
	}
	for name, value := range change {
		if value == nil {
			delete(fields, name)
			continue
		}
		fields[name] = value
	}
	body, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
