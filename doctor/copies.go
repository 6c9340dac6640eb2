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

// probeLife is how long storage keeps a copy of doctor that could not be removed.
const probeLife = time.Hour

// maxResponseBytes bounds what is read of a response. A copy of doctor is smaller.
const maxResponseBytes = 64 << 10

// A copyProbe makes one copy in a backend, to see whether copies work there.
type copyProbe struct {
	*examination
	backend Backend
	subject string
	key     string
	body    []byte
	written bool
}

// copies writes a copy as a copier does, reads it as a client does, and removes
// it. It reports each step that fails.
func (e *examination) copies(ctx context.Context, b Backend) {
	p := &copyProbe{examination: e, backend: b, subject: "copies of " + b.ID.String(), body: []byte("doctor " + rand.Text())}
	defer e.done(p.subject)
	serverTime, err := b.Storage.ServerTime(ctx)
	if err != nil {
		e.report(Finding{ID(string(provision.Bucket) + endUnknown), Error, p.subject, cloudmirror.Brief(err), "check the storage's address and the credentials"})
		return
	}
	e.clock(p.subject, serverTime.Sub(e.Now()))
	object, err := cloudmirror.ParseObject("https://doctor.invalid/" + rand.Text())
	if err != nil { // it is canonical
		e.report(Finding{CopyUnwritable, Error, p.subject, cloudmirror.Brief(err), ""})
		return
	}
	p.key = object.StorageKey(cloudmirror.FirstGeneration)
	defer p.remove(ctx)
	if p.written = p.write(ctx, object); p.written {
		p.read(ctx)
		p.readSecrets(ctx)
		if b.CORS {
			p.readAsAPage(ctx)
		}
	}
}

// write stores the copy, with a header that only a sidecar can hold.
func (p *copyProbe) write(ctx context.Context, o cloudmirror.Object) bool {
	_, err := p.backend.Storage.Put(ctx, p.key, bytes.NewReader(p.body), storage.PutOptions{
		SizeBytes: int64(len(p.body)), Source: o.URL(), ExpiresAt: time.Now().Add(probeLife),
		Header: http.Header{"Content-Type": {"text/plain"}, "X-Amz-Meta-Sidecar": {"€"}},
	})
	if err != nil {
		p.report(Finding{
			CopyUnwritable, Error, p.subject, cloudmirror.Brief(err),
			"give copiers the policy that `cloudmirror provision policy copier` prints, and run doctor with their credentials",
		})
	}
	return err == nil
}

// remove deletes the copy, also after ctx ended and after the write failed: it may
// have been written all the same. A failure after a failed write is not reported.
func (p *copyProbe) remove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := p.backend.Storage.Delete(ctx, p.key); err != nil && p.written {
		p.report(Finding{
			CopyUnremoved, Error, p.subject, fmt.Sprintf("the trial copy %s could not be removed: %s", p.key, cloudmirror.Brief(err)),
			"allow s3:DeleteObject, without which nothing can be purged, and remove it by hand",
		})
	}
}

// read fetches the copy from the addresses that clients are sent to.
func (p *copyProbe) read(ctx context.Context) {
	for _, way := range []struct {
		method string
		id     ID
	}{{http.MethodGet, CopyUnreadable}, {http.MethodHead, CopyHead}} {
		method, id := way.method, way.id
		link, err := p.backend.Storage.URL(ctx, p.key, method)
		status, body := 0, []byte(nil)
		if err == nil {
			status, body, err = p.fetch(ctx, method, link.URL)
		}
		switch {
		case err != nil:
			p.report(Finding{id, Error, p.subject, fmt.Sprintf("clients cannot %s copies: %s", method, cloudmirror.Brief(err)), remedyOfReading})
		case status != http.StatusOK:
			p.report(Finding{id, Error, p.subject, fmt.Sprintf("clients get %d when they %s a copy", status, method), remedyOfReading})
		case method == http.MethodGet && !bytes.Equal(body, p.body):
			p.report(Finding{
				CopyWrong, Error, p.subject, "clients get other bytes than were written",
				"public_url leads to something else than this bucket, or something in between changes bodies: mend it",
			})
		}
	}
}

const remedyOfReading = "run `cloudmirror provision` (or set access: public, if public_url is set and the bucket is what it shows), and check that public_url, or the bucket's own address, can be reached from clients' networks; each region that cannot is sent to the origin"

// readSecrets reports what can be read and must not be: the sidecar, the list of
// the bucket, and, with presign, the copy without a signature.
func (p *copyProbe) readSecrets(ctx context.Context) {
	sidecar, err := p.backend.Storage.SidecarURL(ctx, p.key)
	if err == nil && sidecar != "" {
		if status, _, err := p.fetch(ctx, http.MethodGet, sidecar); err == nil && status == http.StatusOK {
			p.report(Finding{
				PrivateReadable, Error, p.subject,
				"everybody can read what is below private/, where the origins' URLs are kept, with secrets that they may have",
				"let clients read only keys that begin with a hexadecimal digit: `cloudmirror provision` makes such a policy; remove the one that allows more",
			})
		}
		p.list(ctx, sidecar)
	}
	link, err := p.backend.Storage.URL(ctx, p.key, http.MethodGet)
	if err != nil || !p.backend.Private {
		return
	}
	unsigned, _, _ := strings.Cut(link.URL, "?")
	if status, _, err := p.fetch(ctx, http.MethodGet, unsigned); err == nil && status == http.StatusOK {
		p.report(Finding{
			CopiesPublic, Warning, p.subject, "presign is set, and copies can be read without a signature",
			"remove the bucket policy that allows it, or presign",
		})
	}
}

// list reports a bucket that anyone can list. Its address is the beginning of the
// sidecar's.
func (p *copyProbe) list(ctx context.Context, sidecar string) {
	base, _, found := strings.Cut(sidecar, "/"+storage.EscapeKey(p.backend.Prefix)+"private/")
	if !found {
		return
	}
	status, body, err := p.fetch(ctx, http.MethodGet, base+"/?list-type=2&max-keys=1")
	if err == nil && status == http.StatusOK && bytes.Contains(body, []byte("ListBucketResult")) {
		p.report(Finding{
			CopiesListable, Warning, p.subject, "everybody can list the bucket, and so learn what your clients fetch",
			"remove s3:ListBucket for everybody from its policy",
		})
	}
}

// fetch sends a request as a client does.
func (p *copyProbe) fetch(ctx context.Context, method, url string) (status int, body []byte, err error) {
	status, _, body, err = p.ask(ctx, method, url, nil)
	return status, body, err
}

// ask sends a request with a header. It returns at most 64 KiB of the body. The
// error does not show the URL, which may be signed.
func (p *copyProbe) ask(ctx context.Context, method, url string, header http.Header) (status int, answered http.Header, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return 0, nil, nil, errors.New("the address is no URL")
	}
	maps.Copy(request.Header, header)
	response, err := p.Client.Do(request)
	if err != nil {
		if cause := errors.Unwrap(err); cause != nil {
			err = cause
		}
		return 0, nil, nil, fmt.Errorf("%s: %w", request.URL.Host, err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxResponseBytes))
	return response.StatusCode, response.Header, body, err
}
