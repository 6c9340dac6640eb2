package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"cloudmirror"
	"cloudmirror/api"
)

// A rewriting is a line of `rewrite --json`.
type rewriting struct {
	URL         string `json:"url"`
	Service     string `json:"service,omitempty"`
	Region      string `json:"region,omitempty"`
	RedirectURL string `json:"redirect_url,omitempty"`
}

func (c *cli) rewriteCommand() *cobra.Command {
	var t target
	var decode bool
	command := &cobra.Command{
		Use:   "rewrite URL...",
		Short: "Print the redirect URLs of origin URLs",
		Long: `Print, for each origin URL, the URL under which clients get it through the mirror:
<server>/v1/redirect/<service>/<region>/<base64url of the origin URL>/<file name>.
The file name has no meaning to the server: it is for clients that name a download
by its URL. It is left out where the whole would be read as another URL.
No server is asked. With - the URLs are the lines of standard input.

A URL may also be one by which this mirror is asked already: service and region
change to those of the flags. From the address of a copy the origin's URL cannot be
read.

--decode goes back: from redirect URLs, in any of the forms that the server
understands, or from their last part alone, to origin URLs.`,
		Example: `  cloudmirror rewrite https://example.com/file.tar.gz
  cloudmirror rewrite --server https://mirror.example.com --service s3 --region eu-west-1 https://example.com/file.tar.gz
  cloudmirror rewrite --json - < urls.txt
  cloudmirror rewrite --decode http://h:8080/v1/redirect/s3/r1/aHR0cHM6Ly9leGFtcGxlLmNvbS8`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if decode {
				return c.eachURL(command.Context(), args, t.json, func(raw string) error { return c.decode(raw, t.json) })
			}
			if err := t.completeFor(c, args); err != nil {
				return err
			}
			if t.backend.Region == api.EveryRegion {
				return usagef("--region must name one region: a client is redirected to one copy")
			}
			return c.eachURL(command.Context(), args, t.json, func(raw string) error { return c.rewrite(raw, &t) })
		},
	}
	t.addFlags(command)
	command.Flags().BoolVar(&decode, "decode", false, "print the origin URLs of redirect URLs")
	return command
}

func (c *cli) rewrite(raw string, t *target) error {
	b, err := t.backendOf(raw)
	if err != nil {
		return err
	}
	object, err := t.read(raw)
	if err == nil {
		object, err = cloudmirror.ParseObject(object.URL()) // which clients may ask for
	}
	if err != nil {
		return err
	}
	if _, _, isCopy := cloudmirror.ParseCopyURL(raw); isCopy && t.isCopyAddress(raw) {
		return errors.New("the URL is a copy's address, from which the origin's cannot be read: give the origin's, or the redirect's")
	}
	redirect := object.RedirectURL(t.server, b)
	if t.json {
		return c.printJSON(rewriting{URL: object.URL(), Service: b.Service, Region: b.Region, RedirectURL: redirect})
	}
	return c.println(redirect)
}

func (c *cli) decode(raw string, asJSON bool) error {
	backend, rest, err := splitRedirect(raw)
	if err != nil {
		return err
	}
	parsed, err := cloudmirror.ParseTarget(rest)
	if err != nil {
		return err
	}
	object := parsed.Object
	if !asJSON {
		return c.println(object.URL())
	}
	line := rewriting{URL: object.URL(), Service: backend.Service, Region: backend.Region}
	if rest != raw {
		line.RedirectURL = raw
	}
	return c.printJSON(line)
}

// splitRedirect returns the last part of a redirect URL, or of what may be the
// last part alone, as the server would read it.
func splitRedirect(raw string) (backend cloudmirror.BackendID, rest string, err error) {
	_, path, found := strings.Cut(raw, api.RedirectPrefix)
	if !found {
		return cloudmirror.BackendID{}, raw, nil
	}
	parts := strings.SplitN(path, "/", 3)
	if len(parts) < 3 {
		return cloudmirror.BackendID{}, "", errors.New("no redirect URL: service, region and origin must follow /v1/redirect/")
	}
	backend = cloudmirror.BackendID{Service: parts[0], Region: parts[1]}
	return backend, parts[2], backend.Check()
}
