// Package redisprovision marks a prefix of a Redis as a deployment's own. It only
// plans, as a provision.Resource; provision.Run applies.
package redisprovision
