package cloudmirror

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// MaxURLBytes is the greatest length of an origin URL, in bytes, before and
// after it is made canonical.
const MaxURLBytes = 8 << 10

// maxFileNameBytes keeps storage keys short and file names within the 255 bytes
// that file systems allow, temporary suffixes included.
const maxFileNameBytes = 200

// An Object is one immutable thing, named by its canonical origin URL. The zero
// Object is invalid; make one with [ParseObject]. Objects are comparable and
// safe for concurrent use.
type Object struct {
	url  string
	hash string // of url; made once, for every key needs it
	name string // the file name, if the URL is not known (ParseCopyURL)
}

// ParseObject checks raw and returns the object that its canonical form names.
// It is the only definition of an object's identity: storage keys derive from
// its result, so its results must never change between releases.
//
// The canonical form has a lower-case scheme (http or https); a lower-case ASCII
// host (IDNA, UTS #46) without its one optional trailing dot; no default port;
// a path of at least "/", without dot segments; no fragment; and is otherwise raw
// byte for byte: percent-encodings and empty segments stay as they are. An error is
// an [*URLError]: the URL is refused rather than mended wherever parsers are known
// to disagree about it (RFC 3986, the WHATWG URL standard).
func ParseObject(raw string) (Object, error) {
	o, err := ParseLegacyObject(raw)
	if err != nil {
		return Object{}, err
	}
	if err := checkSegments(o.path()); err != nil {
		return Object{}, err
	}
	return o, nil
}

// ParseLegacyObject is [ParseObject] without the refusal of dot segments: it reads
// all URLs that releases before that refusal made copies of. It is for operators
// who look for such a copy or remove it. Whatever copies, or redirects a client to
// the URL, must use ParseObject: allow patterns say nothing about where a URL with
// dot segments leads.
func ParseLegacyObject(raw string) (Object, error) {
	if len(raw) > MaxURLBytes {
		return Object{}, urlErrorf("is %d bytes long, at most %d are allowed", len(raw), MaxURLBytes)
	}
	isHTTPS, rest, found := cutScheme(raw)
	if !found {
		return Object{}, urlErrorf("must begin with http:// or https://")
	}
	rest, found = strings.CutPrefix(rest, "//")
	if !found {
		return Object{}, urlErrorf("must have // after its scheme")
	}
	authority, pathAndQuery := rest, ""
	if i := strings.IndexAny(rest, "/?#\\"); i >= 0 {
		authority, pathAndQuery = rest[:i], rest[i:]
	}
	host, port, err := splitAuthority(authority, isHTTPS)
	if err != nil {
		return Object{}, err
	}
	if err := checkBytes(pathAndQuery); err != nil {
		return Object{}, err
	}
	pathAndQuery, _, _ = strings.Cut(pathAndQuery, "#")

	var stack [256]byte // most URLs fit, and most are canonical already: no allocation then
	canonical := stack[:0]
	if isHTTPS {
		canonical = append(canonical, "https://"...)
	} else {
		canonical = append(canonical, "http://"...)
	}
	canonical = append(canonical, host...)
	if port != "" {
		canonical = append(append(canonical, ':'), port...)
	}
	if !strings.HasPrefix(pathAndQuery, "/") {
		canonical = append(canonical, '/')
	}
	canonical = append(canonical, pathAndQuery...)
	if len(canonical) > MaxURLBytes {
		return Object{}, urlErrorf("is %d bytes long when canonical, at most %d are allowed", len(canonical), MaxURLBytes)
	}
	hash := hashOf(canonical)
	if string(canonical) == raw {
		return Object{url: raw, hash: hash}, nil
	}
	return Object{url: string(canonical), hash: hash}, nil
}

func hashOf(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

// cutScheme returns what follows http: or https:, in any case. The lengths are
// compared too, since letters beyond ASCII fold to some within.
func cutScheme(raw string) (isHTTPS bool, rest string, found bool) {
	scheme, rest, found := strings.Cut(raw, ":")
	switch {
	case !found:
	case len(scheme) == len("http") && strings.EqualFold(scheme, "http"):
		return false, rest, true
	case len(scheme) == len("https") && strings.EqualFold(scheme, "https"):
		return true, rest, true
	}
	return false, raw, false
}

// checkBytes reports the first byte of a path, query and fragment that RFC 3986
// does not know, and percent signs without two hexadecimal digits.
func checkBytes(s string) error {
	for i := range len(s) {
		c := s[i]
		switch {
		case isAlphanumeric(c) || isPunctuation(c):
		case c == '%':
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return urlErrorf("has a %% that two hexadecimal digits do not follow")
			}
		default:
			return urlErrorf("has the byte 0x%02x, which must be percent-encoded", c)
		}
	}
	return nil
}

// isPunctuation reports whether c is in one of RFC 3986's sets gen-delims and
// sub-delims, or in unreserved and no letter or digit.
func isPunctuation(c byte) bool {
	const (
		low  = 1<<'!' | 1<<'#' | 1<<'$' | 1<<'&' | 1<<'\'' | 1<<'(' | 1<<')' | 1<<'*' | 1<<'+' | 1<<',' | 1<<'-' | 1<<'.' | 1<<'/' | 1<<':' | 1<<';' | 1<<'=' | 1<<'?'
		high = 1<<('@'-64) | 1<<('['-64) | 1<<(']'-64) | 1<<('_'-64) | 1<<('~'-64)
	)
	return c < 64 && uint64(low)>>c&1 != 0 || c >= 64 && uint64(high)>>(c-64)&1 != 0
}

// URL returns the canonical origin URL; "" if it is not known ([ParseCopyURL]).
func (o Object) URL() string { return o.url }

// Host returns the host of the URL, with its port if that is not the default one
// of the scheme.
func (o Object) Host() string {
	_, rest, _ := strings.Cut(o.url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// path returns the path of the URL, without its query.
func (o Object) path() string {
	const shortest = len("http://a") // what stands before the path
	path := o.url[shortest+strings.IndexByte(o.url[shortest:], '/'):]
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path = path[:i]
	}
	return path
}

// Origin returns the scheme, host and port of the URL, such as
// "https://example.com" or "http://example.com:8080": what RFC 6454 calls an
// origin.
func (o Object) Origin() string {
	scheme, rest, _ := strings.Cut(o.url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return o.url[:len(scheme)+len("://")+len(host)]
}

// maxShownBytes is how much of a URL logs and errors repeat: anyone may ask for
// URLs of MaxURLBytes.
const maxShownBytes = 512

// String returns the URL for logs: without its query, which may hold a signature,
// and without what is beyond 512 bytes. Then the length and the hash tell which URL
// it is.
func (o Object) String() string {
	if o.url == "" && o.hash != "" {
		return "the copy with hash " + o.hash
	}
	shown := o.WithoutQuery()
	if len(shown) <= maxShownBytes {
		return shown
	}
	return fmt.Sprintf("%s… (%d bytes, hash %s)", shown[:maxShownBytes], len(o.url), o.hash)
}

// WithoutQuery returns the URL with an ellipsis in the place of its query.
func (o Object) WithoutQuery() string {
	if path, _, found := strings.Cut(o.url, "?"); found {
		return path + "?…"
	}
	return o.url
}

// IsZero reports whether o is the zero Object, which names nothing.
func (o Object) IsZero() bool { return o == Object{} }

// Hash returns the SHA-256 of the canonical URL in lower-case hexadecimal, as
// `printf %s URL | sha256sum` prints it.
func (o Object) Hash() string { return o.hash }

// StorageKey returns the key of the object's copy of generation g in any
// storage: `<hash>/<generation>/<file name>`. The hash comes first, so that keys
// spread over partitions; the name last, so that downloads are named well.
func (o Object) StorageKey(g Generation) string {
	return o.Hash() + "/" + string(g) + "/" + o.FileName()
}

// MarkerKey returns the key of the durable marker that names the object's
// current [Generation]. Without a marker it is [FirstGeneration].
func (o Object) MarkerKey() string {
	return o.Hash() + "/generation"
}

// FileName returns the name that a download of the object should have: the last
// segment of the path, percent-decoded once, with every byte that some storage
// or file system treats specially replaced by an underscore, cut to its last
// 200 bytes. It is never empty, "." or "..".
func (o Object) FileName() string {
	if o.url == "" && o.name != "" {
		return o.name
	}
	path, _, _ := strings.Cut(o.url, "?")
	name := path[strings.LastIndexByte(path, '/')+1:]
	if decoded, err := url.PathUnescape(name); err == nil {
		name = decoded
	}
	return safeFileName(name)
}

// safeFileName returns a name for every storage and file system. It returns its own
// results unchanged.
func safeFileName(name string) string {
	name = strings.Map(fileNameRune, name)
	if len(name) > maxFileNameBytes {
		name = name[len(name)-maxFileNameBytes:]
		for !utf8.RuneStart(name[0]) {
			name = name[1:]
		}
	}
	switch strings.Trim(name, " ") {
	case "":
		return "object"
	case ".", "..":
		return "_"
	}
	return name
}

// fileNameRune depends on no table that a release of Go or Unicode could change.
func fileNameRune(r rune) rune {
	switch {
	case r >= 0x80 && r < 0xa0, r >= 0xfffd && r <= 0xffff: // C1 controls; invalid bytes, and what XML cannot say
		return '_'
	case r >= 0xa0, isAlphanumeric(byte(r)), strings.ContainsRune("-._~+=@,!'() ", r):
		return r
	}
	return '_'
}

// A Generation tells apart the storage keys of one object across purges. It is
// [FirstGeneration] until the first purge, which makes a new random one.
type Generation string

// FirstGeneration is the generation of an object that was never purged.
const FirstGeneration Generation = "0"

// NewGeneration returns a generation that was never used before.
func NewGeneration() Generation { return Generation(NewID()) }

// ParseGeneration checks a generation that was read from outside: lower-case
// letters and digits, at most 64.
func ParseGeneration(s string) (Generation, error) {
	if s == "" || len(s) > 64 {
		return "", fmt.Errorf("generation has %d characters, 1 to 64 are allowed", len(s))
	}
	for i := range len(s) {
		if !isLowerAlphanumeric(s[i]) {
			return "", fmt.Errorf("generation %q has other characters than a-z and 0-9", s)
		}
	}
	return Generation(s), nil
}

// An URLError says why a string is no origin URL. Its text never repeats the
// URL, whose query may be a secret.
type URLError struct {
	Reason string // completes "the URL …"
}

// Error implements error.
func (e *URLError) Error() string { return "the URL " + e.Reason }

func urlErrorf(format string, args ...any) *URLError {
	return &URLError{Reason: fmt.Sprintf(format, args...)}
}

func isLowerAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || isDigit(c)
}

func isAlphanumeric(c byte) bool {
	return isLowerAlphanumeric(c) || 'A' <= c && c <= 'Z'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
