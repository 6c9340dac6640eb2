package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"cloudmirror"
	"cloudmirror/provision"
	"cloudmirror/storage"
)

// trialLife is how long a trial copy is kept that could not be removed.
const trialLife = time.Hour

// maxAnswer is more than a trial copy has.
const maxAnswer = 64 << 10

// A trial is a copy that is made to see whether copies work.
type trial struct {
	*examination
	backend Backend
	subject string
	key     string
	body    []byte
	written bool
}

// copies writes a copy as a copier does, reads it as a client does, and removes
// it.
func (e *examination) copies(ctx context.Context, b Backend) {
	t := &trial{examination: e, backend: b, subject: "copies of " + b.ID.String(), body: []byte("doctor " + rand.Text())}
	defer e.done(t.subject)
	told, err := b.Storage.ServerTime(ctx)
	if err != nil {
		e.report(Finding{ID(string(provision.Bucket) + endUnknown), Error, t.subject, cloudmirror.Brief(err), "check the storage's address and the credentials"})
		return
	}
	e.clock(t.subject, told.Sub(e.Now()))
	object, err := cloudmirror.ParseObject("https://doctor.invalid/" + rand.Text())
	if err != nil { // it is canonical
		e.report(Finding{CopyUnwritable, Error, t.subject, cloudmirror.Brief(err), ""})
		return
	}
	t.key = object.StorageKey(cloudmirror.FirstGeneration)
	defer t.remove(ctx)
	if t.written = t.write(ctx, object); t.written {
		t.read(ctx)
		t.readSecrets(ctx)
		if b.CORS {
			t.readAsAPage(ctx)
		}
	}
}

// write stores the copy, with a header that only a sidecar can hold.
func (t *trial) write(ctx context.Context, o cloudmirror.Object) bool {
	_, err := t.backend.Storage.Put(ctx, t.key, bytes.NewReader(t.body), storage.PutOptions{
		SizeBytes: int64(len(t.body)), Source: o.URL(), ExpiresAt: time.Now().Add(trialLife),
		Header: http.Header{"Content-Type": {"text/plain"}, "X-Amz-Meta-Sidecar": {"€"}},
	})
	if err != nil {
		t.report(Finding{
			CopyUnwritable, Error, t.subject, cloudmirror.Brief(err),
			"give copiers the policy that `cloudmirror provision policy copier` prints, and run doctor with their credentials",
		})
	}
	return err == nil
}

// remove takes the copy away, whatever became of ctx and of the write. That what
// was not written cannot be removed either is no news.
func (t *trial) remove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := t.backend.Storage.Delete(ctx, t.key); err != nil && t.written {
		t.report(Finding{
			CopyUnremoved, Error, t.subject, fmt.Sprintf("the trial copy %s could not be removed: %s", t.key, cloudmirror.Brief(err)),
			"allow s3:DeleteObject, without which nothing can be purged, and remove it by hand",
		})
	}
}

// read fetches the copy by the addresses that clients are sent to.
func (t *trial) read(ctx context.Context) {
	for _, way := range []struct {
		method string
		id     ID
	}{{http.MethodGet, CopyUnreadable}, {http.MethodHead, CopyHead}} {
		method, id := way.method, way.id
		link, err := t.backend.Storage.URL(ctx, t.key, method)
		status, body := 0, []byte(nil)
		if err == nil {
			status, body, err = t.fetch(ctx, method, link.URL)
		}
		switch {
		case err != nil:
			t.report(Finding{id, Error, t.subject, fmt.Sprintf("clients cannot %s copies: %s", method, cloudmirror.Brief(err)), remedyOfReading})
		case status != http.StatusOK:
			t.report(Finding{id, Error, t.subject, fmt.Sprintf("clients get %d when they %s a copy", status, method), remedyOfReading})
		case method == http.MethodGet && !bytes.Equal(body, t.body):
			t.report(Finding{
				CopyWrong, Error, t.subject, "clients get other bytes than were written",
				"public_url leads to something else than this bucket, or something in between changes bodies: mend it",
			})
		}
	}
}

const remedyOfReading = "run `cloudmirror provision` (or set access: public, if public_url is set and the bucket is what it shows), and check that public_url, or the bucket's own address, can be reached from clients' networks; each region that cannot is sent to the origin"

// readSecrets tries to read what clients must not.
func (t *trial) readSecrets(ctx context.Context) {
	sidecar, err := t.backend.Storage.SidecarURL(ctx, t.key)
	if err == nil && sidecar != "" {
		if status, _, err := t.fetch(ctx, http.MethodGet, sidecar); err == nil && status == http.StatusOK {
			t.report(Finding{
				PrivateReadable, Error, t.subject,
				"everybody can read what is below private/, where the origins' URLs are kept, with secrets that they may have",
				"let clients read only keys that begin with a hexadecimal digit: `cloudmirror provision` makes such a policy; remove the one that allows more",
			})
		}
		t.list(ctx, sidecar)
	}
	link, err := t.backend.Storage.URL(ctx, t.key, http.MethodGet)
	if err != nil || !t.backend.Private {
		return
	}
	unsigned, _, _ := strings.Cut(link.URL, "?")
	if status, _, err := t.fetch(ctx, http.MethodGet, unsigned); err == nil && status == http.StatusOK {
		t.report(Finding{
			CopiesPublic, Warning, t.subject, "presign is set, and copies can be read without a signature",
			"remove the bucket policy that allows it, or presign",
		})
	}
}

// list tries to list the bucket, whose address is the beginning of the sidecar's.
func (t *trial) list(ctx context.Context, sidecar string) {
	base, _, found := strings.Cut(sidecar, "/"+storage.EscapeKey(t.backend.Prefix)+"private/")
	if !found {
		return
	}
	status, body, err := t.fetch(ctx, http.MethodGet, base+"/?list-type=2&max-keys=1")
	if err == nil && status == http.StatusOK && bytes.Contains(body, []byte("ListBucketResult")) {
		t.report(Finding{
			CopiesListable, Warning, t.subject, "everybody can list the bucket, and so learn what your clients fetch",
			"remove s3:ListBucket for everybody from its policy",
		})
	}
}

// fetch sends a request as a client does.
func (t *trial) fetch(ctx context.Context, method, url string) (status int, body []byte, err error) {
	status, _, body, err = t.ask(ctx, method, url, nil)
	return status, body, err
}

// ask sends a request with a header. The error is without the URL, which may be
// signed.
func (t *trial) ask(ctx context.Context, method, url string, header http.Header) (status int, answered http.Header, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return 0, nil, nil, errors.New("the address is no URL")
	}
	maps.Copy(request.Header, header)
	response, err := t.Client.Do(request)
	if err != nil {
		if cause := errors.Unwrap(err); cause != nil {
			err = cause
		}
		return 0, nil, nil, fmt.Errorf("%s: %w", request.URL.Host, err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, response.Header, body, err
}
