#!/usr/bin/env bash
# Measures the page. First how long an agent of a fleet of 200 takes to answer with it,
# from memory, over a connection, in both languages. Then whether RATE (5,000) requests a
# second slow a verdict: RUNS (5) times a demo with a crash, with that load on the pages
# of its fleet and without it, by turns, on the same two minutes of the same machine.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${RUNS:-5} rate=${RATE:-5000}

echo "== a page of 200 members, from memory (p99-ms: of 2,000 answers)"
go test ./status/web -run '^$' -bench '^BenchmarkPage$' -benchtime 2000x | grep -E '^Benchmark|^FAIL'

go -C internal/tools build -o "$PWD/bin/" ./pageload
work=$(mktemp -d "${TMPDIR:-/tmp}/moonwatch-page-XXXXXX")
loading=
finish() {
	[[ -z $loading ]] || kill -INT "$loading" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# story tells one story in folder $1, and appends its object to $2.
story() {
	bin/moonwatch demo --once --fault kill --json --dir "$1" >>"$2" 2>"$work/log" || {
		echo "bench-page: the demo ended with $?" >&2
		tail -n 5 "$work/log" >&2
	}
}
for ((i = 1; i <= runs; i++)); do
	story "$work/calm-$i" "$work/calm.json"
	bin/pageload -dir "$work/asked-$i" -rate "$rate" >>"$work/load.json" &
	loading=$!
	story "$work/asked-$i" "$work/asked.json"
	kill -INT "$loading"
	wait "$loading" || true
	loading=
done
for what in calm asked; do
	[[ $what == calm ]] && echo "== nobody asks" || echo "== $rate requests a second are wanted"
	go -C internal/tools run ./demostat <"$work/$what.json"
done
echo "== what the pages answered meanwhile, a line for each run"
cat "$work/load.json"
