package schema

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// HostPort is the address that a server listens on: host:port. The host may be
// empty, and the port 0 (any free one).
func HostPort() Kind[string] {
	return Text(func(text string) error {
		host, port, err := net.SplitHostPort(text)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil || !IsVisible(host) || strings.ContainsAny(host, "/@?#") {
			return errors.New("must be host:port, such as 127.0.0.1:8080 or :8080")
		}
		return nil
	})
}

// WebURL is an http or https URL that other URLs begin with: it has no user, query
// and fragment. Slashes at its end are dropped.
func WebURL() Kind[string] {
	return Kind[string]{
		Parse: func(text string) (string, error) {
			u, err := url.Parse(text)
			if err != nil || !isBase(u) || !IsVisible(text) || !hasPort(u) {
				return "", fmt.Errorf("%s must be a URL such as https://mirror.example.com, with http or https and a host, without user, query and fragment", showURL(text))
			}
			return strings.TrimRight(text, "/"), nil
		},
		Format: func(text string) string { return text },
		Show:   showURL,
	}
}

func isBase(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil &&
		u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && u.Opaque == ""
}

// hasPort reports whether the port, if there is one, is in range.
func hasPort(u *url.URL) bool {
	_, err := strconv.ParseUint(u.Port(), 10, 16)
	return u.Port() == "" && !strings.HasSuffix(u.Host, ":") || err == nil
}

// ProxyURL is the URL of a proxy that net/http can use: http, https or socks5. Its
// password is a secret. A slash at its end is dropped.
func ProxyURL() Kind[string] {
	k := SecretURL(func(text string) error {
		u, err := url.Parse(text)
		if err != nil || !isProxy(u) || !IsVisible(text) || !hasPort(u) {
			return errors.New("must be a URL such as http://user:password@host:3128, with http, https or socks5 and without path, query and fragment")
		}
		return nil
	})
	parse := k.Parse
	k.Parse = func(text string) (string, error) {
		text, err := parse(text)
		return strings.TrimSuffix(text, "/"), err
	}
	return k
}

func isProxy(u *url.URL) bool {
	bare := *u
	bare.User, bare.Path = nil, ""
	if u.Scheme == "socks5" {
		bare.Scheme = "http"
	}
	return isBase(&bare) && strings.Trim(u.Path, "/") == ""
}

// CIDR is a range of addresses, with no bit set behind its prefix.
func CIDR() Kind[netip.Prefix] {
	return Kind[netip.Prefix]{
		Parse: func(text string) (netip.Prefix, error) {
			if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
				return netip.Prefix{}, fmt.Errorf("%s must be a range of addresses: write %s/%d", Quote(text), text, address.BitLen())
			}
			p, err := netip.ParsePrefix(text)
			if err != nil {
				return netip.Prefix{}, fmt.Errorf("%s must be a range of addresses such as 10.1.0.0/16 or fd00::/8", Quote(text))
			}
			if p != p.Masked() {
				return netip.Prefix{}, fmt.Errorf("%s has bits set behind its prefix: write %s", Quote(text), p.Masked())
			}
			return p, nil
		},
		Format: netip.Prefix.String,
	}
}
