package s3store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"cloudmirror/storage"
)

// A multipart is an upload in parts.
type multipart struct {
	*upload
	store    *Store
	fullKey  string
	uploadID *string
	parts    []*types.CompletedPart
	buffers  *share
	digests  *digests
}

// A part is a piece of the body in a buffer, which is given back when the part is
// both digested and uploaded.
type part struct {
	*types.CompletedPart
	data    *buffer
	pending atomic.Int32
	buffers *share
}

func (p *part) done() {
	if p.pending.Add(-1) == 0 {
		p.buffers.release(p.data)
	}
}

// newPart returns the next part. Its buffer is its own from now on.
func (m *multipart) newPart(data *buffer) (*part, error) {
	if len(m.parts) == maxParts {
		m.buffers.release(data)
		return nil, fmt.Errorf("the body has more than %d parts of %d bytes", maxParts, data.size)
	}
	p := &part{CompletedPart: &types.CompletedPart{PartNumber: aws.Int32(int32(len(m.parts) + 1))}, data: data, buffers: m.buffers} //nolint:gosec // it is at most maxParts
	p.pending.Store(2)
	m.parts = append(m.parts, p.CompletedPart)
	return p, nil
}

// putParts stores a body of which first is read, a whole buffer, and more is to
// come, and gives first back.
func (s *Store) putParts(ctx context.Context, u *upload, from *source, first *buffer) (err error) {
	m := &multipart{upload: u, store: s, fullKey: s.prefix + u.key, buffers: newShare(s.buffers, first), digests: newDigests()}
	defer m.buffers.close()
	if err := m.create(ctx); err != nil {
		m.buffers.release(first)
		return err
	}
	if err = m.send(ctx, from, first); err == nil {
		u.size, u.sha256 = from.size, m.digests.hexSHA256()
		crc := m.digests.base64CRC32()
		err = s.commit(ctx, u, func(ctx context.Context, c condition) error { return m.complete(ctx, crc, c) })
	}
	if err != nil {
		return errors.Join(err, m.abort(ctx))
	}
	return nil
}

func (m *multipart) create(ctx context.Context) error {
	metadata := m.own()
	maps.Copy(metadata, m.metadata)
	input := &s3.CreateMultipartUploadInput{
		Bucket: &m.store.bucket, Key: &m.fullKey, Metadata: metadata,
		ContentType: m.natives.contentType, ContentEncoding: m.natives.contentEncoding,
		ContentDisposition: m.natives.contentDisposition, ContentLanguage: m.natives.contentLanguage,
		CacheControl: m.natives.cacheControl,
	}
	if !m.store.unchecked.Load() {
		// A composite checksum (…-N) would be no digest of the object.
		input.ChecksumAlgorithm, input.ChecksumType = types.ChecksumAlgorithmCrc32, types.ChecksumTypeFullObject
	}
	ctx, cancel := context.WithTimeout(ctx, m.store.timeout)
	defer cancel()
	out, err := m.store.client.CreateMultipartUpload(ctx, input)
	if isStatus(err, statusNotImplemented) && input.ChecksumType != "" {
		m.store.unchecked.Store(true)
		input.ChecksumAlgorithm, input.ChecksumType = "", ""
		out, err = m.store.client.CreateMultipartUpload(ctx, input)
	}
	if err != nil {
		return fmt.Errorf("begin the upload: %w", explain(err))
	}
	m.uploadID = out.UploadId
	return nil
}

// lastParts is how long parts that are on their way may go on once the upload has
// failed. S3 may keep a part that arrives while its upload is aborted.
const lastParts = 5 * time.Second

// send reads the rest of the body and uploads all parts, the first being full
// already. When it returns, all buffers are free and no part is on its way.
func (m *multipart) send(ctx context.Context, from *source, first *buffer) error {
	sending, cancelParts := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelParts()
	reading, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	stop := context.AfterFunc(reading, func() { time.AfterFunc(lastParts, cancelParts) })
	defer stop()

	var group errgroup.Group
	readErr := m.read(reading, from, first, func(p *part) {
		group.Go(func() error {
			defer p.done()
			err := m.sendPart(sending, p)
			if err != nil {
				failed(err)
			}
			return err
		})
	})
	partErr := context.Cause(reading) // nil, unless a part has failed or ctx has ended by now
	if readErr != nil {
		failed(readErr)
	}
	waitErr := group.Wait()
	switch {
	case readErr == nil:
		return waitErr
	case partErr != nil && ctx.Err() == nil:
		return partErr // the reading ended only for it
	default:
		return readErr
	}
}

// read reads the body, in sections if it offers them, and calls send with each
// part, which may still be digested meanwhile. When it returns, everything is.
func (m *multipart) read(ctx context.Context, from *source, first *buffer, send func(*part)) error {
	digester := storage.NewDigester(m.digests.sha256, m.digests.crc32)
	p, err := m.newPart(first)
	if err == nil {
		digester.Add(p.done, p.data.pieces...)
		send(p)
		if sections := from.sections(first.size); sections != nil {
			digester.Close()
			return m.readSections(ctx, sections, from, send)
		}
		err = m.readInOrder(ctx, from, digester, send)
	}
	digester.Close()
	return err
}

func (m *multipart) readInOrder(ctx context.Context, from *source, digester *storage.Digester, send func(*part)) error {
	for more := true; more; {
		data, err := m.buffers.next(ctx)
		if err != nil {
			return err
		}
		goesOn, err := from.fill(ctx, data)
		if err != nil {
			m.buffers.release(data)
			return err
		}
		p, err := m.newPart(data)
		if err != nil {
			return err
		}
		digester.Add(p.done, p.data.pieces...)
		send(p)
		more = goesOn
	}
	return nil
}

func (m *multipart) sendPart(ctx context.Context, p *part) error {
	ctx, cancel := context.WithTimeout(ctx, m.store.transferTimeout(p.data.length))
	defer cancel()
	input := &s3.UploadPartInput{
		Bucket: &m.store.bucket, Key: &m.fullKey, UploadId: m.uploadID, PartNumber: p.PartNumber,
		Body: p.data.reader(),
	}
	if !m.store.unchecked.Load() {
		input.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32
	}
	out, err := m.store.client.UploadPart(ctx, input)
	if err != nil {
		return fmt.Errorf("upload part %d: %w", *p.PartNumber, explain(err))
	}
	p.ETag, p.ChecksumCRC32 = out.ETag, out.ChecksumCRC32
	return nil
}

// complete makes the object visible. The server compares the checksum of the
// whole with the one of what was read.
func (m *multipart) complete(ctx context.Context, crc32 string, c condition) error {
	parts := make([]types.CompletedPart, len(m.parts))
	for i, part := range m.parts {
		parts[i] = *part
	}
	input := &s3.CompleteMultipartUploadInput{
		Bucket: &m.store.bucket, Key: &m.fullKey, UploadId: m.uploadID, IfMatch: c.ifMatch, IfNoneMatch: c.ifNoneMatch,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}, MpuObjectSize: &m.size,
	}
	if !m.store.unchecked.Load() {
		input.ChecksumType, input.ChecksumCRC32 = types.ChecksumTypeFullObject, &crc32
	}
	ctx, cancel := context.WithTimeout(ctx, 20*m.store.timeout)
	defer cancel()
	out, err := m.store.client.CompleteMultipartUpload(ctx, input)
	if err != nil {
		return fmt.Errorf("complete the upload: %w", err)
	}
	m.announced, _ = parseExpiration(aws.ToString(out.Expiration))
	return nil
}

// abort removes the parts of a failed upload, even if ctx has ended. A bucket's
// lifecycle rule is for those that this does not reach.
func (m *multipart) abort(ctx context.Context) error {
	ctx, cancel := m.store.outliving(ctx)
	defer cancel()
	_, err := m.store.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &m.store.bucket, Key: &m.fullKey, UploadId: m.uploadID,
	})
	if err == nil || isCode(err, "NoSuchUpload") {
		return nil
	}
	return fmt.Errorf("abort the upload: %w", explain(err))
}
