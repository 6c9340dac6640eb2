package clients_test

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// moduleZip returns a module's zip file: names are below its path and version.
func moduleZip(t *testing.T, files ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	for _, file := range files {
		w, err := archive.Create(file[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(file[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// prepareGo makes a project that needs a module, with a complete go.sum, and a
// toolchain that is a script. No database knows that toolchain: the environment
// is one in which Go asks none.
func prepareGo(t *testing.T, p *place) {
	const module = "example.com/tool@v1.0.0/"
	version := "v0.0.1-go1.99.0." + runtime.GOOS + "-" + runtime.GOARCH
	toolchain := "golang.org/toolchain@" + version + "/"
	objects := map[string][]byte{
		"/example.com/tool/@v/v1.0.0.info": []byte(`{"Version":"v1.0.0","Time":"2026-01-01T00:00:00Z"}`),
		"/example.com/tool/@v/v1.0.0.mod":  []byte("module example.com/tool\n"),
		"/example.com/tool/@v/v1.0.0.zip":  moduleZip(t, [2]string{module + "go.mod", "module example.com/tool\n"}, [2]string{module + "tool.go", "package tool\n"}),
		"/golang.org/toolchain/@v/" + version + ".zip": moduleZip(t,
			[2]string{toolchain + "bin/go", "#!/bin/sh\necho \"$0 $*\" >\"$HOME/toolchain\"\n"},
			[2]string{toolchain + "bin/gofmt", ""}, [2]string{toolchain + "pkg/tool/none", ""}, [2]string{toolchain + "lib/none", ""}),
	}
	p.origins.add("proxy.golang.org", objects)
	p.makeFile(t, "go.mod", "module project\n\ngo 1.21\n\nrequire example.com/tool v1.0.0\n")
	p.makeFile(t, "main.go", "package main\n\nimport _ \"example.com/tool\"\n\nfunc main() {}\n")
	proxy := t.TempDir()
	for target, content := range objects {
		(&place{dir: proxy}).makeFile(t, target, string(content))
	}
	sums := exec.CommandContext(t.Context(), "go", "mod", "tidy")
	sums.Dir = p.dir
	sums.Env = append(os.Environ(), "GOPROXY=file://"+proxy, "GONOSUMDB=*", "GOFLAGS=-modcacherw", "GOMODCACHE="+t.TempDir(), "GOTOOLCHAIN=local", "GOWORK=off")
	if output, err := sums.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	p.env = []string{
		"GOFLAGS=-modcacherw", "GOMODCACHE=" + filepath.Join(p.dir, "modules"), "GOWORK=off", "GOENV=off",
		"GOTOOLCHAIN=local", "GOSUMDB=sum.golang.org", "GONOSUMDB=golang.org/toolchain", "GONOPROXY=", "GOPRIVATE=", "GIT_HTTP_USER_AGENT=proxy.golang.org",
	}
}

// hasModules checks that an example downloaded the module, or ran the toolchain.
func hasModules(t *testing.T, p *place) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(p.dir, "toolchain")); err == nil {
		return
	}
	p.has(t, "modules/example.com/tool@v1.0.0/tool.go", "package tool\n")
}
