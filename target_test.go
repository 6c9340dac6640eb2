package cloudmirror_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloudmirror"
)

// b64 is the documented form of what need not be a URL.
func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestParseTarget(t *testing.T) {
	const url = "https://example.com/?~?~?a~~b?" // its base64 has padding, and characters that the alphabets differ in
	const plain = "https://example.com/a"        // without a query
	tests := map[string]struct{ given, want, options string }{
		"literal":                              {"https://example.com/a?b=c", "https://example.com/a?b=c", ""},
		"literal, nothing decoded":             {"https://example.com/a%3Fb%2520", "https://example.com/a%3Fb%2520", ""},
		"literal, our query is the URL's":      {"https://example.com/a?wait=5s", "https://example.com/a?wait=5s", ""},
		"literal, a mixture is the URL's":      {"https://example.com/a?wait=5s&b=c&wait=6s", "https://example.com/a?wait=5s&b=c&wait=6s", ""},
		"literal, one slash":                   {"https:/example.com/a", "https://example.com/a", ""},
		"literal, one slash, capitals":         {"HTTP:/Example.com/a//b", "http://example.com/a//b", ""},
		"literal, slashes are the URL's":       {"https://example.com/a/b.whl", "https://example.com/a/b.whl", ""},
		"percent-encoded":                      {"https%3A%2F%2Fexample.com%2Fa%3Fb%3Dc%2520", "https://example.com/a?b=c%20", ""},
		"percent-encoded but for the colon":    {"https:%2F%2fexample.com%2Fa%3Fb?wait=5s", "https://example.com/a?b", "wait=5s"},
		"percent-encoded in part":              {"https%3A//example.com/a", plain, ""},
		"percent-encoded, lower case":          {"https%3a%2f%2fexample.com%2fa", plain, ""},
		"percent-encoded, all of it":           {"%68%74%74%70%3a%2f%2fa%2f", "http://a/", ""},
		"percent-encoded with our query":       {"https%3A%2F%2Fexample.com%2Fa?wait=5s&fallback=none", plain, "wait=5s fallback=none"},
		"percent-encoded, plus is plus":        {"https%3A%2F%2Fexample.com%2Fa+b", "https://example.com/a+b", ""},
		"percent-encoded, slashes are its own": {"https%3A%2F%2Fexample.com%2Fa/b.whl", "https://example.com/a/b.whl", ""},
		"percent-encoded, the origin's query":  {"https%3A//example.com/a?rev=1", "https://example.com/a?rev=1", ""},
		"… and another one":                    {"https%3A//example.com/a?rev=2", "https://example.com/a?rev=2", ""},
		"… of which nothing is decoded":        {"https%3A//example.com/a?r%65v=%2520+;wait=5s&&", "https://example.com/a?r%65v=%2520+;wait=5s&&", ""},
		"… with a question mark":               {"https%3A//example.com/a?a?wait=5s", "https://example.com/a?a?wait=5s", ""},
		"… without a path in front":            {"https%3A//example.com?a", "https://example.com/?a", ""},
		"… with names that are nearly ours":    {"https%3A//example.com/a?Wait=1&wait%20=1&wait+=1&%2577ait=1&ipv6=1&=wait", "https://example.com/a?Wait=1&wait%20=1&wait+=1&%2577ait=1&ipv6=1&=wait", ""},
		"… of nothing but separators":          {"https%3A//example.com/a?&", "https://example.com/a?&", ""},
		"… with a fragment behind it":          {"https%3A//example.com/a?rev=1#top", "https://example.com/a?rev=1", ""},
		"base64url":                            {base64.RawURLEncoding.EncodeToString([]byte(url)), url, ""},
		"base64url, padded":                    {base64.URLEncoding.EncodeToString([]byte(url)), url, ""},
		"base64, padded":                       {base64.StdEncoding.EncodeToString([]byte(url)), url, ""},
		"base64, not padded":                   {base64.RawStdEncoding.EncodeToString([]byte(url)), url, ""},
		"base64, percent-encoded padding":      {strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte(url)), "=", "%3D"), url, ""},
		"base64, percent-encoded slash":        {strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte("http://a/?~?~?~?~")), "/", "%2F"), "http://a/?~?~?~?~", ""},
		"base64url with our query":             {b64(url) + "?wait=5s", url, "wait=5s"},
		"base64url with an empty query":        {b64(url) + "?", url, ""},
		"base64url of what is not canonical":   {b64("HTTPS://EXAMPLE.com"), "https://example.com/", ""},
		"base64url with the origin's query":    {b64(plain) + "?a?b", plain + "?a?b", ""},
		"every option":                         {b64(url) + "?country=a&avoid=b&explain=c&ip=d&ipv=e&wait=f&fallback=g", url, "country=a avoid=b explain=c ip=d ipv=e wait=f fallback=g"},
		"options are decoded once":             {b64(url) + "?w%61it=1%2525%26+%3d", url, "wait=1%25& ="},
		"options without a value":              {b64(url) + "?explain&wait=", url, "explain= wait="},
		"a semicolon separates nothing":        {b64(url) + "?wait=1;fallback=none", url, "wait=1;fallback=none"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := cloudmirror.ParseTarget(test.given)
			var options []string
			for _, o := range got.Options {
				options = append(options, o.Name+"="+o.Value)
			}
			if err != nil || got.Object.URL() != test.want || strings.Join(options, " ") != test.options || got.Name != "" {
				t.Errorf("%q: got %+v, %v", test.given, got, err)
			}
		})
	}
}

func TestParseTargetRefuses(t *testing.T) {
	for name, given := range map[string]string{
		"nothing":                           "",
		"only a query":                      "?wait=5s",
		"only padding":                      "====",
		"a word":                            "favicon.ico",
		"a host without scheme":             "example.com/a",
		"another scheme":                    "ftp://example.com/",
		"another scheme, encoded":           "ftp%3A%2F%2Fexample.com%2F",
		"another scheme, base64":            b64("ftp://example.com/"),
		"another scheme, base64, a name":    b64("ftp://example.com/") + "/a.whl",
		"a scheme with a letter like s":     "http\u017f://example.com/",
		"no slash":                          "https:example.com",
		"three slashes":                     "https:///example.com",
		"one slash and a backslash":         `https:/\example.com`,
		"percent-encoded twice":             "https%253A%252F%252Fexample.com",
		"a broken percent-encoding":         "https%3A%2F%2Fexample.com%zz",
		"a percent sign at the end":         "aHR0cDovL2Ev%",
		"a line break in base64":            b64("http://a/")[:4] + "\n" + b64("http://a/")[4:],
		"an encoded line break in base64":   b64("http://a/")[:4] + "%0A" + b64("http://a/")[4:],
		"a space in base64":                 b64("http://a/")[:4] + " " + b64("http://a/")[4:],
		"padding in the middle of base64":   b64("http://a/")[:4] + "=" + b64("http://a/")[4:],
		"stray bits at the end of base64":   "aHR0cDovL2EvYR", // "http://a/a" ends in YQ
		"base64 of base64":                  b64(b64("http://a/")),
		"a byte beyond ASCII in base64":     b64("http://a/") + "ü",
		"an encoded URL with a user name":   b64("http://a@b/"),
		"an encoded URL with a fragment ok": b64("http://a/ü"),
		"a URL over the limit":              b64("http://a/" + strings.Repeat("a", cloudmirror.MaxURLBytes)),
		"a query in both places":            "http%3A//a/f%3Fa?b",
		"an empty one in the URL":           b64("http://a/f?") + "?b",
		"a query behind a fragment":         b64("http://a/f#x") + "?rev=1",
		"… that is not decoded":             "http%3A//a/f#x?rev=1",
		"the origin's query, badly encoded": b64("http://a/f") + "?rev=%zz",
		"the origin's query, a bad byte":    b64("http://a/f") + `?rev="`,
		"a name in front of nothing":        "/a.whl",
		"a name that is empty":              b64("http://a/") + "/",
		"a name with a query, empty":        b64("http://a/") + "/?wait=5s",
		"a name of 256 bytes":               b64("http://a/") + "/" + strings.Repeat(".", 256),
		"a name with a slash":               b64("http://a/") + "/b/a.whl",
		"a name behind two slashes":         b64("http://a/") + "//a.whl",
		"a slash behind a name":             b64("http://a/") + "/a.whl/",
		"an encoded slash before a name":    b64("http://a/") + "%2Fa.whl",
		"standard base64 with a name":       base64.StdEncoding.EncodeToString([]byte("http://a/?~?~?~")) + "/a.whl",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cloudmirror.ParseTarget(given)
			if _, ok := errors.AsType[*cloudmirror.URLError](err); !ok || !got.Object.IsZero() {
				t.Errorf("%q is read as %+v, %v", given, got, err)
			}
		})
	}
}

// A client that asks for a refused URL must not get another one, which its
// base64 happens to be up to the slash.
func TestARefusedURLIsNotCutAtASlash(t *testing.T) {
	for _, url := range []string{"http://a.b/aaa?x=\u00fc", "http://a.b/aaa?x=a b", "http://a.b/aaa?x={}", "http://a.b/aaa?x=%zz"} {
		whole := base64.RawStdEncoding.EncodeToString([]byte(url))
		cut, _, _ := strings.Cut(whole, "/")
		if got, err := cloudmirror.ParseTarget(cut); err != nil || got.Object.URL() != "http://a.b/aaa" {
			t.Fatalf("the part of %s is %+v, %v", whole, got, err)
		}
		if got, err := cloudmirror.ParseTarget(whole); err == nil {
			t.Errorf("the base64 form of %s is read as %+v", url, got)
		}
	}
}

func TestOptionErrors(t *testing.T) {
	for query, want := range map[string]string{
		"wait=5s&rev=1":           "mixes options",
		"rev=1&wait=5s":           "mixes options",
		"rev=1&w%61it=5s":         "mixes options",
		"wait=5s&":                "mixes options",
		"&wait=5s":                "mixes options",
		"wait=5s&&fallback=x":     "mixes options",
		"wait=1&wait=1":           "the option wait more than once",
		"ip=1&w%61it=1&wait=2":    "the option wait more than once",
		"wait=%":                  "a value of the option wait with a %",
		"wait=1&fallback=%0":      "a value of the option fallback with a %",
		"%zz=1":                   "a name with a %",
		"wait=1&w%":               "a name with a %",
		"a=1&%":                   "a name with a %",
		strings.Repeat("&", 8193): "8193 bytes long, at most 8192",
	} {
		for _, target := range []string{b64("http://a/"), b64("http://a/") + "/a.whl", "http%3A//a/"} {
			got, err := cloudmirror.ParseTarget(target + "?" + query)
			if _, ok := errors.AsType[*cloudmirror.OptionError](err); !ok || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "rev") || !got.Object.IsZero() {
				t.Errorf("%s?%.50s: %+v, %v; want %q", target, query, got, err, want)
			}
		}
	}
}

// A client must not buy much work with a long query.
func TestTheOriginsQueryCostsNoAllocations(t *testing.T) {
	allocations := func(query string) float64 {
		return testing.AllocsPerRun(100, func() { _, _ = cloudmirror.ParseTarget(b64("http://a/") + "?" + query) })
	}
	if short, long := allocations("%61=b"), allocations(strings.Repeat("%61=b&", 1000)+"%77ai=+&w+it"); long > short+1 {
		t.Errorf("%v allocations for 1,000 parameters, %v for one", long, short)
	}
}

func TestNamesBehindTargets(t *testing.T) {
	const url = "http://a/?~?~?~"
	target := b64(url)
	for description, test := range map[string]struct{ target, name string }{
		"a wheel":                      {target, "tool-1.0-py3-none-any.whl"},
		"a local version":              {target, "torch-1.0+cpu-py3-none-any.whl"},
		"… encoded":                    {target, "torch-1.0%2Bcpu-py3-none-any.whl"},
		"an encoded slash":             {target, "a%2Fb"},
		"an encoded NUL":               {target, "%00"},
		"an encoded question mark":     {target, "a%3Fwait=5s"},
		"a broken percent-encoding":    {target, "100%"},
		"a colon":                      {target, "http:"},
		"a URL, encoded":               {target, "http%3A%2F%2Fb%2F"},
		"dots":                         {target, ".."},
		"one byte":                     {target, "a"},
		"255 bytes":                    {target, strings.Repeat("a", 255)},
		"padding behind the URL":       {base64.URLEncoding.EncodeToString([]byte("http://a/aa")), "YWFh"},
		"the standard alphabet":        {strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte("http://a/?~?~?")), "/", "%2F"), "a.whl"},
		"two digits over":              {b64("http://a/a"), "YWFh"},
		"no digit over":                {b64("http://a/"), "YWFh"},
		"three, and no base64":         {b64("http://a/aa"), "a.whl"},
		"three, and base64 of no text": {b64("http://a/aa"), "tool"},
		"… of a control character":     {b64("http://a/aa"), b64("a\x00b")},
		"… with stray bits":            {b64("http://a/aa"), "YR"},
	} {
		t.Run(description, func(t *testing.T) {
			want, err := cloudmirror.ParseTarget(test.target)
			if err != nil {
				t.Fatal(err)
			}
			got, err := cloudmirror.ParseTarget(test.target + "/" + test.name)
			if err != nil || got.Object != want.Object || got.Name != test.name {
				t.Errorf("%s/%s is %+v, %v", test.target, test.name, got, err)
			}
		})
	}
	for name, want := range map[string]string{"YWFh": "http://a/aa?aaa", "": "http://a/aa?"} {
		whole, err := cloudmirror.ParseTarget(b64("http://a/aa") + "/" + name + "?wait=5s")
		if err != nil || whole.Object.URL() != want || whole.Name != "" || len(whole.Options) != 1 {
			t.Errorf("what decodes as a whole is %+v, %v, want %s", whole, err, want)
		}
	}
}

// targetsWithSlashes draws base64, or nearly, with slashes and queries.
func targetsWithSlashes() *rapid.Generator[string] {
	url := rapid.StringMatching(`https?://[a-z]{1,3}(/[a-z]{0,3}(\?[a-z=~?>]{0,9})?)?`)
	name := rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9_+/=%.-]{0,9}`), rapid.Map(rapid.StringMatching(`[ -~é\x7f]{0,6}`), b64),
		rapid.SampledFrom([]string{"a.whl", "%2F", "%41", "tool-linux-amd64", "README", strings.Repeat("Y", 256)}))
	return rapid.Custom(func(t *rapid.T) string {
		encoding := rapid.SampledFrom([]*base64.Encoding{base64.RawURLEncoding, base64.URLEncoding, base64.StdEncoding, base64.RawStdEncoding}).Draw(t, "encoding")
		target := encoding.EncodeToString([]byte(url.Draw(t, "url")))
		target = target[:len(target)-rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "cut")]
		return target + rapid.SampledFrom([]string{"", "/", "/", "/"}).Draw(t, "slash") + name.Draw(t, "name") +
			rapid.SampledFrom([]string{"", "", "?", "?wait=5s", "?a=b"}).Draw(t, "query")
	})
}

// checkNames checks what front ends rely on when they remember targets without names.
func checkNames(t failer, rest string) {
	path, query := rest, ""
	if i := strings.IndexByte(rest, '?'); i >= 0 {
		path, query = rest[:i], rest[i:]
	}
	encoded, name, found := strings.Cut(path, "/")
	got, err := cloudmirror.ParseTarget(rest)
	without, errWithout := cloudmirror.ParseTarget(encoded + query)
	same := got.Object == without.Object && slices.Equal(got.Options, without.Options)
	if err == nil && got.Name != "" && (errWithout != nil || !same || got.Name != name) {
		t.Errorf("%q has the name %q, and without it is %+v, %v", rest, got.Name, without, errWithout)
	}
	if found && errWithout == nil && cloudmirror.SeparatesName(encoded, name) && (err != nil || !same || got.Name != name) {
		t.Errorf("%q separates a name, and is %+v, %v; without it %+v", rest, got, err, without)
	}
	if err == nil && got.Name != "" && strings.Contains(name, ".") && !strings.ContainsAny(encoded, "%") && !cloudmirror.SeparatesName(encoded, name) {
		t.Errorf("%q has a name with a dot, which is not noticed", rest)
	}
}

func TestANameMakesNoOtherObject(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkNames(t, targetsWithSlashes().Draw(t, "rest")) })
}

func FuzzParseTarget(f *testing.F) {
	for _, heading := range []string{"Accepted", "Refused"} {
		for _, row := range table(f, heading) {
			f.Add(row[0])
			f.Add(b64(row[0]) + "?wait=5s")
			f.Add(b64(row[0]) + "/name.tar.gz?a=b")
		}
	}
	for _, seed := range []string{b64("http://a/aa") + "/YWFh", b64("http://a/aa") + "/", b64("http://a.b/aaa") + "/eD1hYWE", b64("http://a/") + "/%2F?wait=1&w%61it=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		checkNames(t, rest)
		target, err := cloudmirror.ParseTarget(rest)
		if err != nil {
			if !target.Object.IsZero() {
				t.Errorf("%q: an object with an error", rest)
			}
			return
		}
		checkIdentity(t, target.Object.URL())
	})
}

func TestNamedTarget(t *testing.T) {
	long := strings.Repeat("%C3%BC", 150)
	for url, want := range map[string]string{
		"https://h/torch-1.0%2Bcpu-py3-none-any.whl": "torch-1.0+cpu-py3-none-any.whl",
		"https://h/torch-1.0+cpu-py3-none-any.whl":   "torch-1.0+cpu-py3-none-any.whl",
		"https://h/a/tool-1!2.0_(x).tar.gz?sig=a/b":  "tool-1!2.0_(x).tar.gz",
		"https://h/a%20b%2Fc%00%3F%23.txt":           "a%20b_c___.txt",
		"https://h/a:b%25;c":                         "a_b__c",
		"https://h/b%C3%BCcher.pdf":                  "b%C3%BCcher.pdf",
		"https://h/" + long + ".txt":                 strings.Repeat("%C3%BC", 41) + ".txt",
		"https://h/":                                 "object",
		"http://a/aa/YWFh":                           "YWFh",
		"http://a/aaa/YWFh":                          "", // the whole would be http://a/aaa/YWFh?aaa
		"http://a/aaaa/YWFh":                         "YWFh",
	} {
		o := parse(t, url)
		if got := strings.TrimPrefix(strings.TrimPrefix(o.NamedTarget(), o.Target()), "/"); got != want {
			t.Errorf("%s has the name %q, want %q", url, got, want)
		}
		if got, err := cloudmirror.ParseTarget(o.NamedTarget()); err != nil || got.Object != o {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
}

func TestRedirectURL(t *testing.T) {
	o := parse(t, "https://example.com/a")
	backend := cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"}
	const want = "https://mirror.test/v1/redirect/s3/eu-west-1/aHR0cHM6Ly9leGFtcGxlLmNvbS9h/a"
	for _, server := range []string{"https://mirror.test", "https://mirror.test/"} {
		if got := o.RedirectURL(server, backend); got != want {
			t.Errorf("%s: %s", server, got)
		}
	}
}

func TestSeparatesNameDoesNotAllocate(t *testing.T) {
	encoded := b64("http://a/aa")
	for _, name := range []string{"a.whl", "tool-linux-amd64-and-a-long-name-behind-it", strings.Repeat("a", 255)} {
		if n := testing.AllocsPerRun(100, func() { cloudmirror.SeparatesName(encoded, name) }); n != 0 {
			t.Errorf("%.20s: %v allocations", name, n)
		}
	}
}

func BenchmarkParseTarget(b *testing.B) {
	const url = "https://bucket.s3.eu-west-1.amazonaws.com/releases/v1.2.3/tool-linux-amd64.tar.gz"
	for name, target := range map[string]string{
		"literal":   url,
		"base64url": b64(url),
		"named":     b64(url) + "/tool-linux-amd64.tar.gz",
		"encoded":   strings.ReplaceAll(strings.ReplaceAll(url, ":", "%3A"), "/", "%2F"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := cloudmirror.ParseTarget(target); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
