#!/usr/bin/env bash
# Runs the demo RUNS times with each fault in FAULTS, on real processes, and
# prints how long it took to see, to drain and to serve again. The runs follow
# each other: two at once would measure each other. The objects that the runs
# printed are kept beside the binary.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${RUNS:-30}
faults=${FAULTS:-kill}
results=bin/bench-demo.json
: >"$results"
for fault in $faults; do
	for ((i = 1; i <= runs; i++)); do
		status=0
		bin/moonwatch demo --once --fault "$fault" --json >>"$results" 2>bin/bench-demo.log || status=$?
		if ((status != 0)); then
			echo "bench-demo: $fault, run $i: exit $status" >&2
			tail -n 5 bin/bench-demo.log >&2
		fi
	done
done
go -C internal/tools run ./demostat <"$results"
