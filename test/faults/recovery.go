package main

import (
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

// asBefore is the share of hits in a second from which on it is as before: a
// busy machine makes some answers late without any fault.
const asBefore = 0.9

// hitsAgain returns when the last request ended, of those for known objects after
// a fault, that was not served as before; seconds in which only few were not do
// not count. It is not known before each region had a hit and the last second
// with requests was as before.
func hitsAgain(records []record, faultEnded time.Time) (time.Time, bool) {
	type second struct {
		hits, all int
		lastMiss  time.Time
	}
	seconds, regionsSeen := make(map[int]*second), make(map[string]bool)
	at, newest := faultEnded, -1
	for _, r := range records {
		if r.item.kind != hot || r.ended.Before(faultEnded) {
			continue
		}
		n := int(r.ended.Sub(faultEnded) / time.Second)
		if seconds[n] == nil {
			seconds[n] = new(second)
		}
		s := seconds[n]
		s.all++
		newest = max(newest, n)
		switch {
		case isHit(r):
			s.hits++
			regionsSeen[r.item.region] = true
		case r.ended.After(s.lastMiss):
			s.lastMiss = r.ended
		}
	}
	isAsBefore := func(s *second) bool { return float64(s.hits) >= asBefore*float64(s.all) }
	for _, s := range seconds {
		if !isAsBefore(s) && s.lastMiss.After(at) {
			at = s.lastMiss
		}
	}
	return at, len(regionsSeen) == len(regions) && isAsBefore(seconds[newest])
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
