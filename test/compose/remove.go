package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// remove removes all that the run made, and looks whether it is gone. It works
// after a failure and an interrupt, too.
func (d *deployment) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	var errs []error
	if exists(d.dir + "/override.yaml") { // else nothing was started
		_, err := d.run(ctx, "down", "-v", "--remove-orphans", "-t", "5")
		errs = append(errs, err)
	}
	errs = append(errs, d.images.remove(ctx, d.engine), d.remains(ctx), d.proveRemains(ctx))
	return errors.Join(errs...)
}

// proveRemains leaves a volume behind, and returns an error if that is not seen.
func (d *deployment) proveRemains(ctx context.Context) error {
	name, err := d.docker(ctx, "volume", "create", "--label", "com.docker.compose.project="+d.project)
	if err != nil {
		return err
	}
	red := d.remains(ctx)
	if _, err := d.docker(ctx, "volume", "rm", name); err != nil {
		return err
	}
	if red == nil {
		return errors.New("a volume was left on purpose, and was not seen")
	}
	return nil
}

// remains returns an error that names what is left of the run.
func (d *deployment) remains(ctx context.Context) error {
	var errs []error
	label := "label=com.docker.compose.project=" + d.project
	for what, command := range map[string][]string{
		"containers": {"ps", "-a", "-q", "--filter", label},
		"networks":   {"network", "ls", "-q", "--filter", label},
		"volumes":    {"volume", "ls", "-q", "--filter", label},
		"images":     {"images", "-q", "cloudmirror-compose-test/*:" + d.project},
	} {
		left, err := d.docker(ctx, command...)
		if err == nil && left != "" {
			err = fmt.Errorf("%s are left: %q", what, left)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
