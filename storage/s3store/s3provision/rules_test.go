package s3provision_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloudmirror/provision"
	"cloudmirror/storage/s3store/s3provision"
	"cloudmirror/test/servers"
)

// ruled is in front of an S3 server and has what that does not know: rules, and
// policies in a form that only AWS takes. It keeps them as they are sent.
type ruled struct {
	rules, versioning string // XML
	policy            string // JSON; "": it is the server's
	server            http.Handler
}

func (f *ruled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case query.Has("policy") && f.policy != "" && r.Method == http.MethodPut:
		text, _ := io.ReadAll(r.Body)
		f.policy = string(text)
	case query.Has("policy") && f.policy != "":
		_, _ = io.WriteString(w, f.policy)
	case query.Has("versioning"):
		_, _ = io.WriteString(w, f.versioning)
	case query.Has("lifecycle") && r.Method == http.MethodPut:
		text, _ := io.ReadAll(r.Body)
		f.rules = string(text)
	case query.Has("lifecycle") && f.rules == "":
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<Error><Code>NoSuchLifecycleConfiguration</Code></Error>")
	case query.Has("lifecycle"):
		_, _ = io.WriteString(w, f.rules)
	default:
		f.server.ServeHTTP(w, r)
	}
}

// newRuled returns a bucket behind a server with rules.
func newRuled(t *testing.T, spaces ...s3provision.Space) (*provisioned, *ruled) {
	t.Helper()
	server := servers.StartVersityGW(t, region)
	p, f := newProvisioned(t, server, spaces...), &ruled{versioning: "<VersioningConfiguration/>", server: forward(t, server)}
	p.goThrough(f)
	return p, f
}

func TestWhatArchivesCopiesIsTold(t *testing.T) {
	space := s3provision.Space{Prefix: "a/", Keep: 50 * time.Hour}
	for name, test := range map[string]struct {
		class, prefix, days string
		want                provision.Action
	}{
		"too soon":                     {"GLACIER", "", "1", provision.Manual},
		"too soon, deeply":             {"DEEP_ARCHIVE", "a/", "2", provision.Manual},
		"after they are gone":          {"GLACIER", "", "3", provision.OK},
		"others' objects":              {"GLACIER", "b/", "1", provision.OK},
		"to where they can be read":    {"STANDARD_IA", "", "1", provision.OK},
		"to where they can be read, 2": {"GLACIER_IR", "", "1", provision.OK},
	} {
		t.Run(name, func(t *testing.T) {
			p, f := newRuled(t, space)
			p.want(false, provision.Create, provision.OK, provision.Create, provision.OK)
			f.rules = strings.Replace(f.rules, "<Rule>", "<Rule><ID>theirs</ID><Status>Enabled</Status><Filter><Prefix>"+test.prefix+
				"</Prefix></Filter><Transition><Days>"+test.days+"</Days><StorageClass>"+test.class+"</StorageClass></Transition></Rule><Rule>", 1)
			p.want(false, provision.OK, provision.OK, test.want, provision.OK)
		})
	}
}

func TestOldVersionsOfCopiesAreRemoved(t *testing.T) {
	p, f := newRuled(t, day)
	p.want(false, provision.Create, provision.Create, provision.Create, provision.OK)
	if strings.Contains(f.rules, "Noncurrent") {
		t.Errorf("a bucket without versions has the rules %s", f.rules)
	}
	f.versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
	p.want(false, provision.OK, provision.OK, provision.Change, provision.OK)
	if !strings.Contains(f.rules, "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>") {
		t.Errorf("the rules are %s", f.rules)
	}
	p.want(false, provision.OK, provision.OK, provision.OK, provision.OK)
}

func TestRulesThatAreTakenOverAreThereOnce(t *testing.T) {
	p, f := newRuled(t, s3provision.Space{Prefix: "a/", Keep: 36 * time.Hour})
	p.want(false, provision.Create, provision.OK, provision.Create, provision.OK)
	f.rules = strings.Replace(f.rules, "<Rule>", "<Rule><ID>cloudmirror:you:</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><Expiration><Days>9</Days></Expiration></Rule><Rule>", 1)
	p.options.Adopt = true
	p.want(false, provision.OK, provision.OK, provision.Change, provision.OK)
	if n := strings.Count(f.rules, "<Rule>"); n != 1 || !strings.Contains(f.rules, "cloudmirror:me:a/") {
		t.Errorf("the rules are %s", f.rules)
	}
}

// TestAnotherDeploymentsKeysOverlap: a statement about more keys than ours, or
// fewer, is about ours as well.
func TestAnotherDeploymentsKeysOverlap(t *testing.T) {
	server := servers.StartVersityGW(t, region)
	for _, test := range []struct {
		mine, theirs string
		overlap      bool
	}{{"a/", "", true}, {"", "a/", true}, {"a/", "a/b/", true}, {"a/", "b/", false}, {"a", "b", false}} {
		p := newProvisioned(t, server, s3provision.Space{Prefix: test.theirs, Public: true})
		p.options.Owner = "you"
		p.want(false, provision.Create, provision.Create, provision.Manual, provision.OK)
		p.options.Owner, p.options.Spaces[0].Prefix = "me", test.mine
		_, err := p.run(true)
		if got := err != nil; got != test.overlap {
			t.Errorf("%q beside %q: error %v", test.mine, test.theirs, err)
		}
		if !test.overlap {
			continue
		}
		p.options.Adopt = true
		p.want(false, provision.OK, provision.Change, provision.Manual, provision.OK)
		if sids := p.sids(); len(sids) != 1 {
			t.Errorf("%q adopts %q: statements %v", test.mine, test.theirs, sids)
		}
	}
}

func TestAPolicyMayHaveOneStatementByItself(t *testing.T) {
	p, f := newRuled(t, day)
	f.policy = `{"Version":"2012-10-17","Statement":{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}}`
	p.want(false, provision.Create, provision.Change, provision.Create, provision.OK)
	if !strings.Contains(f.policy, `"Statement":[{"Sid":"Theirs"`) || !strings.Contains(f.policy, "CloudmirrorReadCopies") {
		t.Errorf("the policy is %s", f.policy)
	}
	p.want(false, provision.OK, provision.OK, provision.OK, provision.OK)
}
