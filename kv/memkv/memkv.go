package memkv

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudmirror/kv"
)

// A Store is a kv.Store in memory. The zero Store is empty and ready to use.
type Store struct {
	mu     sync.Mutex
	tables map[kv.Table]map[string]record
}

var _ kv.Store = (*Store)(nil)

type record struct {
	value []byte
	until time.Time
}

// Put implements kv.Store.
func (s *Store) Put(_ context.Context, t kv.Table, id string, value []byte, life time.Duration) error {
	if len(value) > kv.MaxValueBytes {
		return kv.ErrTooLarge
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	table := s.table(t)
	table[id] = record{value: slices.Clone(value), until: time.Now().Add(life)}
	if len(table) > kv.MaxRecords {
		first := id
		for other, r := range table {
			if r.until.Before(table[first].until) {
				first = other
			}
		}
		delete(table, first)
	}
	return nil
}

// Get implements kv.Store.
func (s *Store) Get(_ context.Context, t kv.Table, id string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, found := s.table(t)[id]
	if !found {
		return nil, kv.ErrNotFound
	}
	return slices.Clone(r.value), nil
}

// List implements kv.Store.
func (s *Store) List(_ context.Context, t kv.Table) ([]kv.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var records []kv.Record
	for id, r := range s.table(t) {
		records = append(records, kv.Record{ID: id, Value: slices.Clone(r.value)})
	}
	slices.SortFunc(records, func(a, b kv.Record) int { return strings.Compare(a.ID, b.ID) })
	return records, nil
}

// Delete implements kv.Store.
func (s *Store) Delete(_ context.Context, t kv.Table, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.table(t), id)
	return nil
}

// table returns a table without the records that have vanished. The caller holds
// the lock.
func (s *Store) table(t kv.Table) map[string]record {
	if s.tables == nil {
		s.tables = make(map[kv.Table]map[string]record)
	}
	table := s.tables[t]
	if table == nil {
		table = make(map[string]record)
		s.tables[t] = table
	}
	now := time.Now()
	for id, r := range table {
		if !now.Before(r.until) {
			delete(table, id)
		}
	}
	return table
}
