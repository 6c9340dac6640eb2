package frontend_test

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/api"
)

// A description is what is read of openapi.json.
type description struct {
	Paths map[string]map[string]struct {
		OperationID string
		RequestBody *struct{ Content contents }
		Responses   map[string]struct{ Content contents }
	}
	Components struct{ Schemas map[string]*schema }
}

// contents are the schemas of a body, by its type.
type contents map[string]struct{ Schema *schema }

// TestDescriptionHasTheMembersOfBodies compares each body of JSON in openapi.json with
// the type of package api that is encoded or read there: the names of members and, of
// answers, which are always there.
func TestDescriptionHasTheMembersOfBodies(t *testing.T) {
	requests := map[string]any{"warm": api.WarmRequest{}, "redriveDeadLetters": api.DeadLetterChoice{}, "dropDeadLetters": api.DeadLetterChoice{}}
	answers := map[string]any{
		"purge": api.PurgeReport{}, "status": api.Status{}, "explain": api.Explanation{}, "warm": api.Job{}, "job": api.Job{},
		"deadLetters": api.DeadLetterList{}, "redriveDeadLetters": api.HandledDeadLetters{}, "dropDeadLetters": api.HandledDeadLetters{},
		"backends": api.Overview{}, "ping": api.Ping{},
	}
	exempt := []string{"redirect", "description"} // written without a type
	text, err := os.ReadFile("openapi.json")
	var d description
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, methods := range d.Paths {
		for method, operation := range methods {
			if method == "head" {
				continue
			}
			id := operation.OperationID
			if operation.RequestBody != nil {
				d.compare(t, id+" request", operation.RequestBody.Content["application/json"].Schema, requests[id], false)
			}
			for status, response := range operation.Responses {
				body := answers[id]
				if status >= "4" {
					body = api.Error{}
				}
				if id == "purge" && status == "502" {
					body = api.FailedPurge{}
				}
				if answer, isJSON := response.Content["application/json"]; isJSON && (status >= "4" || !slices.Contains(exempt, id)) {
					d.compare(t, id+" "+status, answer.Schema, body, true)
				}
			}
		}
	}
}

// compare compares a schema with the type of a value.
func (d *description) compare(t *testing.T, where string, s *schema, value any, isAnswer bool) {
	t.Helper()
	if value == nil {
		t.Errorf("%s: the test knows no type for it", where)
		return
	}
	d.compareType(t, where, s, reflect.TypeOf(value), isAnswer)
}

func (d *description) compareType(t *testing.T, where string, s *schema, is reflect.Type, isAnswer bool) {
	t.Helper()
	s = d.flatten(s)
	for is.Kind() == reflect.Pointer {
		is = is.Elem()
	}
	switch {
	case is.Kind() == reflect.Slice:
		d.compareType(t, where+"[]", s.Items, is.Elem(), isAnswer)
	case is.Kind() == reflect.Struct && is.Name() != "Time":
		members, required := make(map[string]reflect.Type), []string(nil)
		collectMembers(is, members, &required)
		described := make(map[string]bool)
		for name, inner := range s.Properties {
			described[name] = true
			if members[name] == nil {
				t.Errorf("%s.%s is described, and no member of %s", where, name, is)
				continue
			}
			d.compareType(t, where+"."+name, inner, members[name], isAnswer)
		}
		for name := range members {
			if !described[name] {
				t.Errorf("%s.%s is a member of %s, and not described", where, name, is)
			}
		}
		slices.Sort(required)
		slices.Sort(s.Required)
		if diff := cmp.Diff(required, s.Required); isAnswer && diff != "" {
			t.Errorf("%s: always there (-%s +described):\n%s", where, is, diff)
		}
	}
}

// flatten returns a schema with what others add to it: the one it refers to, all of
// which it consists, or the one of two that is not null.
func (d *description) flatten(s *schema) *schema {
	if s.Ref != "" {
		return d.flatten(d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")])
	}
	flat := &schema{Properties: make(map[string]*schema), Items: s.Items, Required: slices.Clone(s.Required)}
	for name, inner := range s.Properties {
		flat.Properties[name] = inner
	}
	for _, part := range slices.Concat(s.AllOf, s.OneOf) {
		part = d.flatten(part)
		for name, inner := range part.Properties {
			flat.Properties[name] = inner
		}
		flat.Required = append(flat.Required, part.Required...)
	}
	return flat
}

// collectMembers adds the members that a struct has as JSON, and those that are never
// left out.
func collectMembers(s reflect.Type, members map[string]reflect.Type, required *[]string) {
	for i := range s.NumField() {
		field := s.Field(i)
		name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous {
			collectMembers(field.Type, members, required)
			continue
		}
		members[name] = field.Type
		if option != "omitempty" {
			*required = append(*required, name)
		}
	}
}
