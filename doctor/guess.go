package doctor

import "strings"

// The lengths of guessed tokens; the configuration refuses shorter ones.
const (
	minGuess = 16
	maxGuess = 64
)

// guesses returns the tokens that an attacker would try first: single characters
// and common words, repeated, with and without hyphens, and cut to the usual
// lengths; and published tokens.
func guesses() []string {
	words := []string{
		"password", "secret", "token", "admin", "admintoken", "admin-token", "changeme", "change-me", "letmein", "default",
		"cloudmirror", "test", "testing", "example", "1234567890", "12345678", "0123456789", "123456", "abcdef", "abcdefgh",
		"0123456789abcdef", "deadbeef", "qwerty", "qwertyuiop", "a-token-of-the-tests",
	}
	for c := '!'; c <= '~'; c++ {
		words = append(words, string(c))
	}
	var all []string
	for _, w := range words {
		for _, separator := range []string{"", "-", "_"} {
			long := strings.Repeat(w+separator, maxGuess/len(w+separator)+1)
			for repeats := 1; repeats*len(w+separator) <= maxGuess; repeats++ {
				if whole := strings.TrimSuffix(long[:repeats*len(w+separator)], separator); len(whole) >= minGuess {
					all = append(all, whole)
				}
			}
			all = append(all, long[:16], long[:20], long[:24], long[:32])
		}
	}
	all = append(all, "cloudmirror-token", "cloudmirror-admin-token", "changeme-changeme", "adminadminadmin1", "password12345678", "supersecrettoken", "super-secret-token",
		"only-for-trying-things-out", // published in deploy/compose/cloudmirror.yaml
	)
	return all
}
