package main

import "context"

// A step holds one claim against the deployment. It leaves it as it was.
type step struct {
	name  string // for -run: lower case, words joined by hyphens
	claim string
	run   func(context.Context, *deployment) error
	// proofs break the claim, in turn: with each the step must fail.
	proofs []proof
}

// steps returns all claims but that everything is removed, which ends each run.
func steps() []step {
	copierAgain := proof{what: "the copier ends again", at: onceMended, meddle: kill("copier-us-east-1")}
	return []step{
		{"cold-and-warm", "the first request of a region copies, the next is a hit, the bytes are the origin's", coldAndWarm, []proof{
			{what: "the first byte of what clients get is changed", begin: (*client).flipBytes},
			{what: "the copy is purged before the next request", meddle: purgeObject},
		}},
		{"purge", "after a purge no front end redirects to the old copy", purge, []proof{
			{what: "the purge is not sent", begin: (*client).keepPurges},
			{what: "the copy is deleted from its storage instead", begin: (*client).keepPurges, meddle: deleteObject},
		}},
		{"flushdb", "after FLUSHDB copies are found again, and not made again", flush, []proof{
			{what: "the copy is purged beside the flush", meddle: purgeObject},
			{what: "the copy is deleted from its storage beside the flush", meddle: deleteObject},
		}},
		{"frontend-stopped", "a front end is stopped and started: no request fails", frontendStopped, []proof{
			{what: "the other front end is killed", meddle: kill("frontend-1")},
		}},
		{"frontend-killed", "a front end is killed and started: no request fails", frontendKilled, []proof{
			{what: "the other front end is killed", meddle: kill("frontend-1")},
		}},
		{"copier-stopped", "while a copier is stopped its clients go to the origin, then copies are made again", copierStopped, []proof{
			{what: "the origin is paused", meddle: stopsAnswering("origin")}, copierAgain,
		}},
		{"copier-killed", "a copy whose copier is killed is made all the same", copierKilled, []proof{copierAgain}},
		{"frontend-cut-off", "a front end is cut off the network and rejoins: no request fails", frontendCutOff, []proof{
			{what: "the other front end is cut off", meddle: leavesNetwork("frontend-1")},
		}},
		{"redis-cut-off", "Redis is cut off the network and rejoins: no request fails, then copies are made again", redisCutOff, []proof{
			{what: "the origin is paused", meddle: stopsAnswering("origin")},
			{what: "Redis is cut off again", at: onceMended, meddle: leavesNetwork("redis")},
		}},
		{"storage-paused", "while a region's storage is paused its clients go to the origin, the others to their copies; then all is as before", storagePaused, []proof{
			{what: "the origin is paused", meddle: stopsAnswering("origin")},
			{what: "the other region's storage is paused", meddle: stopsAnswering("storage-us-east-1")},
			{what: "the storage is paused again", at: onceMended, meddle: stopsAnswering("storage-eu-west-1")},
		}},
		{"rolling-replacement", "every process is replaced under load: no request fails", rollingReplacement, []proof{
			{what: "the front end that serves meanwhile is killed", meddle: kill("frontend-1")},
		}},
	}
}
