// Package lab runs the real parts that tests, benchmarks and fault scenarios stand
// on: it starts Redis, S3 and SQS servers, web servers and cloudmirror as processes
// on free ports of the loopback address, and ends each by its process id.
//
// It knows no test: every failure is an error. Package servers makes of it what a
// test needs.
package lab
