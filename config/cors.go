package config

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"cloudmirror"
)

// everyOrigin stands for the pages of all sites.
const everyOrigin = "*"

// origins is a list of origins of pages. That of everyOrigin alone may be written
// without the brackets.
type origins struct{ list[string] }

func (o origins) decode(d *decoder, path string, n *yaml.Node) {
	if scalar := resolve(n); scalar.Kind == yaml.ScalarNode && scalar.Value == everyOrigin {
		*o.target = []string{everyOrigin}
		return
	}
	o.list.decode(d, path, n)
}

// pageOrigin is the origin of pages as browsers name it in the header Origin (RFC
// 6454, section 6.1), or everyOrigin.
func pageOrigin() kind[string] {
	return textKind(func(text string) error {
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
