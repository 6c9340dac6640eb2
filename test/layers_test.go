package test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "cloudmirror"

// layers is the architecture: each package may import packages of the layers
// before its own, and no others of this module. Names without a package yet are
// kept for what comes.
var layers = [][]string{
	0: {module, "redisurl", "config/schema"},
	1: {"cache", "queue", "storage", "origin", "config", "provision", "kv", "api", "region", "geo", "rank", "health", "catalog", "cdn", "scan"},
	2: {
		"cache/memcache", "cache/rediscache", "cache/cachetest",
		"queue/memqueue", "queue/sqsqueue", "queue/sqsqueue/sqstest", "queue/queuetest",
		"storage/filestore", "storage/s3store", "storage/storagetest",
		"origin/origintest",
		"kv/memkv", "kv/rediskv", "kv/kvtest",
		"api/client",
	},
	3: {
		"engine", "presence",
		"cache/rediscache/redisprovision", "queue/sqsqueue/sqsprovision", "storage/s3store/s3provision",
	},
	4: {"jobs", "monitor"},
	5: {"replicator", "repository"},
	6: {"frontend", "copier", "controller", "doctor"},
	7: {"app"},
	8: {"cmd/cloudmirror"},
}

// TestLayers reads the imports of every Go file, whatever its build tags.
func TestLayers(t *testing.T) {
	for _, file := range goFiles(t) {
		parsed, err := parser.ParseFile(token.NewFileSet(), "../"+file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		imports := []string{"C"} // no package of this module: a file without imports, too, must have a layer
		for _, spec := range parsed.Imports {
			imports = append(imports, strings.Trim(spec.Path.Value, "`\""))
		}
		for _, imported := range imports {
			if complaint := checkImport(file, imported); complaint != "" {
				t.Error(complaint)
			}
		}
	}
}

// goFiles returns the names of the module's Go files, relative to its root.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, entry fs.DirEntry, err error) error {
		base := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(base, ".") || base == "testdata"):
			return fs.SkipDir
		case path.Ext(name) == ".go":
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("only %d Go files were found: is this the module's tree?", len(files))
	}
	return files
}

func TestLayersRefuse(t *testing.T) {
	tests := []struct {
		name, file, imports string
		want                string // a part of the complaint; "": allowed
	}{
		{"other modules are no concern", "cache/entry.go", "example.com/cloudmirror/cache", ""},
		{"the layer below", "engine/engine.go", "cloudmirror/cache", ""},
		{"the root, by all", "queue/job.go", "cloudmirror", ""},
		{"the same layer", "frontend/frontend.go", "cloudmirror/copier", "frontend may import only"},
		{"the layer above", "cache/entry.go", "cloudmirror/engine", "cache may import only cloudmirror, redisurl, config/schema;"},
		{"one driver by another", "cache/rediscache/store.go", "cloudmirror/cache/memcache", "may import only"},
		{"anything by the root", "object.go", "cloudmirror/cache", "cloudmirror may import no package of this module;"},
		{"the layer above, by a test", "cache/entry_test.go", "cloudmirror/engine", "cache may import only"},
		{"its own package, by an external test", "cache/entry_test.go", "cloudmirror/cache", ""},
		{"a driver of its own, by a contract's test", "cache/update_test.go", "cloudmirror/cache/memcache", ""},
		{"another contract's driver, by a contract's test", "cache/update_test.go", "cloudmirror/queue/memqueue", "cache may import only"},
		{"a suite, by a test", "cache/memcache/store_test.go", "cloudmirror/cache/cachetest", ""},
		{"a fake, by a test of a lower layer", "origin/client_test.go", "cloudmirror/origin/origintest", ""},
		{"a suite, by the product", "app/app.go", "cloudmirror/cache/cachetest", "only tests may import"},
		{"servers, by a test", "cache/rediscache/store_test.go", "cloudmirror/test/servers", ""},
		{"the lab, by a test", "cache/rediscache/store_test.go", "cloudmirror/test/lab", ""},
		{"the lab, by the product", "app/app.go", "cloudmirror/test/lab", "only tests may import"},
		{"servers, by the product", "app/app.go", "cloudmirror/test/servers", "only tests may import"},
		{"servers, by a suite", "cache/cachetest/suite.go", "cloudmirror/test/servers", "only tests may import"},
		{"anything, by what is under test", "test/bench/main.go", "cloudmirror/app", ""},
		{"an unknown package", "frontend/frontend.go", "cloudmirror/utils", "add cloudmirror/utils to the table"},
		{"anything, by an unknown package", "utils/utils.go", "cloudmirror", "add utils to the table"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checkImport(tt.file, tt.imports)
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("complaint %q, want %q", got, tt.want)
			}
		})
	}
}

// checkImport returns what is wrong with an import of a file, whose name is
// relative to the module's root, or "".
func checkImport(file, imported string) string {
	isTest := strings.HasSuffix(file, "_test.go")
	from := path.Dir(file)
	if from == "." {
		from = module
	}
	to, inModule := strings.CutPrefix(imported, module+"/")
	inModule = inModule || imported == module
	layer := layerOf(from)
	switch {
	case isUnderTest(from):
		return ""
	case layer < 0:
		return fmt.Sprintf("%s: no layer is known for its package: add %s to the table in test/layers_test.go", file, from)
	case !inModule, isTest && to == from, isTest && strings.HasPrefix(to, from+"/") && layerOf(to) >= 0:
		return "" // a contract's tests may use its drivers
	case isUnderTest(to) || isSuite(to):
		if isTest {
			return ""
		}
		return fmt.Sprintf("%s imports %s, which only tests may import (files named _test.go, and what is under test/)", file, imported)
	case layerOf(to) < 0:
		return fmt.Sprintf("%s imports %s, whose layer is not known: add %s to the table in test/layers_test.go", file, imported, imported)
	case layerOf(to) >= layer:
		return fmt.Sprintf("%s imports %s: %s may import %s; %s is in layer %d, its own is %d",
			file, imported, from, allowed(layer), imported, layerOf(to), layer)
	}
	return ""
}

func layerOf(pkg string) int {
	return slices.IndexFunc(layers, func(names []string) bool { return slices.Contains(names, pkg) })
}

// isSuite reports whether a package is a contract's suite or a fake.
func isSuite(pkg string) bool { return strings.HasSuffix(pkg, "test") }

func isUnderTest(pkg string) bool { return pkg == "test" || strings.HasPrefix(pkg, "test/") }

// allowed lists what a layer may import.
func allowed(layer int) string {
	if layer == 0 {
		return "no package of this module"
	}
	return "only " + strings.Join(slices.Concat(layers[:layer]...), ", ")
}
