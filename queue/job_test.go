package queue_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

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
		Order: queue.Order{
			Sources: []string{"https://copies.test/1?sig=hush", "https://copies.test/2"}, SizeBytes: 7, SHA256: strings.Repeat("0a", 32),
			ExpiresAt: time.Date(2026, 4, 5, 6, 7, 8, 0, time.UTC), Priority: queue.Planned, Reason: "popular",
		},
	}
}

func TestJobSurvivesEncoding(t *testing.T) {
	job := testJob(t)
	decoded, err := queue.DecodeJob(job.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(decoded, job) {
		t.Errorf("the decoded job is %+v, sent was %+v", decoded, job)
	}
}

// TestWireForm pins the form of version 1: copiers and front ends of different
// releases exchange it.
func TestWireForm(t *testing.T) {
	const want = `{"version":1,"id":"jobid","url":"https://origin.test/a%2Fb/file.tar.gz?token=hush",` +
		`"backend":"s3/eu-west-1","generation":"gen1","tries":3,"slow":2,"long":true,"replace":true,"redriven":true,"nonce":"nonce1","sent_at":"2026-03-04T05:06:07.089Z",` +
		`"sources":["https://copies.test/1?sig=hush","https://copies.test/2"],"size_bytes":7,"sha256":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",` +
		`"expires_at":"2026-04-05T06:07:08Z","priority":2,"reason":"popular"}`
	if got := string(testJob(t).Encode()); got != want {
		t.Errorf("the message body is\n%s\nwant\n%s", got, want)
	}
	plain := testJob(t)
	plain.Order = queue.Order{}
	before, _, _ := strings.Cut(want, `,"sources"`)
	if got := string(plain.Encode()); got != before+"}" {
		t.Errorf("the message body of a job without an order is\n%s\nwant\n%s", got, before+"}")
	}
}

func TestJobKeepsFieldsThatItDoesNotKnow(t *testing.T) {
	body := changed(t, map[string]any{"x": map[string]any{"deep": []any{1, "<&>", nil}}, "later": 1.5, "TRIES": 4})
	job, err := queue.DecodeJob(body)
	if err != nil {
		t.Fatal(err)
	}
	job.Tries, job.Slow = 0, 0
	var again map[string]any
	if err := json.Unmarshal(job.Encode(), &again); err != nil {
		t.Fatal(err)
	}
	want := make(map[string]any)
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tries", "slow", "TRIES"} { // the last one is another spelling of a known name
		delete(want, name)
	}
	if !reflect.DeepEqual(again, want) {
		t.Errorf("the message that is sent again is\n%v\nwant\n%v", again, want)
	}
}

// TestGreatestJobFitsIntoAMessage checks that every job that is accepted can be
// sent again: the queues of older servers take 256 KiB.
func TestGreatestJobFitsIntoAMessage(t *testing.T) {
	job := testJob(t)
	longest := "https://origin.test/?" + strings.Repeat("&", cloudmirror.MaxURLBytes-len("https://origin.test/?"))
	var err error
	if job.Object, err = cloudmirror.ParseObject(longest); err != nil {
		t.Fatal(err)
	}
	job.Sources = slices.Repeat([]string{longest}, queue.MaxSources)
	job.Reason = strings.Repeat("\x01", queue.MaxReasonBytes)
	body := strings.Replace(string(job.Encode()), "{", `{"later":"`+strings.Repeat("<", 64<<10-len(`{"later":""}`))+`",`, 1)
	again, err := queue.DecodeJob([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(again.Encode()); n > 256<<10 || n != len(body) {
		t.Errorf("%d bytes became %d bytes, more than 256 KiB or than there were", len(body), n)
	}
}

func TestSourcesAreNotShown(t *testing.T) {
	job := testJob(t)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if shown := fmt.Sprintf(format, job.Order); strings.Contains(shown, "copies.test") || strings.Contains(shown, "636f70696573") {
			t.Errorf("%s shows %s", format, shown)
		}
	}
	if shown, err := json.Marshal(job); err != nil || strings.Contains(string(shown), "copies.test") {
		t.Errorf("as JSON: %s, %v", shown, err)
	}
	for name, test := range map[string]struct{ body, shown string }{
		"a job":                      {string(job.Encode()), `"sources":"…"`},
		"a job without sources":      {`{"version":1, "id":"x"}`, `{"version":1, "id":"x"}`},
		"another spelling":           {`{"Sources":["https://copies.test/1"]}`, `{"Sources":"…"}`},
		"the beginning of a message": {`{"id":"x","sources":["https://copies.test/1","https`, `{"id":"x",…`},
		"its other spelling":         {`{"id":"x","SOURCES":["https://copies.test/1","https`, `{"id":"x",…`},
		"no message":                 {"no job", "no job"},
	} {
		t.Run(name, func(t *testing.T) {
			if shown := queue.NewDeadLetter("1", test.body).Shown(); !strings.Contains(shown, test.shown) || strings.Contains(shown, "copies.test") {
				t.Errorf("shown is %s, want %s", shown, test.shown)
			}
		})
	}
}

func TestOrderContradicts(t *testing.T) {
	digest := strings.Repeat("0a", 32)
	for name, test := range map[string]struct {
		order queue.Order
		want  bool
	}{
		"nothing is expected": {queue.Order{}, false},
		"the size":            {queue.Order{SizeBytes: 7}, false},
		"both":                {queue.Order{SizeBytes: 7, SHA256: digest}, false},
		"another size":        {queue.Order{SizeBytes: 8, SHA256: digest}, true},
		"another digest":      {queue.Order{SizeBytes: 7, SHA256: strings.Repeat("0b", 32)}, true},
	} {
		if got := test.order.Contradicts(7, digest); got != test.want {
			t.Errorf("%s: a copy of 7 bytes contradicts: %t, want %t", name, got, test.want)
		}
	}
}

func TestDecodeJob(t *testing.T) {
	// Each case sets fields of a valid message; nil removes one.
	tests := map[string]struct {
		change map[string]any
		err    string // "" if the message is a job
	}{
		"a valid job":                              {nil, ""},
		"unknown fields are no reason to refuse":   {map[string]any{"later": 7, "others": []string{"https://other.test/"}}, ""},
		"unknown fields that take too much":        {map[string]any{"later": strings.Repeat("secret", 11_000)}, "at most 65536"},
		"no order":                                 {map[string]any{"sources": nil, "size_bytes": nil, "sha256": nil, "expires_at": nil, "priority": nil, "reason": nil}, ""},
		"a priority of a later version":            {map[string]any{"priority": 1 << 30}, ""},
		"a negative priority":                      {map[string]any{"priority": -1}, "priority"},
		"a priority that is no number":             {map[string]any{"priority": "high"}, "no job"},
		"a million sources":                        {map[string]any{"sources": slices.Repeat([]string{"https://secret.test/"}, 1e6)}, "1000000 sources"},
		"a source that is too long":                {map[string]any{"sources": []string{"https://secret.test/" + strings.Repeat("a", 8<<10)}}, "source 0"},
		"an empty source":                          {map[string]any{"sources": []string{"https://secret.test/", ""}}, "source 1"},
		"a source of characters of other scripts":  {map[string]any{"sources": []string{"https://secret.test/ü"}}, "source 0"},
		"a source with a quote":                    {map[string]any{"sources": []string{`https://secret.test/"`}}, "source 0"},
		"a source of backslashes":                  {map[string]any{"sources": []string{`https://secret.test/\`}}, "source 0"},
		"a negative size":                          {map[string]any{"size_bytes": -1}, "-1 bytes"},
		"a digest that is none":                    {map[string]any{"sha256": "secret"}, "sha256"},
		"a digest in capitals":                     {map[string]any{"sha256": strings.Repeat("0A", 32)}, "sha256"},
		"a huge reason":                            {map[string]any{"reason": strings.Repeat("secret", 1e5)}, "600000 bytes"},
		"an expiry before all years":               {map[string]any{"expires_at": "0000-01-01T00:00:00+01:00"}, "year"},
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
	f.Add([]byte(`{"version":1,"id":"a","url":"https://origin.test/x","backend":"s3/us-east-1","generation":"0","sources":["a"],"expires_at":"2027-01-01T00:00:00Z","later":[{"a":"<"}],"":null,"Later":1}`))
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
		job.SentAt, job.ExpiresAt = job.SentAt.Truncate(time.Millisecond), job.ExpiresAt.Truncate(time.Millisecond)
		if !reflect.DeepEqual(again, job) {
			t.Errorf("the job changed from %+v to %+v", job, again)
		}
		checkUnknownMembers(t, body, job.Encode())
	})
}

// checkUnknownMembers checks that the members of a message that are not version 1's
// are in the message that is sent again.
func checkUnknownMembers(t *testing.T, body, again []byte) {
	t.Helper()
	var before, after, known map[string]json.RawMessage
	for text, members := range map[string]*map[string]json.RawMessage{
		string(body): &before, string(again): &after, string(testJob(t).Encode()): &known,
	} {
		if err := json.Unmarshal([]byte(text), members); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range before {
		isKnown := false
		for other := range known {
			isKnown = isKnown || strings.EqualFold(name, other)
		}
		var want, got any
		_, _ = json.Unmarshal(value, &want), json.Unmarshal(after[name], &got)
		if !isKnown && !reflect.DeepEqual(got, want) {
			t.Errorf("the unknown member %q was %s, and is %s in the message that is sent again", name, value, after[name])
		}
	}
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
