// Package redisurl says which Redis a URL names. It is the one parser of
// cache.redis.url, so that the configuration accepts what the driver can open. It
// opens no connection.
package redisurl
