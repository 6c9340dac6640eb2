// Package storagetest is the suite of storage.Provider: each sentence of the
// contract is a test, and each driver passes them all or says, test by test, why
// one cannot be asked of it.
//
// To see that the suite finds what it should, break a driver and run it: rename
// before the body has ended, leave out If-None-Match, answer a 403 as a miss,
// forget to abort an upload. CONTRIBUTING.md tells more.
package storagetest
