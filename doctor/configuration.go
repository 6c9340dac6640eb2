package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"cloudmirror"
	"cloudmirror/config"
)

// commonBalancerTimeout is the default of nginx (proxy_read_timeout) and of AWS'
// balancers (idle timeout).
const commonBalancerTimeout = 60 * time.Second

// configuration checks what no server has to be asked for.
func (e *examination) configuration() {
	for _, warning := range e.Config.Warnings() {
		e.report(Finding{Configuration, Warning, "configuration", warning, "see the key's comment in `cloudmirror config example`"})
	}
	e.tokens()
	e.done("configuration")
	foreign := foreignObjects()
	isOpen := func(p cloudmirror.AllowPattern) bool { return slices.ContainsFunc(foreign, p.Match) }
	for _, s := range e.Config.Services {
		subject := "service " + s.Name
		i := slices.IndexFunc(s.Allow, isOpen)
		if i >= 0 {
			e.report(Finding{
				AllowOpen, Warning, subject,
				fmt.Sprintf("allow has %q: whoever reaches the front end has any object of the Internet copied into your storage", s.Allow[i]),
				`name the hosts that you mean, as in ^https://releases\.example\.com/, or keep strangers from the front end`,
			})
		}
		e.headers(subject, s, i >= 0)
		if s.Wait >= commonBalancerTimeout {
			e.report(Finding{
				WaitLong, Warning, subject,
				fmt.Sprintf("clients wait for up to %v, and most balancers give up after %v", s.Wait, commonBalancerTimeout),
				"shorten wait, or set the balancer's timeout (proxy_read_timeout, idle timeout) above it",
			})
		}
		e.done(subject)
	}
}

// headers looks for credentials among the headers that a service sends. Clients can
// read all copies that were made with them. With an open allow pattern, copiers
// send them to any host that a client names.
func (e *examination) headers(subject string, s config.Service, isOpen bool) {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.Headers)), func(name string) bool { return !isCredential(name) })
	if len(names) == 0 {
		return
	}
	sent := strings.Join(names, ", ")
	e.report(Finding{
		HeadersSecret, Warning, subject,
		fmt.Sprintf("headers has %s: every client of the service reads what that opens at the origins, while clients that fall back to an origin do not have it", sent),
		"let only clients who may read all of it reach the front end, with private storage; and consider fallback: none",
	})
	if isOpen {
		e.report(Finding{
			HeadersOpen, Error, subject,
			fmt.Sprintf("headers has %s, and allow lets any host through: whoever asks for a URL of a host of their own is sent it", sent),
			`name the hosts that it is for in allow, as in ^https://releases\.example\.com/`,
		})
	}
}

// isCredential reports whether the name of a header is one of those that carry
// credentials: Authorization, Cookie, X-Api-Key, Private-Token and the like.
func isCredential(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"auth", "cookie", "credential", "key", "pass", "secret", "session", "signature", "token"},
		func(word string) bool { return strings.Contains(name, word) })
}

// foreignObjects returns objects of hosts with random names: an operator did not
// mean any of them, so that a pattern that allows one allows hosts that an attacker
// can register. The names are of letters, which every usual class of characters
// in a pattern has.
func foreignObjects() []cloudmirror.Object {
	var objects []cloudmirror.Object
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, cloudmirror.NewID())
	for _, scheme := range []string{"https", "http"} {
		for _, domain := range []string{"com", "net", "org", "io", "dev", "de"} {
			for _, path := range []string{"", "file", "file.tar.gz", "a/b/file.zip", "v1.2.3/file.deb"} {
				o, err := cloudmirror.ParseObject(scheme + "://" + name + "." + domain + "/" + path)
				if err == nil { // it is canonical
					objects = append(objects, o)
				}
			}
		}
	}
	return objects
}

func (e *examination) tokens() {
	tokens := e.Config.Tokens()
	if len(tokens) == 0 && e.Config.Check(config.RoleFrontend) == nil {
		e.report(Finding{
			TokenMissing, Warning, "configuration",
			"no admin token is configured: front ends refuse to purge, to warm and to show dead letters",
			"set admin_tokens_file, or admin_tokens",
		})
	}
	for _, guess := range guesses() {
		hash := cloudmirror.HashToken(guess)
		if slices.ContainsFunc(tokens, func(t cloudmirror.Token) bool { return t.Hash == hash }) {
			e.report(Finding{
				TokenGuessable, Error, "configuration",
				"an admin token is easily guessed: doctor did, from some thousand words",
				"use a random one, such as `openssl rand -hex 32` prints",
			})
			return
		}
	}
}
