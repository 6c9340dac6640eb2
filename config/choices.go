package config

// A Role says which parts of the system a process runs.
type Role string

// The roles, each named like its command.
const (
	RoleServe    Role = "serve" // everything, in one process
	RoleFrontend Role = "frontend"
	RoleCopier   Role = "copier"
)

// A CacheType names a driver of the cache.
type CacheType string

// The drivers of the cache.
const (
	CacheMemory CacheType = "memory" // for one process
	CacheRedis  CacheType = "redis"
)

// A QueueType names a driver of queues.
type QueueType string

// The drivers of queues.
const (
	QueueMemory QueueType = "memory" // for one process
	QueueSQS    QueueType = "sqs"
)

// A StorageType names a driver of storage.
type StorageType string

// The drivers of storage.
const (
	StorageFile StorageType = "file" // for one process
	StorageS3   StorageType = "s3"
)

// An Access says whether provisioning makes the copies in a bucket public.
type Access string

// The kinds of access.
const (
	AccessAuto    Access = "auto"    // public, unless presign or public_url gives clients another way
	AccessPublic  Access = "public"  // anyone may read copies
	AccessPrivate Access = "private" // only cloudmirror, and clients that a policy of the operator lets in
)

// A LogLevel is the least severity that is logged.
type LogLevel string

// The log levels.
const (
	LogDebug LogLevel = "debug"
	LogInfo  LogLevel = "info"
	LogWarn  LogLevel = "warn"
	LogError LogLevel = "error"
)

// A LogFormat is the form of log lines.
type LogFormat string

// The log formats.
const (
	LogJSON    LogFormat = "json"    // one JSON object a line
	LogConsole LogFormat = "console" // for people
)
