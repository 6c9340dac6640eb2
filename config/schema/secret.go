package schema

import (
	"fmt"
	"net/url"
	"strings"
)

// Secret is shown in the place of a secret.
const Secret = "***"

// Hide returns [Secret], whatever the text: it is the Show of a kind.
func Hide(string) string { return Secret }

// showURL quotes a URL, or what was meant as one, for an error.
func showURL(text string) string { return Quote(redactURL(text)) }

// showSecretURL shows nothing of what does not look like a URL: it may be the
// password alone.
func showSecretURL(text string) string {
	if !strings.Contains(text, "://") {
		return Secret
	}
	return showURL(text)
}

// SecretURL is a URL that may hold a password, which is a secret. The error of
// check completes the sentence that the URL begins.
func SecretURL(check func(text string) error) Kind[string] {
	return Kind[string]{
		Parse: func(text string) (string, error) {
			if err := check(text); err != nil {
				return "", fmt.Errorf("%s %w", showSecretURL(text), err)
			}
			return text, checkNotHidden(text)
		},
		Format: redactURL,
		Show:   showSecretURL,
	}
}

// checkNotHidden refuses a URL that was written with [Secret] for its password.
func checkNotHidden(text string) error {
	if strings.Contains(text, Secret) {
		return fmt.Errorf("%s must hold the password itself, not the %s that is printed for it", showSecretURL(text), Secret)
	}
	return nil
}

// redactURL hides passwords before the host and in the query. It goes by the
// text, since a URL with a mistake in it has its password all the same.
func redactURL(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return redactQuery(text)
	}
	scheme, user := "", text[:at]
	if i := strings.Index(user, "://"); i >= 0 {
		scheme, user = user[:i+3], user[i+3:]
	}
	name, _, hasPassword := strings.Cut(user, ":")
	if !hasPassword {
		return scheme + Secret + redactQuery(text[at:])
	}
	return scheme + name + ":" + Secret + redactQuery(text[at:])
}

func redactQuery(text string) string {
	before, query, found := strings.Cut(text, "?")
	if !found {
		return text
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, _, isPair := strings.Cut(pair, "=")
		decoded, err := url.QueryUnescape(name)
		switch {
		case !isPair && pair != "": // it may be the rest of a password with & in it
			pairs[i] = Secret
		case err != nil || strings.Contains(strings.ToLower(decoded), "pass"):
			pairs[i] = name + "=" + Secret
		}
	}
	return before + "?" + strings.Join(pairs, "&")
}
