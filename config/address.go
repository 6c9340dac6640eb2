package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"cloudmirror/redisurl"
)

// listenAddress is what a server binds: host:port, where the host may be empty
// and the port 0 (any free one).
func listenAddress() kind[string] {
	return textKind(func(text string) error {
		host, port, err := net.SplitHostPort(text)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil || !isVisible(host) || strings.ContainsAny(host, "/@?#") {
			return errors.New("must be host:port, such as 127.0.0.1:8080 or :8080")
		}
		return nil
	})
}

// webURL is the base of URLs: http or https, without anything that cannot be
// extended by a path. Slashes at its end are dropped.
func webURL() kind[string] {
	return kind[string]{
		parse: func(text string) (string, error) {
			u, err := url.Parse(text)
			if err != nil || !isBase(u) || !isVisible(text) || !hasPort(u) {
				return "", fmt.Errorf("%s must be a URL such as https://mirror.example.com, with http or https and a host, without user, query and fragment", showURL(text))
			}
			return strings.TrimRight(text, "/"), nil
		},
		format: func(text string) string { return text },
		show:   showURL,
		tags:   []string{tagText},
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

// redisURL is what redisurl.Parse understands, which the driver opens.
func redisURL() kind[string] {
	return kind[string]{
		parse: func(text string) (string, error) {
			if _, err := redisurl.Parse(text); err != nil {
				return "", fmt.Errorf("%s must be the URL of a Redis: %w", showSecretURL(text), err)
			}
			return text, notPrinted(text)
		},
		format: redactURL,
		show:   showSecretURL,
		tags:   []string{tagText},
	}
}

// notPrinted reports a URL that was printed without its password.
func notPrinted(text string) error {
	if strings.Contains(text, secret) {
		return fmt.Errorf("%s must hold the password itself, not the %s that is printed for it", showSecretURL(text), secret)
	}
	return nil
}

// proxyURL is a proxy that net/http knows how to use.
func proxyURL() kind[string] {
	return kind[string]{
		parse: func(text string) (string, error) {
			u, err := url.Parse(text)
			if err != nil || !isProxy(u) || !isVisible(text) || !hasPort(u) {
				return "", fmt.Errorf("%s must be a URL such as http://user:password@host:3128, with http, https or socks5 and without path, query and fragment", showSecretURL(text))
			}
			return strings.TrimSuffix(text, "/"), notPrinted(text)
		},
		format: redactURL,
		show:   showSecretURL,
		tags:   []string{tagText},
	}
}

func isProxy(u *url.URL) bool {
	bare := *u
	bare.User, bare.Path = nil, ""
	if u.Scheme == "socks5" {
		bare.Scheme = "http"
	}
	return isBase(&bare) && strings.Trim(u.Path, "/") == ""
}

// prefix is a range of addresses.
func prefix() kind[netip.Prefix] {
	return kind[netip.Prefix]{
		parse: func(text string) (netip.Prefix, error) {
			if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
				return netip.Prefix{}, fmt.Errorf("%s must be a range of addresses: write %s/%d", quote(text), text, address.BitLen())
			}
			p, err := netip.ParsePrefix(text)
			if err != nil {
				return netip.Prefix{}, fmt.Errorf("%s must be a range of addresses such as 10.1.0.0/16 or fd00::/8", quote(text))
			}
			if p != p.Masked() {
				return netip.Prefix{}, fmt.Errorf("%s has bits set behind its prefix: write %s", quote(text), p.Masked())
			}
			return p, nil
		},
		format: netip.Prefix.String,
		tags:   []string{tagText},
	}
}
