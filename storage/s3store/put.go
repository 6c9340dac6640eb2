package s3store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cloudmirror"
	"cloudmirror/storage"
)

// An upload is one Put on its way.
type upload struct {
	key            string
	id             string
	options        storage.PutOptions
	storedAt       time.Time
	header         http.Header // all that is kept
	natives        natives
	metadata       map[string]string // of the origin, as far as it fits
	needsSidecar   bool
	sidecarWritten bool
	size           int64
	sha256         string    // "" until the body has ended
	announced      time.Time // x-amz-expiration of the written object
}

// Put implements storage.Provider. The end of ctx is noticed between reads and
// by every request: a body that may block must end with ctx itself.
func (s *Store) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Info, error) {
	info, err := s.put(ctx, key, body, o)
	if err != nil {
		return storage.Info{}, fmt.Errorf("s3store: put %s: %w", key, s.at(err))
	}
	return info, nil
}

func (s *Store) put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Info, error) {
	u := &upload{key: key, id: cloudmirror.NewID(), options: o, storedAt: s.now(), header: storage.KeptHeader(o.Header)}
	var fits bool
	u.natives, u.metadata, fits = split(u.header)
	u.needsSidecar = !fits

	partBytes := s.partBytes(o.SizeBytes)
	first := partBytes
	if o.SizeBytes >= 0 {
		first = min(first, o.SizeBytes)
	}
	if err := s.upload(ctx, u, newSource(body, o.SizeBytes), first); err != nil {
		return storage.Info{}, err
	}
	return storage.Info{
		SizeBytes: u.size, SHA256: u.sha256, StoredAt: u.storedAt,
		ExpiresAt: earliest(o.ExpiresAt, u.announced), Header: u.header,
	}, nil
}

// upload reads the body and stores it. The first buffer grows to that
// number of bytes, but not beyond a chunk until the body turns out to have more.
func (s *Store) upload(ctx context.Context, u *upload, from *source, first int64) error {
	held, err := s.buffers.begin(ctx, first)
	if err != nil {
		return err
	}
	more, err := from.fill(ctx, held)
	if err == nil && more && held.size < first {
		if err = s.buffers.grow(ctx, held, first); err == nil {
			more, err = from.fill(ctx, held)
		}
	}
	if err == nil && more {
		u.needsSidecar = true
		return s.putParts(ctx, u, from, held) // which gives the buffer back
	}
	defer s.buffers.put(held)
	if err != nil {
		return err
	}
	u.size = from.size
	return s.putWhole(ctx, u, held)
}

// maxParts is S3's limit of one upload.
const maxParts = 10_000

// partBytes returns the size of the parts of a body: the configured one, unless
// that would be too many.
func (s *Store) partBytes(size int64) int64 {
	return max(s.buffers.partBytes, (size+maxParts-1)/maxParts)
}

// putWhole stores a body that is in memory.
func (s *Store) putWhole(ctx context.Context, u *upload, data *buffer) error {
	hash := sha256.New()
	for _, piece := range data.pieces {
		_, _ = hash.Write(piece) // hashes never fail
	}
	digest := hash.Sum(nil)
	u.sha256 = hex.EncodeToString(digest)
	metadata := u.own()
	maps.Copy(metadata, u.metadata)
	fullKey := s.prefix + u.key
	return s.commit(ctx, u, func(ctx context.Context, c condition) error {
		ctx, cancel := context.WithTimeout(ctx, s.transferTimeout(data.length))
		defer cancel()
		out, err := s.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.bucket, Key: &fullKey, Body: data.reader(), Metadata: metadata,
			IfMatch: c.ifMatch, IfNoneMatch: c.ifNoneMatch,
			ChecksumSHA256:  aws.String(base64.StdEncoding.EncodeToString(digest)),
			ContentType:     u.natives.contentType,
			ContentEncoding: u.natives.contentEncoding, ContentDisposition: u.natives.contentDisposition,
			ContentLanguage: u.natives.contentLanguage, CacheControl: u.natives.cacheControl,
		})
		if err == nil {
			u.announced, _ = parseExpiration(aws.ToString(out.Expiration))
		}
		return err
	})
}

// A condition is what a write demands of the object that it replaces.
type condition struct{ ifMatch, ifNoneMatch *string }

// maxWrites bounds the tries of one commit. Each further one means that the
// object changed, or that the server turned out to know no conditions.
const maxWrites = 4

// commit makes an upload visible by calling write, and writes its sidecar before.
// Whatever comes of it, no sidecar is left without its object.
func (s *Store) commit(ctx context.Context, u *upload, write func(context.Context, condition) error) error {
	replaced, err := s.conditionally(ctx, u, write)
	cleanup, cancel := s.outliving(ctx)
	defer cancel()
	switch {
	case err != nil && u.sidecarWritten:
		err = errors.Join(err, s.remove(cleanup, s.sidecarKey(u.key, u.id)))
	case err == nil && replaced.sidecar:
		// The new copy is whole: an old sidecar that stays is for the lifecycle.
		_ = s.remove(cleanup, s.sidecarKey(u.key, replaced.id))
	}
	return err
}

func (s *Store) conditionally(ctx context.Context, u *upload, write func(context.Context, condition) error) (replaced object, err error) {
	if u.needsSidecar {
		if err := s.writeSidecar(ctx, u); err != nil {
			return object{}, err
		}
	}
	if u.options.Replace || s.unconditional.Load() {
		replaced, err = s.inPlace(ctx, u)
		if err != nil {
			return object{}, err
		}
	}
	var c condition
	if !u.options.Replace && !s.unconditional.Load() {
		c.ifNoneMatch = aws.String("*")
	}
	for range maxWrites {
		err = write(ctx, c)
		if err == nil {
			return replaced, nil
		}
		if isStatus(err, statusNotImplemented) && c != (condition{}) {
			s.unconditional.Store(true)
			c = condition{}
			if replaced, err = s.inPlace(ctx, u); err != nil {
				return object{}, err
			}
			continue
		}
		if isRefused(err) && !isStatus(err, statusPreconditionFailed) && !isStatus(err, statusConflict) {
			return object{}, explain(err)
		}
		there, lookErr := s.lookAfter(ctx, u.key)
		if lookErr == nil && there.id == u.id {
			return replaced, nil // only the answer was lost, or a retry met itself
		}
		if !isRefused(err) {
			// Some servers hang up on who sends a body to a key that exists.
			if lookErr == nil && c.ifNoneMatch != nil && ctx.Err() == nil {
				if _, existErr := s.mayReplace(ctx, there, nil); errors.Is(existErr, storage.ErrExist) {
					err = existErr
				}
			}
			return object{}, err
		}
		if replaced, err = s.mayReplace(ctx, there, lookErr); err != nil {
			return object{}, err
		}
		c = condition{ifNoneMatch: aws.String("*")}
		if replaced.etag != "" {
			c = condition{ifMatch: &replaced.etag}
		}
	}
	return object{}, errReplaced
}

// inPlace returns the object that an unconditional write will replace, if any,
// or storage.ErrExist if it must not.
func (s *Store) inPlace(ctx context.Context, u *upload) (object, error) {
	there, err := s.head(ctx, u.key)
	if u.options.Replace {
		if err != nil {
			return object{}, nil //nolint:nilerr // the write will tell whether anything is wrong
		}
		return there, nil
	}
	return s.mayReplace(ctx, there, err)
}

// mayReplace decides by the outcome of a look-up whether a put without Replace
// may write: over nothing, and over what is no copy. Otherwise the error is
// storage.ErrExist.
func (s *Store) mayReplace(ctx context.Context, there object, lookErr error) (object, error) {
	if errors.Is(lookErr, storage.ErrNotExist) {
		return object{}, nil
	}
	if lookErr != nil {
		return object{}, lookErr
	}
	_, err := s.describe(ctx, there)
	switch {
	case err == nil:
		return object{}, storage.ErrExist
	case errors.Is(err, storage.ErrNotExist), errors.Is(err, errReplaced):
		return there, nil
	}
	return object{}, err
}

// lookAfter looks at what a write has left, even if ctx has ended.
func (s *Store) lookAfter(ctx context.Context, key string) (object, error) {
	ctx, cancel := s.outliving(ctx)
	defer cancel()
	return s.head(ctx, key)
}

// outliving returns a context for what must be done although ctx has ended.
func (s *Store) outliving(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 2*s.timeout)
}
