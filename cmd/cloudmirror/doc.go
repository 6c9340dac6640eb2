// Command cloudmirror is the one binary of the system: the servers, and the
// commands that people talk to them with. It reads flags, the configuration and
// the environment, and leaves everything else to package app and, in the
// commands, to the server's HTTP interface.
//
// The exit status is 0 if all went well, 1 if something failed, and 2 if the
// command line or the configuration is wrong.
package main
