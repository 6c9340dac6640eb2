package test

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A pageRow is a row of a page's table of packages.
type pageRow struct {
	layer int      // -1: the table has no layers
	names []string // "cache" is that package, "cache/…" all of the row's layer from cache on
}

// TestFirstPagesNameEveryPackage holds the tables of packages that people read
// against the layers.
func TestFirstPagesNameEveryPackage(t *testing.T) {
	packages := existingPackages(t)
	for _, page := range []struct {
		file string
		rows []pageRow
	}{
		{"README.md", directoryRows(readPage(t, "README.md"))},
		{"CONTRIBUTING.md", tableRows(readPage(t, "CONTRIBUTING.md"))},
		{"doc.go", commentRows(readPage(t, "doc.go"))},
	} {
		for _, complaint := range checkRows(page.file, page.rows, packages) {
			t.Error(complaint)
		}
	}
}

func TestWrongPagesAreFound(t *testing.T) {
	packages := []string{module, "cache", "cache/memcache", "kv", "kv/rediskv", "engine"}
	right := "0 cloudmirror\n1 cache kv\n2 cache/… kv/…\n3 engine"
	for name, test := range map[string]struct {
		table string
		want  []string
	}{
		"right":                   {right, nil},
		"right without layers":    {"- cloudmirror\n- cache/… kv\n- kv/rediskv\n- engine", nil},
		"directories":             {right + "\n- test docs", nil},
		"a package missing":       {"0 cloudmirror\n1 cache kv\n2 cache/…\n3 engine", []string{"PAGE lacks kv/rediskv"}},
		"a pattern of a layer":    {"0 cloudmirror\n1 cache/… kv/…\n3 engine", []string{"PAGE lacks cache/memcache", "PAGE lacks kv/rediskv"}},
		"a package that is gone":  {right + " kv/oldkv", []string{"PAGE names kv/oldkv, which does not exist"}},
		"a pattern of nothing":    {right + " queue/…", []string{"PAGE names queue/…, which does not exist"}},
		"a pattern of a prefix":   {right + "\n3 engi/…", []string{"PAGE names engi/…, which does not exist"}},
		"another layer's package": {"0 cloudmirror\n1 cache kv engine\n2 cache/… kv/…", []string{"PAGE has engine in layer 1, and its layer is 3", "PAGE lacks engine"}},
		"a pattern of no package": {right + "\n4 kv/…", []string{"PAGE has kv/… in layer 4, and its layer is 1"}},
		"an empty row":            {right + "\n4", []string{"PAGE has a row without packages"}},
		"an order upside down":    {"- engine\n- cloudmirror cache/… kv/…", []string{"PAGE names cloudmirror behind engine, which may import it"}},
		"no table":                {"", []string{"PAGE has no table of packages"}},
	} {
		t.Run(name, func(t *testing.T) {
			var rows []pageRow
			for line := range strings.Lines(test.table) {
				fields := strings.Fields(line)
				layer, err := strconv.Atoi(fields[0])
				if err != nil {
					layer = -1
				}
				rows = append(rows, pageRow{layer, fields[1:]})
			}
			if got := checkRows("PAGE", rows, packages); !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// checkRows returns what is wrong with a page's table of packages, given those that
// exist.
func checkRows(page string, rows []pageRow, packages []string) (complaints []string) {
	tell := func(format string, args ...any) {
		complaints = append(complaints, page+" "+fmt.Sprintf(format, args...))
	}
	if len(rows) == 0 {
		tell("has no table of packages")
		return complaints
	}
	named := make(map[string]bool)
	last, lastLayer := "", 0 // the first name of the row before
	for _, row := range rows {
		if len(row.names) == 0 {
			tell("has a row without packages")
		}
		for i, name := range row.names {
			all := matching(name, packages)
			found := slices.DeleteFunc(slices.Clone(all), func(p string) bool { return row.layer >= 0 && layerOf(p) != row.layer })
			switch {
			case len(all) == 0 && !isDirectory(name):
				tell("names %s, which does not exist", name)
			case len(all) > 0 && len(found) == 0:
				tell("has %s in layer %d, and its layer is %d", name, row.layer, layerOf(all[0]))
			}
			for _, p := range found {
				named[p] = true
			}
			if i == 0 && row.layer < 0 && len(found) > 0 {
				if layerOf(found[0]) < lastLayer {
					tell("names %s behind %s, which may import it", name, last)
				}
				last, lastLayer = name, layerOf(found[0])
			}
		}
	}
	for _, p := range packages {
		if !named[p] {
			tell("lacks %s", p)
		}
	}
	return complaints
}

// matching returns the packages that a name in a table stands for.
func matching(name string, packages []string) []string {
	root, isPattern := strings.CutSuffix(name, "/…")
	var found []string
	for _, p := range packages {
		if p == root || isPattern && strings.HasPrefix(p, root+"/") {
			found = append(found, p)
		}
	}
	return found
}

// isDirectory reports whether a name is that of a directory without packages of the
// product.
func isDirectory(name string) bool {
	info, err := os.Stat("../" + name)
	return err == nil && info.IsDir()
}

// existingPackages returns the packages of the product, by their directories.
func existingPackages(t *testing.T) []string {
	t.Helper()
	var packages []string
	for _, file := range goFiles(t) {
		pkg := path.Dir(file)
		if pkg == "." {
			pkg = module
		}
		if !isUnderTest(pkg) && !slices.Contains(packages, pkg) {
			packages = append(packages, pkg)
		}
	}
	return packages
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// directoryRows reads the block of README.md: directories, two spaces, what they
// are. The Go files in the first row stand for the root.
func directoryRows(text string) (rows []pageRow) {
	_, text, _ = strings.Cut(text, "\n## How the code is laid out\n\n```\n")
	text, _, _ = strings.Cut(text, "```")
	for line := range strings.Lines(text) {
		row := pageRow{layer: -1}
		names, _, _ := strings.Cut(line, "  ")
		for _, name := range strings.Fields(names) {
			if path.Ext(name) == ".go" {
				name = module
			}
			if name != "…" {
				row.names = append(row.names, strings.TrimSuffix(name, "/"))
			}
		}
		rows = append(rows, row)
	}
	return rows
}

var quotedName = regexp.MustCompile("`([^`]+)`")

// tableRows reads the table of CONTRIBUTING.md: | layer | `package` … | what it is |.
func tableRows(text string) (rows []pageRow) {
	_, text, _ = strings.Cut(text, "\n| layer | packages |")
	for i, line := range strings.Split(text, "\n") {
		if i < 2 {
			continue // the rest of the header, and what separates it
		}
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(line, "|")
		layer, err := strconv.Atoi(strings.TrimSpace(cells[1]))
		if err != nil {
			layer = len(layers)
		}
		row := pageRow{layer: layer}
		for _, match := range quotedName.FindAllStringSubmatch(cells[2], -1) {
			row.names = append(row.names, match[1])
		}
		rows = append(rows, row)
	}
	return rows
}

var layerLine = regexp.MustCompile(`(?m)^//\t(\d)  (\S+(?: \S+)*)?`)

// commentRows reads the lines of a package's comment: layer, two spaces, packages,
// two spaces, what they are.
func commentRows(text string) (rows []pageRow) {
	for _, match := range layerLine.FindAllStringSubmatch(text, -1) {
		layer, _ := strconv.Atoi(match[1]) // it is a digit
		rows = append(rows, pageRow{layer, strings.Fields(match[2])})
	}
	return rows
}
