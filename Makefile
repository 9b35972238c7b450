# make help lists the targets. Everything runs from a fresh clone with Go alone;
# the pinned tools (internal/tools/go.mod) build themselves on first use.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL: # two phases at once would measure each other

golangci := go tool -modfile=internal/tools/go.mod golangci-lint
# gotest PHASE FLAGS -- PACKAGES runs go test, and what may have failed by chance a
# second time: see internal/tools/testreport.
gotest   := go -C internal/tools build -o $(CURDIR)/bin/ ./testreport && bin/testreport

# packages_with names the packages that have a test file with a line like $1.
packages_with = $(shell grep -rlE $1 --include='*_test.go' --exclude-dir=tools . | xargs -r -n1 dirname | sort -u)

real = $(call packages_with,'^//go:build .*\breal\b')
told = $(call packages_with,'MOONWATCH_REWRITE')
# Who owns goroutines has a folder below another one: adapters, the daemon, the
# simulator's campaigns. A decision has none to race with, nor has a scenario, whose
# world is played by one goroutine: under the detector it takes minutes.
busy = $(shell go list ./... | grep -E '^moonwatch/[a-z]+/' | grep -v '/sim/scenario$$')

SEEDS ?= 100
export RUNS FAULTS PROFILES SIDE FUZZTIME SECONDS_IDLE RATE

##@ Every day

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^##@ /{printf "\n%s\n", substr($$0, 5)} \
		/^[a-z][a-z-]*:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/moonwatch, static and stripped.
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/moonwatch ./cmd/moonwatch

.PHONY: test
test: test-unit test-real ## Run all tests in two phases: in process, then on real processes, alone.

.PHONY: test-unit
test-unit:
	@echo '== go test ./...'
	@go -C internal/tools test ./...
	@$(gotest) unit -timeout 20m $(TESTFLAGS) -- ./...

# One package and one test at a time, never from the cache: the tests share this
# machine's processors with the fleets that they start. The pictures of the pages that
# they take stay in bin/artifacts.
.PHONY: test-real
test-real: test-deps
ifeq ($(real),)
	@echo '== go test -tags real: no package has such tests'
else
	@echo '== go test -p 1 -parallel 1 -tags real $(real)'
	@rm -rf bin/artifacts && mkdir -p bin/artifacts
	@$(gotest) real -count=1 -timeout 40m -p 1 -parallel 1 -tags real -artifacts -outputdir=$(CURDIR)/bin/artifacts $(TESTFLAGS) -- $(real)
endif

.PHONY: test-deps
test-deps: ## Install the programs that real tests want (Debian, root), or say what is missing.
	@scripts/test-deps.sh

.PHONY: race
race: ## Run the tests of adapters and daemon under the race detector.
	@echo '== go test -race: adapters and daemon'
	@$(gotest) race -race -timeout 30m $(TESTFLAGS) -- $(busy)

.PHONY: lint
lint: ## Check style, architecture and go.mod; the linter is built on first use (minutes).
	@echo '== golangci-lint'
	@$(golangci) run ./...
	@go -C internal/tools tool golangci-lint run --config ../../.golangci.yml ./...
	@scripts/check-guards.sh
	@echo '== go vet'
	@go vet ./...
	@go vet -tags real ./...
	@go vet -tags mutants ./sim/mutants/...
	@echo '== go mod'
	@go mod tidy -diff
	@go mod verify
	@echo '== no merge left half done'
	@! git grep -nE '^(<<<<<<<|>>>>>>>) '

.PHONY: fmt
fmt: ## Format all Go code as lint wants it.
	@$(golangci) fmt ./...

##@ Simulator and numbers

.PHONY: sim
sim: build ## Play SEEDS (100) seeds of the swarm: 30 members, 5 virtual minutes.
	@bin/moonwatch sim campaign --seeds $(SEEDS)

.PHONY: sim-gate
sim-gate: build ## Play what a change of a decision has to pass: 300 seeds of 60 members, 10 virtual minutes; 100 each of people, floods and fences.
	@bin/moonwatch sim campaign --seeds 300 --members 60 --minutes 10
	@bin/moonwatch sim campaign swarm-of-people --seeds 100
	@bin/moonwatch sim campaign swarm-of-floods --seeds 100
	@bin/moonwatch sim campaign swarm-of-fences --seeds 100

.PHONY: sim-fast sim-profiles
sim-fast: PROFILES = fast
sim-fast: sim-profiles ## The same in profile fast alone.
sim-profiles: build ## Play SEEDS (100) seeds of every basic fault in the profiles PROFILES (fast cloud wan).
	@for p in $(or $(PROFILES),fast cloud wan); do for f in sim/testdata/$$p-*.yaml; do \
		echo "== $$f"; bin/moonwatch sim campaign $$f --seeds $(SEEDS) || exit; done; done

.PHONY: mutants
mutants: ## Hunt every planted fault for at most SEEDS (500) seeds, into docs/mutants.md: MUTANT=name hunts one.
	@MOONWATCH_SEEDS=$(if $(filter file,$(origin SEEDS)),500,$(SEEDS)) MOONWATCH_MUTANT=$(MUTANT) MOONWATCH_TABLE=$(CURDIR)/docs/mutants.md \
		nice -n 10 go test -tags mutants -count=1 -timeout 60m -parallel 2 -run TestEveryMutantIsKilled -v ./sim/mutants

.PHONY: transcripts
transcripts: ## Rewrite all golden transcripts; then read the diff.
ifeq ($(told),)
	@echo 'no package has transcripts'
else
	MOONWATCH_REWRITE=1 go test -count=1 $(told)
	@git --no-pager diff --stat -- '*testdata*'
endif

.PHONY: bench
bench: bench-go bench-demo ## Run all benchmarks.

.PHONY: bench-go
bench-go: ## Run the Go benchmarks: simulator, tally, codecs.
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-detect
bench-detect: ## Measure detection beside the naive policy: ONLY="crash loss/51-5" RUNS= FROM= FOR=10m RESULTS=file.
	@go test -c -o bin/tables.test ./sim/tables
	@MOONWATCH_MEASURE="$(or $(ONLY),all)" MOONWATCH_RUNS="$(RUNS)" MOONWATCH_FROM="$(FROM)" \
		MOONWATCH_FOR="$(FOR)" MOONWATCH_RESULTS="$(RESULTS)" \
		bin/tables.test -test.run '^TestMeasure$$' -test.timeout 0

.PHONY: bench-sim
bench-sim: ## Time worlds of 1,000 members for 10 virtual minutes and of 10,000 for 2, with their peak memory.
	@go test -c -o bin/sim.test ./sim
	@GOGC=400 bin/sim.test -test.run '^$$' -test.bench '^BenchmarkThousandMembers$$' -test.benchtime 1x -test.timeout 10m
	@GOGC=200 bin/sim.test -test.run '^$$' -test.bench '^BenchmarkTenThousandMembers$$' -test.benchtime 1x -test.timeout 20m

.PHONY: bench-demo
bench-demo: build ## Time the demo on real processes: FAULTS="kill" RUNS=30 PROFILES="demo fast".
	@scripts/bench-demo.sh

.PHONY: bench-cli
bench-cli: build ## Time `status` of 200 members and `explain` of any fact of 30 days: RUNS=100 FACTS=200000.
	@scripts/bench-cli.sh

.PHONY: bench-haproxy
bench-haproxy: ## Replace a crashed slot behind two real HAProxies at 1,000 requests a second: RUNS=5.
	@MOONWATCH_RUNS=$(or $(RUNS),5) go test -count=1 -timeout 20m -tags real -v \
		-run '^TestACrashedSlotIsReplacedAtAThousandRequestsASecond$$' ./internal/daemon | grep -E 'requests|^(ok|FAIL|---)'

.PHONY: bench-leases
bench-leases: ## Lose occupants of exclusive slots before a witness: RUNS=100 SIDE=4 FAULTS="isolate freeze".
	@scripts/bench-leases.sh

.PHONY: bench-page
bench-page: build ## Time the page at 200 members, and a verdict with RATE=5000 requests a second to the pages and without: RUNS=5.
	@scripts/bench-page.sh

.PHONY: bench-shield
bench-shield: ## Measure what the shield adds to a request, beside x/time/rate in a sync.Map, and the gateway and HAProxy beside plain ones: RUNS=12 HAPROXY_ROUNDS=6.
	@scripts/bench-shield.sh

.PHONY: bench-idle
bench-idle: build ## Measure an idle agent against its promises: SECONDS_IDLE=30.
	@scripts/bench-idle.sh

##@ Now and then

.PHONY: deb
deb: ## Build the Debian package bin/moonwatch_VERSION_ARCH.deb, with man pages and completion.
	@scripts/deb.sh

.PHONY: check-guards
check-guards: ## Prove that the linter catches what the architecture forbids.
	@scripts/check-guards.sh

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (30s) each.
	@scripts/fuzz.sh

.PHONY: clean
clean: ## Remove what make has built.
	rm -rf bin
