package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/api/client"
	"cloudmirror/app"
	"cloudmirror/config"
	"cloudmirror/engine"
	"cloudmirror/storage"
)

// A verified is a line of `verify --json`.
type verified struct {
	URL        string         `json:"url"`
	Service    string         `json:"service"`
	Region     string         `json:"region"`
	State      engine.Verdict `json:"state"` // good, absent or damaged
	SizeBytes  *int64         `json:"size,omitempty"`
	SHA256     string         `json:"sha256,omitempty"` // that was stored
	FoundBytes *int64         `json:"found_size,omitempty"`
	Found      string         `json:"found_sha256,omitempty"` // of a damaged copy
	StoredAt   *time.Time     `json:"stored_at,omitempty"`
	ExpiresAt  *time.Time     `json:"expires_at,omitempty"`
	Purged     bool           `json:"purged,omitempty"`
}

// errDamaged says that a copy is damaged, and is still there.
var errDamaged = errors.New("the copy is damaged: purge it, and look after the storage")

func (c *cli) verifyCommand() *cobra.Command {
	var t target
	purge := false
	command := &cobra.Command{
		Use:   "verify URL...",
		Short: "Read copies again and compare them with their digests",
		Long: `Read the copy of each URL from its storage, to the end, and compare it with the
SHA-256 that was stored with it: good, damaged, or absent (there is no copy, or its
time is over). A URL is that of the origin, one by which this mirror is asked (it
names service and region, where the flags do not), or the address of a copy, of
whose object the current copy is read. With - the URLs are the lines of standard
input; the region * is every region of the service.

It reads the storage itself, by the configuration, so it has to run where that is
right: files on the machine that has them, S3 with credentials for the bucket. No
server is asked but with --purge, which has the front end purge what is damaged, so
that the next client gets a new copy; that needs a bearer token, as "purge" does.

Exit status: 0 every copy is good or absent, 1 one is damaged, also if it was
purged, or could not be read, 2 the command line or the configuration is wrong.`,
		Example: `  cloudmirror verify https://example.com/file.tar.gz
  cloudmirror verify --config cloudmirror.yaml --region '*' --purge - < urls.txt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if err := t.completeFor(c, args); err != nil {
				return err
			}
			if t.incomplete == nil && len(t.regions(t.backend)) == 0 {
				return usagef("--service: the configuration does not know service %s", t.backend.Service)
			}
			if purge {
				if err := t.requireToken(c); err != nil {
					return err
				}
			}
			return c.verifyAll(command.Context(), &t, args, purge)
		},
	}
	t.addFlags(command)
	t.addTokenFlag(command)
	command.Flags().BoolVar(&purge, "purge", false, "purge copies that are damaged")
	return command
}

// verifyAll verifies the copies of all URLs, in all regions that are meant.
func (c *cli) verifyAll(ctx context.Context, t *target, args []string, purge bool) error {
	v := &verification{cli: c, target: t, purge: purge, server: t.newClient()}
	defer v.server.Close()
	defer v.close()
	return c.eachURL(ctx, args, t.json, func(raw string) error { return v.each(ctx, raw) })
}

// regions returns the backends that one stands for whose region may be *.
func (t *target) regions(b cloudmirror.BackendID) []cloudmirror.BackendID {
	if b.Region != api.EveryRegion {
		return []cloudmirror.BackendID{b}
	}
	i := slices.IndexFunc(t.loaded.Services, func(s config.Service) bool { return s.Name == b.Service })
	if i < 0 {
		return nil
	}
	var ids []cloudmirror.BackendID
	for _, b := range t.loaded.Services[i].Backends {
		ids = append(ids, b.ID)
	}
	return ids
}

// A verification is one run of verify.
type verification struct {
	*cli
	target   *target
	server   *client.Client
	purge    bool
	storages []openStorage // opened so far
}

type openStorage struct {
	storage.Provider
	id    cloudmirror.BackendID
	close func() error
}

func (v *verification) close() {
	for _, s := range v.storages {
		_ = s.close() // it was only read
	}
}

// open returns the storage of a backend.
func (v *verification) open(ctx context.Context, id cloudmirror.BackendID) (openStorage, error) {
	if i := slices.IndexFunc(v.storages, func(s openStorage) bool { return s.id == id }); i >= 0 {
		return v.storages[i], nil
	}
	copies, closeStorage, err := app.OpenStorage(ctx, v.target.loaded, id)
	if err != nil {
		return openStorage{}, err
	}
	s := openStorage{id: id, Provider: copies, close: closeStorage}
	v.storages = append(v.storages, s)
	return s, nil
}

// each verifies the copies that one argument names.
func (v *verification) each(ctx context.Context, raw string) error {
	b, err := v.target.backendOf(raw)
	if err != nil {
		return err
	}
	named, err := v.target.read(raw)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range v.target.regions(b) {
		s, err := v.open(ctx, id)
		if err != nil {
			return err
		}
		if err := v.one(ctx, s, named); err != nil {
			errs = append(errs, fmt.Errorf("in %s: %w", s.id, err))
		}
	}
	return errors.Join(errs...)
}

// copyOf returns the object whose copy a storage is to have: the one of a copy's
// address, if that copy is there or the address is where the storage's copies are.
func copyOf(ctx context.Context, s openStorage, named cloudmirror.Object) (cloudmirror.Object, error) {
	o, g, isCopys := cloudmirror.ParseCopyURL(named.URL())
	if !isCopys {
		return named, nil
	}
	key := o.StorageKey(g)
	link, err := s.URL(ctx, key, http.MethodGet)
	if err == nil && withoutScheme(link.URL) == withoutScheme(named.URL()) {
		return o, nil
	}
	_, err = s.Stat(ctx, key)
	if errors.Is(err, storage.ErrNotExist) {
		return named, nil // of an origin, by chance
	}
	return o, err
}

// one verifies the copy of an object in one region, and tells. The error is
// errDamaged, or what kept it from being read or purged.
func (v *verification) one(ctx context.Context, s openStorage, named cloudmirror.Object) error {
	object, err := copyOf(ctx, s, named)
	if err != nil {
		return err
	}
	found, err := engine.Verify(ctx, s, object)
	if err != nil {
		return err
	}
	line := verified{URL: shownURL(named), Service: s.id.Service, Region: s.id.Region, State: found.Verdict}
	if found.Verdict != engine.Absent {
		line.SizeBytes, line.SHA256 = &found.Info.SizeBytes, found.Info.SHA256
		line.StoredAt, line.ExpiresAt = timeOf(found.Info.StoredAt), timeOf(found.Info.ExpiresAt)
	}
	var bad error
	if found.Verdict == engine.Damaged {
		bad = errDamaged
		line.FoundBytes, line.Found = &found.SizeBytes, found.SHA256
		if v.purge {
			report, err := v.server.Purge(ctx, s.id, named)
			if outcome := purgeOutcome(&report); err == nil && !errors.Is(outcome, errNothingThere) {
				err = outcome
			}
			if err != nil {
				bad = fmt.Errorf("%w; it could not be purged: %w", errDamaged, err)
			} else {
				line.Purged, bad = true, errPurged
			}
		}
	}
	return errors.Join(v.tell(&line), bad)
}

// errPurged says that a copy was damaged, and is gone.
var errPurged = errors.New("the copy was damaged, and is purged: look after the storage")

func (v *verification) tell(line *verified) error {
	if v.target.json {
		return v.printJSON(line)
	}
	text := fmt.Sprintf("%-8s %s in %s/%s", line.State, line.URL, line.Service, line.Region)
	switch line.State {
	case engine.Good:
		text += fmt.Sprintf(": %d bytes, sha256 %s", *line.SizeBytes, line.SHA256)
	case engine.Damaged:
		text += fmt.Sprintf(": %d bytes with sha256 %s were stored, %d bytes with sha256 %s are there",
			*line.SizeBytes, line.SHA256, *line.FoundBytes, line.Found)
	case engine.Absent:
	}
	return v.println(text)
}

// timeOf returns a time for JSON; nil if it is not known.
func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
