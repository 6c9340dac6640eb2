package rediscache

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

// LogTo has go-redis write what it says about single connections to logger, at
// the debug level, and not to stderr: what matters of it comes back as errors.
// That is a variable of go-redis, thus for the whole process: a program calls
// this once, before New.
func LogTo(logger *zap.Logger) { redis.SetLogger(redisLog{logger.Named("redis")}) }

type redisLog struct{ logger *zap.Logger }

// Printf implements go-redis' logger.
func (l redisLog) Printf(_ context.Context, format string, args ...any) {
	if entry := l.logger.Check(zap.DebugLevel, "go-redis"); entry != nil {
		entry.Write(zap.String("message", fmt.Sprintf(format, args...)))
	}
}
