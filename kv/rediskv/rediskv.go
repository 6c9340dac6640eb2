package rediskv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"cloudmirror/kv"
)

// A Store is a kv.Store in Redis. Its calls take as long as their context allows.
type Store struct {
	client redis.UniversalClient
	prefix string

	put, list, remove *redis.Script
}

var _ kv.Store = (*Store)(nil)

// New returns a store whose keys begin with a prefix. It does not own the client,
// which the caller closes.
func New(client redis.UniversalClient, prefix string) *Store {
	return &Store{
		client: client, prefix: prefix,
		put: redis.NewScript(indexSource + putSource), list: redis.NewScript(indexSource + listSource), remove: redis.NewScript(indexSource + removeSource),
	}
}

// indexSource reads the index of a table, which maps ids to the milliseconds at
// which they vanish. The record of an id that is not in the index may still be
// there until its own life ends; a list does not show it.
const indexSource = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local index, count, last = {}, 0, now
for id, gone in pairs(cjson.decode(redis.call('GET', KEYS[1]) or '{}')) do
	if gone > now then
		index[id], count, last = gone, count + 1, math.max(last, gone)
	end
end
local function keep()
	if count == 0 then
		redis.call('DEL', KEYS[1])
	else
		redis.call('SET', KEYS[1], cjson.encode(index), 'PX', last - now)
	end
end
`

const putSource = `
local id, value, life, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if not index[id] then count = count + 1 end
index[id], last = now + life, math.max(last, now + life)
redis.call('SET', KEYS[1] .. ':' .. id, value, 'PX', life)
while count > most do
	local first
	for other, gone in pairs(index) do
		if not first or gone < index[first] then first = other end
	end
	index[first], count = nil, count - 1
	redis.call('DEL', KEYS[1] .. ':' .. first)
end
keep()
return 1`

const listSource = `
local records = {}
for id in pairs(index) do
	local value = redis.call('GET', KEYS[1] .. ':' .. id)
	if value then
		records[#records + 1] = id
		records[#records + 1] = value
	end
end
return records`

const removeSource = `
redis.call('DEL', KEYS[1] .. ':' .. ARGV[1])
if index[ARGV[1]] then
	index[ARGV[1]], count = nil, count - 1
	keep()
end
return 1`

// Put implements kv.Store.
func (s *Store) Put(ctx context.Context, t kv.Table, id string, value []byte, life time.Duration) error {
	if len(value) > kv.MaxValueBytes {
		return kv.ErrTooLarge
	}
	if err := s.put.Run(ctx, s.client, []string{s.index(t)}, id, value, life.Milliseconds(), kv.MaxRecords).Err(); err != nil {
		return fmt.Errorf("rediskv: put into %s: %w", t, err)
	}
	return nil
}

// Get implements kv.Store.
func (s *Store) Get(ctx context.Context, t kv.Table, id string) ([]byte, error) {
	value, err := s.client.Get(ctx, s.index(t)+":"+id).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, kv.ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("rediskv: get from %s: %w", t, err)
	}
	return value, nil
}

// List implements kv.Store.
func (s *Store) List(ctx context.Context, t kv.Table) ([]kv.Record, error) {
	answer, err := s.list.Run(ctx, s.client, []string{s.index(t)}).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("rediskv: list %s: %w", t, err)
	}
	records := make([]kv.Record, 0, len(answer)/2)
	for pair := range slices.Chunk(answer, 2) {
		records = append(records, kv.Record{ID: pair[0], Value: []byte(pair[1])})
	}
	slices.SortFunc(records, func(a, b kv.Record) int { return strings.Compare(a.ID, b.ID) })
	return records, nil
}

// Delete implements kv.Store.
func (s *Store) Delete(ctx context.Context, t kv.Table, id string) error {
	if err := s.remove.Run(ctx, s.client, []string{s.index(t)}, id).Err(); err != nil {
		return fmt.Errorf("rediskv: delete from %s: %w", t, err)
	}
	return nil
}

// index returns the key of a table's index.
func (s *Store) index(t kv.Table) string { return s.prefix + "kv:{" + string(t) + "}" }
