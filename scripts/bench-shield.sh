#!/usr/bin/env bash
# Measures what the shield adds to a request, beside the way in which a limiter
# per subdomain is usually written in Go (x/time/rate in a sync.Map), in one run.
# Prints the best of RUNS (12) short runs, since other work on the machine only
# ever makes them slower. A promise is broken where a number is above it and also
# too high beside the peer, which took 112 ns where the promises were made: on a
# slow or busy machine both are slow.
#
# Then the gateway beside a plain httputil.ReverseProxy and a relay that reads nothing
# (docs/adr/033), and a HAProxy that counts, looks each host up in the map and is asked by the door,
# beside one that does nothing of it, by turns under wrk, and so an nginx: HAPROXY_ROUNDS (6).
set -euo pipefail
wrong=0
cd "$(dirname "$0")/.."

go test -c -o bin/count.test ./shield/count
go test -c -o bin/gateway.test ./shield/gateway
{
	bin/count.test -test.run '^$' -test.bench . -test.benchtime 20ms -test.count "${RUNS:-12}"
	bin/gateway.test -test.run '^$' -test.bench 'Check|Refusal' -test.benchtime 20ms -test.count "${RUNS:-12}"
} |
	awk '
		/^Benchmark/ { sub(/^Benchmark/, "", $1); sub(/-[0-9]+$/, "", $1); if (!($1 in best) || $3 < best[$1]) best[$1] = $3 }
		function line(name, what, most) {
			wanted = most ? sprintf("; wanted: %d ns, or %.2f of the peer", most, most / 112) : ""
			printf "%-16s %6.1f ns  %5.2f of the peer  %s%s\n", name, best[name], best[name] / peer, what, wanted
			if (most && best[name] > most && best[name] / peer > most / 112) { printf "%s takes more than %d ns, and more than %.2f of the peer\n", name, most, most / 112; wrong = 1 }
		}
		END {
			print "A number fails only if it is too high by the clock and beside the peer: a slow machine is slow in both."
			peer = best["PeerRateInSyncMap"]
			line("PeerRateInSyncMap", "x/time/rate in a sync.Map: the peer", 0)
			line("Normalise", "a Host header becomes a name", 0)
			line("KeyOf", "a name becomes a key", 0)
			line("Count", "a name is counted, key included", 30)
			line("CountParallel", "the same from all processors", 30)
			line("DenySetMiss", "no measure is found among 64", 20)
			line("Bucket", "a cap admits a request", 0)
			line("Check", "the gateway: all of the above for one request", 0)
			line("Refusal", "the gateway: a request that is not let in, with its answer", 0)
			exit wrong
		}' || wrong=1

if ! command -v haproxy >/dev/null || ! command -v wrk >/dev/null; then
	echo "HAProxy and gateway: not measured: want haproxy and wrk (scripts/test-deps.sh installs them)"
	exit $wrong
fi
MOONWATCH_BENCH_ROUNDS=${HAPROXY_ROUNDS:-6} go test -tags real -p 1 -count=1 -v -run '^TestUnderLoad' ./shield/gateway ./shield/haproxy ./shield/remote |
	awk '
		/^BENCH gateway/ {
			for (i = 3; i < NF; i += 2) had[$i] = $(i + 1)
			printf "%-16s %6d requests/s plain ReverseProxy, %d the gateway: %.2f of it; a relay that reads nothing: %.2f\n", "Gateway", had["plain"], had["ours"], had["ratio"], had["most"]
			printf "%-16s %6.2f us of a processor a request plain, %.2f the gateway, %.2f the relay; wanted: at most 1.35 times plain\n", "", had["cpu-plain-us"], had["cpu-ours-us"], had["cpu-relay-us"]
			if (had["cpu-ours-us"] > 1.35 * had["cpu-plain-us"]) { print "the gateway is too slow"; wrong = 1 }
		}
		/^BENCH haproxy/ {
			for (i = 3; i < NF; i += 2) got[$i] = $(i + 1)
			printf "%-16s %6d requests/s plain, %d as a door: %.3f of it\n", "HAProxy", got["plain"], got["door"], got["ratio"]
			printf "%-16s %6.2f us of a processor a request plain, %.2f as a door: %.3f; wanted: 0.93 by requests or by processor, it fails only if both are less\n", "", got["cpu-plain-us"], got["cpu-door-us"], got["cpu-ratio"]
			if (got["ratio"] < 0.93 && got["cpu-ratio"] < 0.93) { print "HAProxy as a door is too slow by both"; wrong = 1 }
		}
		/^BENCH nginx/ {
			for (i = 3; i < NF; i += 2) nx[$i] = $(i + 1)
			printf "%-16s %6d requests/s plain, %d as a door: %.3f of it\n", "nginx", nx["plain"], nx["door"], nx["ratio"]
			printf "%-16s %6.2f us of a processor a request plain, %.2f as a door: %.3f\n", "", nx["cpu-plain-us"], nx["cpu-door-us"], nx["cpu-ratio"]
		}
		/^--- FAIL|^FAIL|_test.go:/ { print; wrong = 1 }
		END { if (!("ratio" in got) || !("ratio" in had)) wrong = 1; exit wrong }' || wrong=1
exit $wrong
