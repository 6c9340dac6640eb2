package app

// NewHTTPServer is for tests, which reach it through connections of their own.
var NewHTTPServer = newHTTPServer

// OriginOptions is how a configuration has origins asked.
var OriginOptions = originOptions

// StateOf is what /readyz shows of an error.
var StateOf = stateOf
