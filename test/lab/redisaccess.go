package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"
)

// A RedisAccess is what clients of a Redis need. The zero value: nothing.
type RedisAccess struct {
	Password string       // of the default user, and of sentinels
	TLS      *Certificate // nil: plain connections
}

// A Certificate is one of 127.0.0.1, signed by itself.
type Certificate struct {
	CertFile, KeyFile string // PEM; the first is what clients have to trust

	pool *x509.CertPool
}

// NewCertificate makes a certificate that is good for a day, with its files in dir.
func NewCertificate(dir string) (*Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	c := &Certificate{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), pool: x509.NewCertPool()}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	c.pool.AppendCertsFromPEM(certificate)
	return c, errors.Join(
		os.WriteFile(c.CertFile, certificate, 0o600),
		os.WriteFile(c.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
}

// Settings returns the lines of a redis.conf by which a server listens on a port,
// and asks for and gives what the access says.
func (a RedisAccess) Settings(port string) [][2]string {
	lines := [][2]string{{"port", port}, {"bind", "127.0.0.1"}}
	if a.TLS != nil {
		lines = [][2]string{
			{"port", "0"},
			{"tls-port", port},
			{"bind", "127.0.0.1"},
			{"tls-auth-clients", "no"},
			{"tls-replication", "yes"},
			{"tls-cert-file", a.TLS.CertFile},
			{"tls-key-file", a.TLS.KeyFile},
			{"tls-ca-cert-file", a.TLS.CertFile},
		}
	}
	if a.Password != "" {
		lines = append(lines, [2]string{"requirepass", a.Password})
	}
	return lines
}

// Options returns how to connect, without retries.
func (a RedisAccess) Options(address string) *redis.Options {
	o := &redis.Options{
		Addr: address, Password: a.Password, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, DisableIdentity: true,
	}
	if a.TLS != nil {
		o.TLSConfig = &tls.Config{RootCAs: a.TLS.pool, MinVersion: tls.VersionTLS12}
	}
	return o
}
