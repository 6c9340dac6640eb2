// Package provision is the vocabulary of what a deployment needs of the world
// outside: queues, buckets and their rules, and what each role may do with them.
//
// Drivers describe their own needs as Resources. A Resource looks at the world
// and says in a Step what is missing or different; a Step that is applied leaves
// nothing to do for the next look. Run does that for all of them, or only tells.
// Nothing here knows a particular cloud.
package provision
