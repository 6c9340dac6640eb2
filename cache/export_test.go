package cache

// EncodeJSON returns the stored form that every entry has.
func (e Entry) EncodeJSON() string { return e.encodeJSON() }
