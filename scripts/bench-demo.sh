#!/usr/bin/env bash
# Runs the demo RUNS times with each fault in FAULTS and each timing profile in
# PROFILES, on real processes, and prints how long it took to see, to drain and to
# serve again, and how loaded the machine was. The runs follow each other: two at once
# would measure each other. The objects that the runs printed are kept beside the
# binary, a file per profile.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${RUNS:-30}
faults=${FAULTS:-kill}
for profile in ${PROFILES:-demo fast}; do
	results=bin/bench-demo-$profile.json
	: >"$results"
	before=$(cut -d' ' -f1-3 /proc/loadavg)
	for fault in $faults; do
		for ((i = 1; i <= runs; i++)); do
			status=0
			bin/moonwatch demo --once --fault "$fault" --profile "$profile" --json >>"$results" 2>bin/bench-demo.log || status=$?
			if ((status != 0)); then
				echo "bench-demo: profile $profile, $fault, run $i: exit $status" >&2
				tail -n 5 bin/bench-demo.log >&2
			fi
		done
	done
	echo "profile $profile (load $before before, $(cut -d' ' -f1-3 /proc/loadavg) after)"
	go -C internal/tools run ./demostat <"$results"
done
