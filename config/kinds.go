package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cloudmirror"
	"cloudmirror/config/schema"
	"cloudmirror/redisurl"
)

// redisURL is what redisurl.Parse understands, which the driver opens.
func redisURL() schema.Kind[string] {
	return schema.SecretURL(func(text string) error {
		if _, err := redisurl.Parse(text); err != nil {
			return fmt.Errorf("must be the URL of a Redis: %w", err)
		}
		return nil
	})
}

func redisPrefix() schema.Kind[string] {
	return schema.Text(func(text string) error {
		if text == "" || len(text) > 100 || !schema.IsVisible(text) || strings.ContainsAny(text, "{}") {
			return errors.New("must be 1 to 100 visible ASCII characters without { and }, which mark the part of a key that a Redis Cluster hashes")
		}
		return nil
	})
}

// keyPrefix is the beginning of all keys of an S3 storage.
func keyPrefix() schema.Kind[string] {
	return schema.Text(func(text string) error {
		segments := strings.Split(text, "/")
		if len(text) > 512 || !schema.IsVisible(text) || segments[0] == "" ||
			slices.Contains(segments, ".") || slices.Contains(segments, "..") {
			return errors.New("must be at most 512 visible ASCII characters, without a slash at the beginning and without . and .. as segments")
		}
		return nil
	})
}

// everyOrigin stands for the pages of all sites.
const everyOrigin = "*"

// pageOrigin is the origin of pages as browsers name it in the header Origin (RFC
// 6454, section 6.1), or everyOrigin.
func pageOrigin() schema.Kind[string] {
	return schema.Text(func(text string) error {
		if text == everyOrigin {
			return nil
		}
		object, err := cloudmirror.ParseObject(text + "/")
		switch {
		case err != nil:
			return errors.New(`must be "*" or the origin of pages: http or https, a host and perhaps a port, such as https://app.example.com`)
		case object.Origin() != text:
			return fmt.Errorf("must be written %s, as browsers do", object.Origin())
		}
		return nil
	})
}

func allowPattern() schema.Kind[cloudmirror.AllowPattern] {
	return schema.Kind[cloudmirror.AllowPattern]{
		Parse: func(text string) (cloudmirror.AllowPattern, error) {
			p, err := cloudmirror.ParseAllowPattern(text)
			return p, withoutNoun(err, "allow pattern ")
		},
		Format: cloudmirror.AllowPattern.String,
	}
}

func backendID() schema.Kind[cloudmirror.BackendID] {
	return schema.Kind[cloudmirror.BackendID]{
		Parse: func(text string) (cloudmirror.BackendID, error) {
			b, err := cloudmirror.ParseBackendID(text)
			return b, withoutNoun(err, "backend ")
		},
		Format: cloudmirror.BackendID.String,
	}
}

// withoutNoun drops the noun that an error of the root package begins with: the
// key names it already.
func withoutNoun(err error, noun string) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(err.Error(), noun))
}
