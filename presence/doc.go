// Package presence is what the processes of a deployment tell each other about
// themselves: that they are alive, which backends they copy to, which of their
// dependencies are down, which copies they hold, and how clients fared.
//
// Each process puts its Note into a kv.Store every Interval; a process that is
// silent for Life is gone. Nothing on the path of a request depends on notes: without
// the store, each process knows of itself alone and says why.
package presence
