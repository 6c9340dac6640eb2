// Package s3provision makes the buckets of a deployment what package s3store needs:
// the bucket itself, who may read copies, after how many days objects are removed,
// and whether scripts of pages may read copies. It also says what each role may do
// with a bucket.
//
// It only plans, as provision.Resources; provision.Run applies. What other
// deployments and people set in a bucket stays as it is.
package s3provision
