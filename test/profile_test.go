package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestOnlyProductionIsCompiledByTheProfile holds that a newcomer's build and the
// tests do not wait for it: Go takes up a default.pgo by itself, with go build and go
// test alike.
func TestOnlyProductionIsCompiledByTheProfile(t *testing.T) {
	found, err := filepath.Glob("../cmd/*/default.pgo")
	if err != nil || len(found) > 0 {
		t.Errorf("Go takes up %v in each build; error %v", found, err)
	}
	makefile, rootfs := read(t, "../Makefile"), read(t, "../scripts/rootfs")
	profile := regexp.MustCompile(`(?m)^PROFILE := (\S+)$`).FindStringSubmatch(makefile)
	if profile == nil {
		t.Fatal("the Makefile names no PROFILE")
	}
	if _, err := os.Stat("../" + profile[1]); err != nil {
		t.Error(err)
	}
	if !strings.Contains(rootfs, "-pgo="+profile[1]+" ") {
		t.Error("the image is not compiled by the profile")
	}
	for target, wants := range map[string]bool{"build": false, "demo": false, "test": false, "release": true} {
		recipe := regexp.MustCompile(`(?m)^` + target + `:.*\n(\t.*\n)+`).FindString(makefile)
		if recipe == "" || strings.Contains(recipe, "-pgo=$(PROFILE)") != wants {
			t.Errorf("compiled by the profile is to be %v of:\n%s", wants, recipe)
		}
	}
	if !strings.Contains(read(t, "bench/lab.go"), `{"make", "release"}`) {
		t.Error("the benchmark does not measure the binary of production")
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
