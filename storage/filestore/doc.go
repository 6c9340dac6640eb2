// Package filestore keeps copies as files of one directory, and serves them.
//
// A copy is one file, `copies/<first two digits>/<hash>.<generation>.<digest>`,
// hash being that of the origin's URL: the bytes as the origin gave them, then a
// record (JSON: key, size, SHA-256, headers, source, times) and a footer with the
// record's length and checksum. Bytes and record are one file so that one rename
// or link makes both visible, replaces both or removes both; nothing can tear
// them apart.
//
// What is found after a crash of the machine is whole: a file is written under
// `tmp/`, synced, and only then linked to its name. What Put returned for, and
// what it says to exist, is there: the directory of the name is synced before, and
// the directories above when they are made. A crash leaves at most a file under
// tmp/, which the next New removes. All this goes through a disk, so that a test
// can play what a crash may leave.
//
// Files hold the origins' URLs, which may be secrets, and are readable by their
// owner alone. Handler shows a copy's bytes and headers and nothing else. Keys
// are checked and all access goes through an os.Root: nothing outside of the
// directory can be reached by any key.
//
// Several processes may share a directory, as happens while one takes over from
// another; each temporary file is locked by its writer.
package filestore
