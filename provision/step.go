package provision

import (
	"context"
	"errors"
)

// An Action is what a Step does to the world.
type Action string

// The actions.
const (
	OK     Action = "ok"     // all is as it should be
	Create Action = "create" // it is not there
	Change Action = "change" // it is there, and differs in what we set
	Manual Action = "manual" // the server cannot be told: the details say what to do by hand
)

// A Kind says what a Resource is.
type Kind string

// The kinds, in the order in which they are provisioned.
const (
	Cache       Kind = "cache"
	DeadLetters Kind = "dead-letters"
	Queue       Kind = "queue"
	Bucket      Kind = "bucket"
	Access      Kind = "client-access" // who may read what is in a bucket
	Lifecycle   Kind = "lifecycle"
	CORS        Kind = "cors" // whether scripts of pages may read it
)

// ErrForeign says that a resource is marked as another deployment's. Two
// deployments on one queue take each other's jobs, and on one bucket purge each
// other's copies behind the back of the other's cache.
var ErrForeign = errors.New("it belongs to another deployment")

// ErrDenied says that the credentials may not look at a resource. It may be as it
// should be, or not.
var ErrDenied = errors.New("the credentials do not allow to look at it")

// A Resource is one thing that a deployment needs.
type Resource struct {
	Kind Kind
	Name string // within its kind, as people know it
	// Plan looks at the world, changes nothing, and returns what to do. The
	// errors are ErrForeign, ErrDenied, and whatever else keeps it from looking.
	Plan func(context.Context) (Step, error)
}

// A Step is what has to be done about a Resource.
type Step struct {
	Action Action
	// Details say what is missing or different, a line each; of Manual, what to
	// do by hand.
	Details []string
	// Apply does it. Only Create and Change have one.
	Apply func(context.Context) error
}

// An Outcome is what came of a Resource.
type Outcome struct {
	Kind    Kind     `json:"kind"`
	Name    string   `json:"name"`
	Action  Action   `json:"action,omitempty"` // "": it could not be looked at
	Details []string `json:"details,omitempty"`
	Done    bool     `json:"done"` // nothing is left to do
	Err     error    `json:"-"`
}

// Run plans the resources in their order and, unless dryRun is set, applies each
// step before it plans the next. It tells each outcome; one that failed does not
// keep the others from being tried. The error is that of tell, or that some
// failed.
func Run(ctx context.Context, resources []Resource, dryRun bool, tell func(Outcome) error) error {
	failed := false
	for _, r := range resources {
		o := r.run(ctx, dryRun)
		failed = failed || o.Err != nil
		if err := tell(o); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if failed {
		return ErrFailed
	}
	return nil
}

// ErrFailed says that an Outcome has an error.
var ErrFailed = errors.New("not everything could be provisioned")

func (r Resource) run(ctx context.Context, dryRun bool) Outcome {
	o := Outcome{Kind: r.Kind, Name: r.Name}
	step, err := r.Plan(ctx)
	if err != nil {
		o.Err = err
		return o
	}
	o.Action, o.Details, o.Done = step.Action, step.Details, step.Action == OK
	if step.Apply != nil && !dryRun {
		o.Err = step.Apply(ctx)
		o.Done = o.Err == nil
	}
	return o
}
