package filestore

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"os"
	"time"

	"cloudmirror/storage"
)

// A file ends in its record, and the record in a footer: its length and its
// CRC-32C, both big-endian, and the magic with the version of the form.
const (
	footerBytes    = 16
	magic          = "cmirror\x01"
	maxRecordBytes = 1 << 20
	// tailBytes is read at first: footer and record of most copies.
	tailBytes = 4 << 10
)

// errNoCopy says that a file is not one that this package wrote.
var errNoCopy = errors.New("the file is no copy")

// A record is what is known of a copy.
type record struct {
	Key       string            `json:"key"`
	Size      int64             `json:"size"`
	SHA256    string            `json:"sha256"`
	StoredAt  time.Time         `json:"stored_at"`
	ExpiresAt time.Time         `json:"expires_at,omitzero"`
	Source    string            `json:"source,omitempty"`
	Header    map[string]string `json:"header,omitempty"`
}

func (r *record) expired(now time.Time) bool {
	return !r.ExpiresAt.IsZero() && !now.Before(r.ExpiresAt)
}

func (r *record) info() storage.Info {
	header := make(http.Header, len(r.Header))
	for name, value := range r.Header {
		header[name] = []string{value}
	}
	return storage.Info{SizeBytes: r.Size, SHA256: r.SHA256, StoredAt: r.StoredAt, ExpiresAt: r.ExpiresAt, Header: header}
}

// keep returns the headers to be stored.
func keep(origin http.Header) map[string]string {
	header := make(map[string]string)
	for name, values := range storage.KeptHeader(origin) {
		header[name] = values[0]
	}
	return header
}

// encode returns the record with its footer.
func (r *record) encode() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the record: %w", err)
	}
	if len(b) > maxRecordBytes {
		return nil, fmt.Errorf("the record has %d bytes, at most %d are allowed", len(b), maxRecordBytes)
	}
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	b = binary.BigEndian.AppendUint32(b, uint32(len(b))) //nolint:gosec // at most maxRecordBytes
	b = binary.BigEndian.AppendUint32(b, sum)
	return append(b, magic...), nil
}

// A stored is an open file that holds a copy.
type stored struct {
	*os.File
	record record
}

// open opens the file at path, whether expired or not. The error is errNoCopy if
// it is not one of ours.
func (s *Store) open(path string) (*stored, error) {
	file, err := s.root.Open(path)
	if err != nil {
		return nil, err
	}
	c := &stored{File: file}
	if c.record, err = readRecord(file); err != nil {
		_ = file.Close() // it was only read
		return nil, err
	}
	return c, nil
}

func readRecord(file *os.File) (record, error) {
	stat, err := file.Stat()
	if err != nil {
		return record{}, err
	}
	size := stat.Size()
	if !stat.Mode().IsRegular() || size < footerBytes {
		return record{}, errNoCopy
	}
	tail := make([]byte, min(size, tailBytes))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil {
		return record{}, err
	}
	footer := tail[len(tail)-footerBytes:]
	length := int64(binary.BigEndian.Uint32(footer))
	if string(footer[8:]) != magic || length > maxRecordBytes || length > size-footerBytes {
		return record{}, errNoCopy
	}
	encoded := make([]byte, length)
	if start := int64(len(tail)) - footerBytes - length; start >= 0 {
		copy(encoded, tail[start:])
	} else if _, err := file.ReadAt(encoded, size-footerBytes-length); err != nil {
		return record{}, err
	}
	var r record
	if crc32.Checksum(encoded, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(footer[4:]) ||
		json.Unmarshal(encoded, &r) != nil || r.Size != size-footerBytes-length {
		return record{}, errNoCopy
	}
	return r, nil
}
