package app

import (
	"context"

	"cloudmirror/presence"
)

// NewHTTPServer is for tests, which reach it through connections of their own.
var NewHTTPServer = newHTTPServer

// OriginOptions is how a configuration has origins asked.
var OriginOptions = originOptions

// CheckNow checks all dependencies, as run does every 10 s.
func (a *App) CheckNow(ctx context.Context) { a.health.checkAll(ctx) }

// Dependencies are what the process tells others of its dependencies.
func (a *App) Dependencies() []presence.Dependency { return a.health.dependencies() }

// Calls are those of one kind of a queue.
type Calls struct{ calls }

// NewQueueCalls returns calls of a verb.
func NewQueueCalls(verb string) *Calls { return &Calls{calls{verb: verb, doubtAfter: queueDoubt}} }

func (c *Calls) Note(ctx context.Context, err error) { c.record(ctx, err) }
func (c *Calls) Down() error                         { return c.down() }
func (c *Calls) Doubt() string                       { return c.doubt() }
