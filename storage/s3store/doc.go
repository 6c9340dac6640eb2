// Package s3store keeps copies in a bucket of S3, or of anything that speaks its
// protocol.
//
// A copy is one object, under the store's prefix and the copy's key. Its
// metadata, `x-amz-meta-cloudmirror-*`, is public like the object itself and
// fixed before its first byte is sent: a random id of the upload, the times, a
// hash of the origin's URL, and the SHA-256 of the bytes where it is known by
// then. That is so for bodies of up to one part, which are hashed first and sent
// in one request. Larger ones go up in parts while they are read; their digest,
// with the URL and all headers, is in a sidecar,
// `private/<hash>/<generation>.<id>.json`, which is written before the upload is
// completed. Bucket policies must let the public read only keys that begin with
// a hexadecimal digit. A sidecar carries the id of its upload in its key, so that
// uploads of one key that run at once cannot touch each other's.
//
// An object is found only if this package wrote it and it is whole: an object without
// that metadata, or one whose sidecar is gone, counts as not there, as does an expired
// one. Put takes the place of such an object by If-Match with the very ETag that
// was seen, and of nothing by If-None-Match, so that of several uploads one wins.
// Servers without conditional writes are told by their 501 and asked before each
// write instead, which lets two win now and then.
//
// Standard headers are made fit for S3 by storage.KeptHeader. What S3 cannot serve
// is left to the sidecar: metadata that is not ASCII, and metadata beyond 2 KB.
// Last-Modified of the origin is known to Stat, but S3 serves the time of the
// upload.
//
// Uploads that a crash left unfinished, sidecars without an object and expired
// copies are removed by the bucket's lifecycle rules, which package s3provision makes.
package s3store
