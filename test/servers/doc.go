// Package servers starts the real parts that the tests run on: Redis, S3 and SQS
// servers, each on a free port of the loopback address and stopped by its
// process id when the test ends.
//
// A program that is missing fails the test with the command that installs it;
// nothing is skipped. `make deps` installs them all.
package servers
