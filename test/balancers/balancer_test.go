// Package balancers_test puts the delivered configurations of nginx and HAProxy
// between a client and front ends, and sees that requests arrive as they were
// sent.
package balancers_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudmirror/test/lab"
	"cloudmirror/test/servers"
)

// binary is the path of the program that answers behind them, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(servers.RunWithProgram(m, &binary)) }

// A balancer is one that runs.
type balancer struct {
	plain, secure string // base URLs
	client        *http.Client
}

// A start begins a balancer with its delivered configuration, in front of two
// addresses.
type start func(t *testing.T, upstreams [2]string) *balancer

var all = map[string]start{"nginx": startNginx, "HAProxy": startHAProxy}

// places are what a test replaces in a delivered configuration.
type places struct {
	plain, secure string // host:port to listen on
	certificate   string // file of certificate and key
	upstreams     [2]string
}

func newPlaces(t *testing.T, upstreams [2]string) places {
	t.Helper()
	return places{
		plain:       net.JoinHostPort("127.0.0.1", servers.FreePort(t)),
		secure:      net.JoinHostPort("127.0.0.1", servers.FreePort(t)),
		certificate: certificate(t), upstreams: upstreams,
	}
}

// fill replaces the old parts of a delivered file, each of which must be there,
// by the new ones. They alternate: old, new.
func fill(t *testing.T, file string, oldNew ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "deploy", file))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(string(data), oldNew[i]) {
			t.Fatalf("deploy/%s has no %q", file, oldNew[i])
		}
	}
	return strings.NewReplacer(oldNew...).Replace(string(data))
}

func startNginx(t *testing.T, upstreams [2]string) *balancer {
	p, dir := newPlaces(t, upstreams), t.TempDir()
	text := fill(t, "nginx.conf", "listen 80;", "listen "+p.plain+";", "listen 443 ", "listen "+p.secure+" ",
		"/etc/ssl/cloudmirror.pem", p.certificate, "/etc/ssl/cloudmirror.key", p.certificate,
		"10.0.0.11:8080", upstreams[0], "10.0.0.12:8080", upstreams[1])
	write(t, dir, "cloudmirror.conf", text)
	arguments := servers.NginxArguments(t, dir, "include DIR/cloudmirror.conf;")
	return run(t, p, "nginx", append(arguments, "-t"), arguments)
}

func startHAProxy(t *testing.T, upstreams [2]string) *balancer {
	p := newPlaces(t, upstreams)
	text := fill(t, "haproxy.cfg", "bind :80", "bind "+p.plain, "bind :443", "bind "+p.secure,
		"/etc/haproxy/cloudmirror.pem", p.certificate, "10.0.0.11:8080", upstreams[0], "10.0.0.12:8080", upstreams[1])
	file := write(t, t.TempDir(), "haproxy.cfg", text)
	return run(t, p, "haproxy", []string{"-c", "-f", file}, []string{"-db", "-f", file})
}

// run has the program check its configuration, without a warning, then starts it.
func run(t *testing.T, p places, program string, check, arguments []string) *balancer {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is not installed: run `make deps`, or apt-get install %s", program, program)
	}
	output, err := exec.CommandContext(t.Context(), path, check...).CombinedOutput()
	if err != nil || strings.Contains(strings.ToLower(string(output)), "[warn") {
		t.Fatalf("%s complains about its configuration: %v\n%s", program, err, output)
	}
	servers.Start(t, lab.Accepts(p.secure), nil, path, arguments...)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the certificate is of this test
		ForceAttemptHTTP2: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &balancer{
		plain: "http://" + p.plain, secure: "https://" + p.secure,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// certificate writes a certificate of its own making, and its key, to a file.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mirror.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, t.TempDir(), "cloudmirror.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
}
