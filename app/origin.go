package app

import (
	"errors"
	"net/url"

	"cloudmirror/config"
	"cloudmirror/origin"
)

func (a *App) newOrigin() (*origin.Client, error) {
	o, err := originOptions(a.config)
	if err != nil {
		return nil, err
	}
	o.Listeners = a.listeners
	return origin.New(o), nil
}

// originOptions returns how a configuration has origins asked.
func originOptions(c *config.Config) (origin.Options, error) {
	timeouts := c.Origin.Timeouts
	o := origin.Options{
		DeploymentID: c.DeploymentID(), MaxRedirects: c.Origin.MaxRedirects, UserAgent: c.Origin.UserAgent,
		MinBytesPerSecond: c.Origin.MinRateBytes, MinRateOver: c.Origin.MinRateOver,
		ConnectTimeout: timeouts.Connect, TLSTimeout: timeouts.TLS, FirstByteTimeout: timeouts.FirstByte, IdleTimeout: timeouts.Idle,
	}
	if o.MaxRedirects == 0 {
		o.MaxRedirects = -1 // none
	}
	if o.MinBytesPerSecond == 0 {
		o.MinBytesPerSecond = -1 // none
	}
	if text := c.Origin.Proxy; text != "" {
		proxy, err := url.Parse(text)
		if err != nil { // the key was checked
			return o, errors.New("origin.proxy is no URL")
		}
		o.Proxy = proxy
	}
	return o, nil
}

// rules returns what origins of a service are allowed.
func rules(s config.Service) origin.Rules {
	return origin.Rules{
		Allow: s.Allow, Direct: s.Direct, AllowAddresses: s.AllowAddresses, Ports: s.Ports, MaxObjectBytes: s.MaxObjectSizeBytes, Headers: s.Headers,
	}
}
