SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# The tools, pinned here and nowhere else. They are installed into .tools; a
# changed version is installed anew. None of them is in go.mod.
BENCHSTAT        := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
GOLANGCI_LINT    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOTESTSUM        := gotest.tools/gotestsum@v1.13.0
KUBECTL_VALIDATE := sigs.k8s.io/kubectl-validate@v0.0.4
KUSTOMIZE        := sigs.k8s.io/kustomize/kustomize/v5@v5.8.2
MINIO            := github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
MOTO             := moto[server]==5.2.1
TOXIPROXY        := github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0
VERSITYGW        := github.com/versity/versitygw/cmd/versitygw@v1.8.0

# Where the definitions of custom resources come from that deploy/kubernetes uses.
KEDA                := github.com/kedacore/keda/v2@v2.20.2
PROMETHEUS_OPERATOR := github.com/prometheus-operator/prometheus-operator@v0.85.0

# How long `make fuzz` runs each target: a time, or a number of inputs (1000x).
FUZZTIME ?= 10s

# What `make bench` measures and `make faults` runs: the sections, or scenarios,
# whose names match RUN; `make faults` with SHORT=1 the few that CI runs. How long
# `make soak` takes.
RUN   ?=
SHORT ?=
SOAK  ?= 10m

# How `make image` names the image.
IMAGE ?= cloudmirror:latest

# Go stamps binaries with the revision, and fails where git does not let it (as
# in a clone that is another user's).
ifeq ($(shell git status --porcelain >/dev/null 2>&1 && echo readable),)
export GOFLAGS += -buildvcs=false
endif

# Go compiles all packages anew for other flags, which takes minutes the first time:
# all targets share theirs. Only the race detector, which needs cgo, and what runs in
# production (release, image, bench) have their own, the latter with the profile of a
# busy front end, which spares 2 % of a hit.
BUILD   := build -ldflags='-s -w' -o bin/cloudmirror
PROFILE := cmd/cloudmirror/frontend.pgo
export CGO_ENABLED := 0
race: export CGO_ENABLED := 1

.PHONY: help
help: ## lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## builds bin/cloudmirror, one static binary
	go $(BUILD) ./cmd/cloudmirror

.PHONY: release
release: ## the same by the profile of a busy front end: 2 % faster hits, minutes more to build once
	go $(BUILD) -trimpath -pgo=$(PROFILE) ./cmd/cloudmirror

.PHONY: image
image: ## builds the image, IMAGE=name:tag, with the binary built here: needs no network
	@scripts/rootfs bin/image
	@docker build -q -t '$(IMAGE)' --target prebuilt -f deploy/Dockerfile \
		--build-arg VERSION='$(shell git describe --tags --always --dirty 2>/dev/null)' \
		--build-arg REVISION='$(shell git rev-parse HEAD 2>/dev/null)' bin/image

.PHONY: demo
demo: ## shows a miss, a hit and the status page, with a small origin of its own
	@scripts/progress $(BUILD) ./cmd/cloudmirror
	@go run ./test/demo $$([ -t 0 ] && [ -t 1 ] && echo -stay) bin/cloudmirror

.PHONY: deps
deps: ## installs what the tests need; quick when it is there
	@scripts/deps redis nginx haproxy clients moto '$(MOTO)'
	@scripts/tool '$(VERSITYGW)' '$(GOTESTSUM)'

.PHONY: test
test: deps ## runs go vet and all tests on real servers, and prints the coverage
	go vet ./...
	@scripts/test

.PHONY: race
race: deps ## runs the tests, but for the largest objects, with the race detector
	@scripts/deps cc
	@scripts/test -race -short

.PHONY: minio-test
minio-test: deps ## runs the S3 tests on minio (5 minutes to build it once)
	@scripts/tool '$(MINIO)'
	@CLOUDMIRROR_MINIO=1 scripts/test ./storage/s3store/...
	@CLOUDMIRROR_MINIO=1 scripts/test -run 'OnMinIO|RolesNeed' ./app ./test/e2e

.PHONY: kubernetes-test
kubernetes-test: ## holds deploy/kubernetes against schemas and configuration (5 minutes to build once)
	@scripts/tool '$(KUSTOMIZE)' '$(KUBECTL_VALIDATE)'
	@scripts/crds '$(KEDA)/config/crd/bases/keda.sh_scaledobjects.yaml' \
		'$(KEDA)/config/crd/bases/keda.sh_triggerauthentications.yaml' \
		'$(PROMETHEUS_OPERATOR)/example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml'
	@CLOUDMIRROR_KUBERNETES=1 go test -count=1 ./test/kubernetes

.PHONY: systemd-test
systemd-test: ## verifies and scores the units of deploy/systemd
	@scripts/deps systemd
	@CLOUDMIRROR_SYSTEMD=1 go test -count=1 ./test/systemd

.PHONY: lint
lint: ## runs golangci-lint (2 minutes to build it once)
	@scripts/tool '$(GOLANGCI_LINT)'
	.tools/golangci-lint run ./...

.PHONY: prove
prove: deps ## breaks each driver in several ways, and sees the contract's suite fail
	@scripts/prove

.PHONY: fuzz
fuzz: ## runs each fuzz target for FUZZTIME (default 10s)
	@scripts/fuzz '$(FUZZTIME)'

.PHONY: guard
guard: ## prints what the origin guard refuses: every special range, hundreds of spellings
	go test -count=1 -v -run '^TestGuardTable$$' ./origin

.PHONY: bench-deps
bench-deps: deps
	@scripts/deps nginx bench

.PHONY: bench
bench: bench-deps ## measures speed and memory beside yardsticks (25 minutes), writes docs/benchmarks.md; RUN=regexp prints less
	@go run ./test/bench $(if $(RUN),-run '$(RUN)' -out -)

.PHONY: bench-quick
bench-quick: bench-deps ## a rough measurement of all that, printed
	@go run ./test/bench -quick -out - $(if $(RUN),-run '$(RUN)')

.PHONY: bench-micro
bench-micro: ## measures what hits are made of, and compares with docs/bench-micro.txt
	@scripts/tool '$(BENCHSTAT)'
	@scripts/bench-micro compare

.PHONY: bench-micro-save
bench-micro-save: ## writes docs/bench-micro.txt, to compare with from then on
	@scripts/bench-micro save

.PHONY: pgo
pgo: deps ## writes the profile of a busy front end by which release and image are compiled
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
		go test -trimpath -run '^$$' -bench '^BenchmarkRedirect$$' -benchtime 20s \
			-o "$$dir/app.test" -cpuprofile $(PROFILE) ./app

.PHONY: faults-deps
faults-deps: deps
	@scripts/deps nginx
	@scripts/tool '$(TOXIPROXY)'

.PHONY: faults
faults: faults-deps ## breaks one part after the other under load, and warms a list of 10,000; RUN=regexp, SHORT=1 for less
	@go run ./test/faults $(if $(SHORT),-short) $(if $(RUN),-run '$(RUN)') $(if $(SHORT)$(RUN),,-out docs/faults.md)
	@$(if $(RUN),,CLOUDMIRROR_LONG=1 scripts/test -run '^TestWarmIsInterruptedAndResumed$$' ./test/e2e)

.PHONY: soak
soak: faults-deps ## load with faults for SOAK (default 10m), then compares memory and goroutines
	@go run ./test/faults -soak '$(SOAK)' -out docs/soak.md

.PHONY: compose-test
compose-test: deps ## runs deploy/compose.yaml and breaks its parts; RUN=regexp, PROVE=1, COMPOSE=docker-compose
	@scripts/deps redis haproxy
	@scripts/tool '$(MINIO)'
	@go run ./test/compose $(if $(CI),-optional) $(if $(PROVE),-prove) $(if $(RUN),-run '$(RUN)') $(if $(COMPOSE),-compose '$(COMPOSE)')

.PHONY: clean
clean: ## removes what was built, but not .tools
	rm -rf bin coverage.out
