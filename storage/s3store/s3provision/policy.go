package s3provision

import "cloudmirror/provision"

// Allow returns what a role may do with the keys of a backend: exactly what the
// methods that it uses ask of S3
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html).
func Allow(role provision.Role, region, bucket, prefix string) []provision.Statement {
	partition := provision.Partition(region)
	keys := []string{keysARN(partition, bucket, prefix) + "*"}
	statements := []provision.Statement{
		// HeadBucket; and S3 says that a key is missing only to roles that have it.
		provision.Allow("TellMissingKeys", []string{"s3:ListBucket"}, []string{"arn:" + partition + ":s3:::" + bucket}),
	}
	switch role {
	case provision.Frontend:
		return append(statements,
			// Stat, signed URLs; a purge's Delete.
			provision.Allow("ReadAndPurgeCopies", []string{"s3:DeleteObject", "s3:GetObject"}, keys),
			// A purge's marker, and nothing that clients are sent to.
			provision.Allow("MarkPurges", []string{"s3:PutObject"}, []string{keysARN(partition, bucket, prefix) + "*/generation"}),
		)
	case provision.Copier:
		return append(statements,
			// Put, which reads what is in its place and removes its sidecar.
			provision.Allow("MakeCopies", []string{"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"}, keys),
		)
	}
	return nil
}
