package doctor

// A Severity says how bad a Finding is.
type Severity string

// The severities.
const (
	OK      Severity = "ok"      // it was checked, and is as it should be
	Info    Severity = "info"    // good to know
	Warning Severity = "warning" // it works, but probably not as meant
	Error   Severity = "error"   // something does not work, or is not safe
)

// An ID names a kind of finding, for scripts and docs/provisioning.md.
type ID string

// The kinds of findings. A finding about a resource has the kind of the resource
// as its ID, with one of the endings below.
const (
	Looked ID = "looked" // nothing is wrong with the subject

	AllowOpen      ID = "allow-open"
	Configuration  ID = "configuration"
	HeadersOpen    ID = "headers-open"
	HeadersSecret  ID = "headers-secret"
	TokenGuessable ID = "token-guessable"
	TokenMissing   ID = "token-missing"
	WaitLong       ID = "wait-long"

	CacheUnreachable ID = "cache-unreachable"
	CacheMode        ID = "cache-mode"
	CacheVersion     ID = "cache-version"
	CacheReplica     ID = "cache-replica"
	CacheEviction    ID = "cache-eviction"
	CacheTracking    ID = "cache-tracking"
	CacheUnwritable  ID = "cache-unwritable"
	CacheFar         ID = "cache-far"
	CacheUnknown     ID = "cache-unknown"

	NoCopier       ID = "no-copier"
	CopiersUnknown ID = "copiers-unknown"

	ClockApart ID = "clock-apart"

	LettersWaiting ID = "letters-waiting"

	CopyUnwritable  ID = "copy-unwritable"
	CopyUnreadable  ID = "copy-unreadable"
	CopyHead        ID = "copy-head"
	CopyWrong       ID = "copy-wrong"
	CopyUnremoved   ID = "copy-unremoved"
	CopyCORS        ID = "copy-cors"
	CopiesPublic    ID = "copies-public"
	CopiesListable  ID = "copies-listable"
	PrivateReadable ID = "private-readable"
)

// The endings of IDs of findings about resources.
const (
	endMissing = "-missing"     // provisioning would create it
	endDiffers = "-differs"     // provisioning would change it
	endManual  = "-manual"      // an operator must do it by hand
	endShared  = "-shared"      // it belongs to another deployment
	endDenied  = "-denied"      // the credentials may not read it
	endUnknown = "-unreachable" // it could not be read
)

// A Finding is what was found about one subject.
type Finding struct {
	ID       ID       `json:"id"`
	Severity Severity `json:"severity"`
	Subject  string   `json:"subject"` // such as "service s3" or "bucket mirror-eu"
	// Problem says in a sentence what is wrong, Remedy what to do about it. Both
	// are empty with OK.
	Problem string `json:"problem,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
}
