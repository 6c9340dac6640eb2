package frontend_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestExplainGolden holds the explanation of each state and refusal, for strangers and
// for operators, against testdata/explain. The bubble's clock makes times the same.
// The command's tests show the same explanations as text.
func TestExplainGolden(t *testing.T) {
	for name, s := range scenarios(t) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, s.options()...)
				if s.before != nil {
					s.before(w)
				}
				public := w.operate(http.MethodGet, s.path("/v1/explain/"), "", "")
				operators := w.operate(http.MethodGet, s.path("/v1/explain/"), "Bearer "+token, "")
				golden(t, name, public)
				golden(t, name+"-token", operators)
			})
		})
	}
}

// golden compares a body of JSON with a golden file.
func golden(t *testing.T, name string, resp *http.Response) {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, error %v: %s", resp.StatusCode, err, body)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	file := filepath.Join("testdata", "explain", name+".golden")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// TestExplanationsAreDescribed holds the golden files against openapi.json.
func TestExplanationsAreDescribed(t *testing.T) {
	var document struct {
		Components struct{ Schemas map[string]*schema }
	}
	description, err := os.ReadFile("openapi.json")
	if err == nil {
		err = json.Unmarshal(description, &document)
	}
	files, globErr := filepath.Glob("testdata/explain/*.golden")
	if err != nil || globErr != nil || len(files) == 0 {
		t.Fatal(len(files), err, globErr)
	}
	schemas := document.Components.Schemas
	schemas["Explanation"].Properties["places"].Items = schemas["ExplainedPlace"]
	schemas["Explanation"].Properties["excluded"].Items = schemas["ExplainedPlace"]
	for _, file := range files {
		text, err := os.ReadFile(file)
		var value any
		if err == nil {
			err = json.Unmarshal(text, &value)
		}
		if err != nil {
			t.Fatal(err)
		}
		schemas["Explanation"].check(t, file, value)
	}
}

// A schema is what is read of one in openapi.json.
type schema struct {
	Ref        string `json:"$ref"`
	AllOf      []*schema
	OneOf      []*schema
	Properties map[string]*schema
	Items      *schema
	Enum       []any
	Required   []string
}

func (s *schema) check(t *testing.T, where string, value any) {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			if s.Properties[name] == nil {
				t.Errorf("%s.%s is not described", where, name)
				continue
			}
			s.Properties[name].check(t, where+"."+name, inner)
		}
		for _, name := range s.Required {
			if value[name] == nil {
				t.Errorf("%s.%s is missing", where, name)
			}
		}
	case []any:
		for _, inner := range value {
			s.Items.check(t, where, inner)
		}
	default:
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, value) {
			t.Errorf("%s is %v, not one of %v", where, value, s.Enum)
		}
	}
}
