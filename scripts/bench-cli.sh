#!/usr/bin/env bash
# Measures what somebody waits for at a prompt, against two promises: `status` of a fleet
# of 200 answers within 50 ms, `explain` of any fact of the last 30 days within 200 ms.
#
# Commands are whole runs of the built program, from the start of its process to its end,
# against a socket that serves a page with all that a page may hold (200 members, 100
# verdicts with 16 votes each, 500 facts). What is older than the page is explained from
# the disk: FACTS (200,000) of them, the first, the middle and the last case.
# RUNS (100) of each. Exits with 1 if a promise is broken.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${RUNS:-100} facts=${FACTS:-200000}
status_bar=50 explain_bar=200 # ms
work=$(mktemp -d "${TMPDIR:-/tmp}/moonwatch-bench-cli-XXXXXX")
trap 'rm -rf "$work"' EXIT

MOONWATCH_PROGRAM=$PWD/bin/moonwatch go test ./cmd/moonwatch -run '^$' -bench BenchmarkStatusOf200 -benchtime "${runs}x" >"$work/status"
MOONWATCH_FACTS=$facts go test ./internal/daemon -run '^$' -bench BenchmarkExplainOfThirtyDays -benchtime "${runs}x" >"$work/explain"

awk -v status_bar=$status_bar -v explain_bar=$explain_bar -v facts="$facts" '
function row(what, p50, p99, bar) {
	ok = p50 <= bar ? "kept" : "BROKEN"
	if (ok == "BROKEN") bad = 1
	printf "%-52s %9.1f %9s %9d  %s\n", what, p50, p99, bar, ok
}
BEGIN { printf "%-52s %9s %9s %9s\n", "", "p50 ms", "p99 ms", "want ms" }
/^BenchmarkStatusOf200\// {
	split($1, name, "/"); sub(/-[0-9]+$/, "", name[2]); gsub(/_/, " ", name[2])
	for (i = 3; i < NF; i++) { if ($(i + 1) == "p50-ms") p50 = $i; if ($(i + 1) == "p99-ms") p99 = $i }
	row("moonwatch " name[2], p50, sprintf("%.1f", p99), name[2] ~ /^explain/ ? explain_bar : status_bar)
	n++
}
/^BenchmarkExplainOfThirtyDays\// {
	split($1, name, "/"); sub(/-[0-9]+$/, "", name[2])
	row("explain " name[2] " of " facts " facts, in the agent (mean)", $3 / 1e6, "", explain_bar)
	n++
}
END { if (n != 7) { print "bench-cli: " n " of 7 rows were measured" > "/dev/stderr"; exit 1 }; exit bad }
' "$work/status" "$work/explain"
