package s3store

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

// A multipart is an upload in parts.
type multipart struct {
	*upload
	store    *Store
	fullKey  string
	uploadID *string
	parts    []*types.CompletedPart
	buffers  *share
}

// putParts stores a body of which first is full and more is to come, and gives
// first back.
func (s *Store) putParts(ctx context.Context, u *upload, from *source, first []byte) (err error) {
	m := &multipart{upload: u, store: s, fullKey: s.prefix + u.key, buffers: newShare(s.buffers, first)}
	defer m.buffers.close()
	if err := m.create(ctx); err != nil {
		m.buffers.release(first)
		return err
	}
	if err = m.send(ctx, from, first); err == nil {
		u.size, u.sha256 = from.size, from.digest()
		crc := base64.StdEncoding.EncodeToString(from.crc32.Sum(nil))
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
func (m *multipart) send(ctx context.Context, from *source, first []byte) error {
	sending, cancelParts := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelParts()
	reading, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	stop := context.AfterFunc(reading, func() { time.AfterFunc(lastParts, cancelParts) })
	defer stop()

	var group errgroup.Group
	readErr := m.readParts(reading, from, first, func(part *types.CompletedPart, buffer, data []byte) {
		group.Go(func() error {
			defer m.buffers.release(buffer)
			err := m.sendPart(sending, part, data)
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

// readParts calls send with each part, its buffer to be released and its data.
func (m *multipart) readParts(ctx context.Context, from *source, buffer []byte, send func(part *types.CompletedPart, buffer, data []byte)) error {
	data, more := buffer, true
	for number := int32(1); ; number++ {
		part := &types.CompletedPart{PartNumber: aws.Int32(number)}
		m.parts = append(m.parts, part)
		send(part, buffer, data)
		if !more {
			return nil
		}
		if number == maxParts {
			return fmt.Errorf("the body has more than %d parts of %d bytes", maxParts, len(buffer))
		}
		buffer = m.buffers.next()
		var err error
		if data, more, err = from.fill(ctx, buffer); err != nil {
			m.buffers.release(buffer)
			return err
		}
	}
}

func (m *multipart) sendPart(ctx context.Context, part *types.CompletedPart, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, m.store.transferTimeout(data))
	defer cancel()
	input := &s3.UploadPartInput{
		Bucket: &m.store.bucket, Key: &m.fullKey, UploadId: m.uploadID, PartNumber: part.PartNumber,
		Body: bytes.NewReader(data),
	}
	if !m.store.unchecked.Load() {
		input.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32
	}
	out, err := m.store.client.UploadPart(ctx, input)
	if err != nil {
		return fmt.Errorf("upload part %d: %w", *part.PartNumber, explain(err))
	}
	part.ETag, part.ChecksumCRC32 = out.ETag, out.ChecksumCRC32
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
