package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"cloudmirror/test/lab"

	"cloudmirror"
)

// strangersScenarios let strangers name objects that harm others.
func strangersScenarios() []scenario {
	return []scenario{
		{name: "strangers-failing", what: "20 objects of the origin that answer 503, or 429 and `Retry-After: 3600`, asked for in turn for 20 s", fault: failingObjects},
	}
}

// failingObjects asks for objects that fail, and sees that others of the same host
// are copied meanwhile.
func failingObjects(ctx context.Context, p *play) error {
	const objects, pauseBetween, soon = 20, 50 * time.Millisecond, 10 * time.Second
	asked, begun, longest := 0, time.Now(), time.Duration(0)
	for round := 0; time.Since(begun) < 2*soon; round++ {
		healthy, wanted := specialItem(regions[round%len(regions)], smallBytes, 0), time.Now()
		p.load.also(ctx, 1, healthy)
		for n := range objects {
			if err := p.askForFailing(ctx, n); err != nil {
				return err
			}
			asked++
			if err := lab.Pause(ctx, pauseBetween); err != nil {
				return err
			}
		}
		if err := p.awaitCopy(ctx, healthy, soon); err != nil {
			return err
		}
		longest = max(longest, time.Since(wanted))
	}
	p.note("strangers asked %d times; the slowest of the copies that were asked for meanwhile was seen after %v", asked, longest.Round(time.Millisecond))
	return nil
}

// askForFailing has an object copied that fails, and does not wait for it.
func (p *play) askForFailing(ctx context.Context, n int) error {
	answers := [...]string{"status=503", "status=429&retry-after=3600"}
	object, err := cloudmirror.ParseObject(fmt.Sprintf("http://%s/strangers/%s/%d?%s", p.originName, p.scenario.name, n, answers[n%len(answers)]))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	id := cloudmirror.BackendID{Service: service, Region: regions[n%len(regions)]}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, object.RedirectURL(p.frontURL(), id)+"?wait=0s", http.NoBody)
	if err != nil {
		return err
	}
	if response, err := p.plain.Do(request); err == nil {
		_ = response.Body.Close()
	}
	return nil // what it is told does not matter
}
