package main

import (
	"slices"
	"strings"
	"time"
)

// hitLimit is how long a hit may take, on a machine that does much else.
const hitLimit = time.Second

// isHit reports whether a request for a known object was served as it is when
// nothing is broken: from the cache, to a copy that could be fetched.
func isHit(r record) bool {
	return r.outcome == right && r.where == "copy" && r.asked < hitLimit &&
		strings.Contains(r.cache, "; hit") && !strings.Contains(r.cache, "detail=")
}

// hitsAgain returns the first moment after the end of a fault from which on
// every known object was served as before. It is not known before a request of
// each region was served so.
func hitsAgain(records []record, faultEnded time.Time) (time.Time, bool) {
	at, last := faultEnded, make(map[string]bool)
	for _, r := range byBegin(records) {
		if r.item.kind != hot || r.ended.Before(faultEnded) {
			continue
		}
		last[r.item.region] = isHit(r)
		if !isHit(r) && r.ended.After(at) {
			at = r.ended
		}
	}
	for _, region := range regions {
		if !last[region] {
			return at, false
		}
	}
	return at, true
}

// copiesAgain returns the first moment after the end of a fault by which each
// region had made a copy of an object that nobody asked for before that end.
func copiesAgain(records []record, faultEnded time.Time) (time.Time, bool) {
	old := make(map[string]bool)
	for _, r := range records {
		if r.begun.Before(faultEnded) {
			old[r.item.path] = true
		}
	}
	first := make(map[string]time.Time)
	for _, r := range records {
		if r.item.kind != fresh || old[r.item.path] || r.outcome != right || r.where != "copy" {
			continue
		}
		if at, found := first[r.item.region]; !found || r.ended.Before(at) {
			first[r.item.region] = r.ended
		}
	}
	at := faultEnded
	for _, region := range regions {
		if first[region].IsZero() {
			return at, false
		}
		if first[region].After(at) {
			at = first[region]
		}
	}
	return at, true
}

func byBegin(records []record) []record {
	sorted := slices.Clone(records)
	slices.SortFunc(sorted, func(a, b record) int { return a.begun.Compare(b.begun) })
	return sorted
}
