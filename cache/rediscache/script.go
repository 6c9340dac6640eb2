package rediscache

import (
	"fmt"

	"github.com/redis/go-redis/v9"
)

// foreign stands for a value of another Redis type than string, which another
// program put under the key. It is no entry, so it reads as absent.
const foreign = "(not a string)"

// swapSource compares and swaps one key on the server.
//
// The caller may have to run it again, when a reply was lost; go-redis does so
// by itself in a Cluster. Therefore it also reports success if it finds what it
// was to store. That is safe, because no two callers are misled by it:
//
//   - Claim and Start put a new random id (job, attempt) into the entry, and
//     Purge a new generation: an equal entry is this caller's own.
//   - A claim that resends keeps the job's id. Two callers that take over the
//     same lapsed lease in the same millisecond are both told to resend, and the
//     second message does no harm.
//   - Renew, Restore and Requeue are the attempt holder's, or keep the job's id:
//     the same state twice is that state.
//   - Complete, Backfill and Fail only state facts; a caller that finds the same
//     fact stated already, to the millisecond, is right.
//   - Release to absent asks for nothing to be there.
//
// Redis replicates the script's effects, not the script, so reading the clock
// before a write is allowed.
const swapSource = `
local old, next, gone, seen, tolerance, foreign = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local stored = redis.pcall('GET', KEYS[1])
if type(stored) == 'table' then
	if not string.find(stored.err, 'WRONGTYPE', 1, true) then return stored end
	stored = foreign
end
stored = stored or ''
if gone <= now then next = '' end
if stored == old and math.abs(now - seen) <= tolerance then
	if next == '' then
		redis.call('DEL', KEYS[1])
	else
		redis.call('SET', KEYS[1], next, 'PX', gone - now)
	end
	return {1, micros, next}
end
if stored == next then
	return {1, micros, stored}
end
return {0, micros, stored}`

// canarySource writes a canary and tells the time.
const canarySource = `
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
local time = redis.call('TIME')
return {1, time[1] * 1000000 + time[2], ''}`

// A reply is what both scripts answer.
type reply struct {
	swapped      bool
	microseconds int64 // the server's time since 1970
	stored       string
}

func parseReply(cmd *redis.Cmd) (reply, error) {
	values, err := cmd.Slice()
	if err != nil {
		return reply{}, err
	}
	if len(values) == 3 {
		swapped, isInt := values[0].(int64)
		microseconds, isTime := values[1].(int64)
		stored, isString := values[2].(string)
		if isInt && isTime && isString {
			return reply{swapped: swapped == 1, microseconds: microseconds, stored: stored}, nil
		}
	}
	return reply{}, fmt.Errorf("the script answered %d values of other types than expected", len(values))
}
