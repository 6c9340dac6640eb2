package presence

// Put is for tests, which put a note once.
var Put = (*Board).put
