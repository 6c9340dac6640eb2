package main

import "slices"

// scenarios returns all of them, in the order in which they are played.
func scenarios() []scenario {
	return slices.Concat(
		[]scenario{{name: "nothing", what: "nothing (for comparison)", fault: holdStill}},
		linkScenarios(),
		regionScenarios(),
		dataScenarios(),
		processScenarios(),
		dripScenarios(),
		clockScenarios(),
		diskScenarios(),
		strangersScenarios(),
	)
}
