package clients_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"testing"
)

// tarball returns a compressed archive of files, whose bytes are always the same.
func tarball(t *testing.T, files ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	compressed := gzip.NewWriter(&b)
	archive := tar.NewWriter(compressed)
	for _, file := range files {
		if err := archive.WriteHeader(&tar.Header{Name: file[0], Mode: 0o644, Size: int64(len(file[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(file[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := compressed.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// prepareNpm makes a project with a lockfile as npm writes it, whose tarball is
// nowhere but below the stand-in's registry.
func prepareNpm(t *testing.T, p *place) {
	tool := tarball(t, [2]string{"package/package.json", `{"name":"tool","version":"1.0.0"}`}, [2]string{"package/index.js", "module.exports = 'tool'\n"})
	p.origins.add("registry.npmjs.org", map[string][]byte{"/tool/-/tool-1.0.0.tgz": tool})
	p.origins.add("releases.example.com", map[string][]byte{"/tool-1.0.0.tgz": tool})
	digest := sha512.Sum512(tool)
	p.makeFile(t, "package.json", `{"name":"project","version":"1.0.0","dependencies":{"tool":"1.0.0"}}`)
	p.makeFile(t, "package-lock.json", fmt.Sprintf(`{"name":"project","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{
  "":{"name":"project","version":"1.0.0","dependencies":{"tool":"1.0.0"}},
  "node_modules/tool":{"version":"1.0.0","resolved":"https://registry.npmjs.org/tool/-/tool-1.0.0.tgz","integrity":"sha512-%s"}
}}`, base64.StdEncoding.EncodeToString(digest[:])))
	p.env = []string{
		"npm_config_cache=" + filepath.Join(p.dir, "cache"), "npm_config_userconfig=" + filepath.Join(p.dir, "user"), "npm_config_globalconfig=" + filepath.Join(p.dir, "global"),
		"npm_config_fetch_retries=0", "npm_config_fetch_timeout=60000", "npm_config_update_notifier=false", "npm_config_fund=false",
	}
}

func hasAModule(t *testing.T, p *place) {
	t.Helper()
	p.has(t, "node_modules/tool/index.js", "module.exports = 'tool'\n")
}
