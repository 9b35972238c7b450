#!/usr/bin/env bash
# Proves the two architecture guards of .golangci.yml: it plants one violation
# of each kind in a scratch module and expects depguard or forbidigo to catch
# it, then writes what is allowed and expects silence.
#
# The scratch module holds empty packages at our paths and empty stand-ins for
# the modules of others, so the proof needs no network and does not depend on
# what the real packages import today.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
lint=$(go -C "$root" tool -n -modfile=internal/tools/go.mod golangci-lint)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

ours=(member agent agent/gossip agent/probe consensus consensus/disk consensus/link
	failover failover/driver failover/driver/dns failover/driver/haproxy shield shield/count shield/admit shield/orders shield/gateway shield/remote status status/archive status/web access mind sim sim/bubble
	sim/scenario internal/config internal/daemon internal/strict)
others=(go.uber.org/zap golang.org/x/sys/unix golang.org/x/sync/errgroup go.etcd.io/raft/v3
	go.etcd.io/bbolt google.golang.org/grpc google.golang.org/protobuf/proto
	github.com/hashicorp/raft github.com/hashicorp/serf/serf github.com/chromedp/chromedp)

# new_tree begins a scratch module. It lies under folders that are called like
# our packages, because rules that are not tied to the module's own root would
# take such a checkout for something else.
new_tree() {
	tree=$scratch/$1/agent/sim
	expected=$scratch/$1.expected
	mkdir -p "$tree"
	: >"$expected"
	cp "$root/.golangci.yml" "$tree/"
	printf 'module moonwatch\n\ngo 1.26.0\n' >"$tree/go.mod"
	local path module
	for path in "${ours[@]}"; do
		mkdir -p "$tree/$path"
		printf 'package %s\n' "${path##*/}" >"$tree/$path/doc.go"
	done
	for path in "${others[@]}"; do
		case $path in
		*/unix | */errgroup | */proto | */serf/serf | */chromedp/chromedp) module=${path%/*} ;;
		*) module=$path ;;
		esac
		mkdir -p "$scratch/$1/others/$path"
		printf 'package %s\n' "$(basename "${path%/v3}")" >"$scratch/$1/others/$path/doc.go"
		printf 'module %s\n' "$module" >"$scratch/$1/others/$module/go.mod"
		local version=v0.0.0
		[[ $module == */v3 ]] && version=v3.0.0
		printf 'require %s %s\nreplace %s => %s\n' \
			"$module" "$version" "$module" "$scratch/$1/others/$module" >>"$tree/go.mod"
	done
}

# imports FILE PATH [LINTER]: FILE imports PATH; LINTER, if named, must object.
imports() {
	printf 'package %s\n\nimport _ "%s"\n' "$(basename "$(dirname "$1")")" "$2" >"$tree/$1"
	[[ -z ${3-} ]] || echo "$1 $3 imports $2" >>"$expected"
}

# says FILE IMPORT STATEMENT [LINTER]: FILE does STATEMENT; likewise.
says() {
	printf 'package %s\n\nimport "%s"\n\nfunc init() { %s }\n' \
		"$(basename "$(dirname "$1")")" "$2" "$3" >"$tree/$1"
	[[ -z ${4-} ]] || echo "$1 $4 does $3" >>"$expected"
}

# judge lints the tree; every expected objection must come, and no other.
judge() {
	local report=$scratch/report file linter what
	(cd "$tree" && "$lint" run --enable-only depguard,forbidigo --show-stats=false \
		--output.text.print-issued-lines=false --output.text.colors=false ./...) >"$report" 2>&1 || true
	while read -r file linter what; do
		checked=$((checked + 1))
		if ! grep -q "^$file:.*($linter)$" "$report"; then
			echo "check-guards: $file $what, and $linter did not object" >&2
			wrong=$((wrong + 1))
		fi
	done <"$expected"
	if cut -d' ' -f1 "$expected" | grep -vFf - "$report" | grep -v '^$' >&2; then
		echo "check-guards: the lines above object to what is allowed" >&2
		wrong=$((wrong + 1))
	fi
}

checked=0 wrong=0

# --- what no decision may do -------------------------------------------------
new_tree deeds
for decision in member agent consensus failover shield status access mind internal/strict; do
	for path in net net/http os os/exec sync sync/atomic log log/slog math/rand crypto/rand syscall \
		go.uber.org/zap golang.org/x/sys/unix golang.org/x/sync/errgroup go.etcd.io/bbolt \
		github.com/hashicorp/serf/serf moonwatch/internal/config; do
		imports "$decision/import_${path//[\/.]/_}.go" "$path" depguard
	done
done
for play in sim sim/scenario; do
	for path in net os os/exec sync log math/rand syscall golang.org/x/sys/unix golang.org/x/sync/errgroup; do
		imports "$play/import_${path//[\/.]/_}.go" "$path" depguard
	done
done
for decision in member agent consensus failover shield status access mind sim sim/scenario; do
	says "$decision/now.go" time '_ = time.Now()' forbidigo
	says "$decision/since.go" time '_ = time.Since(time.Time{})' forbidigo
	says "$decision/after.go" time '<-time.After(1)' forbidigo
	says "$decision/timer.go" time '_ = time.NewTimer(1)' forbidigo
	says "$decision/sleep.go" time 'time.Sleep(1)' forbidigo
	says "$decision/renamed.go" 'time"; import t "time' '_, _ = t.Now(), time.Second' forbidigo
	says "$decision/deadline.go" context '_, _ = context.WithTimeout(nil, 1)' forbidigo
	says "$decision/intn.go" math/rand/v2 '_ = rand.IntN(6)' forbidigo
	says "$decision/float.go" math/rand/v2 '_ = rand.Float64()' forbidigo
	says "$decision/shuffle.go" math/rand/v2 'rand.Shuffle(0, nil)' forbidigo
	says "$decision/generic.go" math/rand/v2 '_ = rand.N(6)' forbidigo
done
judge

# --- imports against the arrows ----------------------------------------------
new_tree arrows
imports member/up.go moonwatch/agent depguard
imports agent/up.go moonwatch/consensus depguard
imports consensus/up.go moonwatch/failover depguard
imports failover/up.go moonwatch/status depguard
imports status/up.go moonwatch/mind depguard
imports shield/aside.go moonwatch/failover depguard
imports access/aside.go moonwatch/failover depguard
imports mind/down.go moonwatch/consensus/disk depguard
imports sim/down.go moonwatch/agent/gossip depguard
imports sim/joined.go moonwatch/internal/daemon depguard
imports sim/scenario/joined.go moonwatch/internal/config depguard
imports agent/gossip/sibling.go moonwatch/agent/probe depguard
imports consensus/disk/cousin.go moonwatch/agent/gossip depguard
imports shield/gateway/cousin.go moonwatch/failover/driver depguard
imports shield/gateway/sibling.go moonwatch/shield/remote depguard
imports shield/count/sibling.go moonwatch/shield/gateway depguard
imports shield/count/beyond.go moonwatch/member depguard
imports consensus/link/joined.go moonwatch/internal/daemon depguard
imports status/web/machine.go moonwatch/mind depguard
imports internal/config/joined.go moonwatch/internal/daemon depguard
imports failover/driver/dns/sibling.go moonwatch/failover/driver/haproxy depguard
imports failover/driver/dns/cousin.go moonwatch/agent/gossip depguard
imports failover/driver/dns/joined.go moonwatch/internal/daemon depguard
imports failover/driver/special.go moonwatch/failover/driver/haproxy depguard
imports failover/driver/grpc.go google.golang.org/grpc depguard
imports consensus/disk/raft.go github.com/hashicorp/raft depguard
imports status/web/browser.go github.com/chromedp/chromedp depguard
judge

new_tree daemon
imports internal/daemon/sim.go moonwatch/sim depguard
judge

# --- what is allowed ---------------------------------------------------------
new_tree allowed
imports agent/a.go moonwatch/member
imports agent/b.go net/netip
imports consensus/a.go moonwatch/agent
imports consensus/b.go go.etcd.io/raft/v3
imports consensus/c.go crypto/sha256
imports consensus/d.go encoding/json
imports failover/a.go moonwatch/consensus
imports status/a.go moonwatch/failover
imports mind/a.go moonwatch/status
imports sim/a.go moonwatch/mind
imports sim/c.go moonwatch/shield/count
imports shield/gateway/a.go moonwatch/shield/count
imports shield/gateway/b.go moonwatch/shield
imports shield/gateway/c.go moonwatch/shield/admit
imports shield/remote/a.go moonwatch/shield/orders
imports shield/count/a.go moonwatch/shield
imports shield/count/b.go sync/atomic
imports sim/b.go crypto/rand
imports sim/scenario/a.go moonwatch/internal/strict
imports sim/bubble/a.go moonwatch/internal/daemon
imports agent/gossip/a.go moonwatch/agent
imports agent/gossip/b.go github.com/hashicorp/serf/serf
imports failover/driver/dns/a.go moonwatch/failover/driver
imports internal/daemon/a.go moonwatch/agent/gossip
imports internal/daemon/b.go moonwatch/mind
says agent/probe/a.go net '_, _ = net.Dial("tcp", "127.0.0.1:1")'
says agent/probe/b.go time '_ = time.Now()'
says agent/probe/c.go sync 'var mu sync.Mutex; mu.Lock()'
says consensus/disk/a.go os '_, _ = os.Open("")'
says agent/chance.go math/rand/v2 'r := rand.New(rand.NewPCG(1, 2)); _ = r.IntN(6)'
says agent/shadow.go math/rand/v2 'rand := rand.New(rand.NewPCG(1, 2)); _ = rand.IntN(6)'
says agent/told.go time '_ = time.Unix(0, 0).Add(time.Second).After(time.Time{})'
says agent/measure_test.go time '_ = time.Now()'
says agent/read_test.go os '_, _ = os.Open("")'
judge

if ((wrong > 0)); then
	echo "check-guards: $wrong of the guards fail" >&2
	exit 1
fi
echo "check-guards: $checked planted violations caught, nothing allowed was refused"
