#!/usr/bin/env bash
# Loses the occupant of an exclusive slot RUNS times in each of the ways in FAULTS, each
# time in a new cluster of real processes, SIDE of them side by side: most of a run is
# waiting. A frozen member stands still for 60 s. Prints a line for each run and at the
# end how soon the slot was served again, and what a witness to which both occupants
# write has seen. The measurements stay in bin/bench-leases.json, and the logs of runs that
# failed or whose slot was served again later than is promised in bin/bench-leases.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${RUNS:-100}
faults=${FAULTS:-isolate kill-agent freeze freeze-leader}
side=${SIDE:-4}
results=$PWD/bin/bench-leases.json
logs=$PWD/bin/bench-leases
mkdir -p "$logs"
rm -f "$results" "$logs"/*.log
go build -o bin/moonwatch ./cmd/moonwatch
go test -tags real -c -o bin/demo.test ./internal/demo

# one FAULT NUMBER plays one run.
one() {
	local lost=60s promised=15000 log=$logs/$1-$2.log seen
	case $1 in
	isolate | kill-agent) lost=20s ;; # nothing more happens once it is served
	freeze-leader) promised=18000 ;;
	esac
	if MOONWATCH_EXE=$PWD/bin/moonwatch MOONWATCH_RESULTS=$results MOONWATCH_LOST=$lost \
		bin/demo.test -test.v -test.run "^TestAnExclusiveSlotIsNeverServedTwice\$/^$1-1\$" >"$log" 2>&1; then
		seen=$(sed -n 's/^ *[0-9.]* s *\(the witness: .*\)/\1/p' "$log")
		if [[ $seen =~ after\ ([0-9]+)\ ms ]] && ((BASH_REMATCH[1] <= promised)); then
			rm -f "$log"
		else
			seen+="; LATE, see $log"
		fi
		echo "$1, run $2: $seen"
	else
		echo "$1, run $2: FAILED, see $log"
	fi
}
export -f one
export results logs

before=$(cut -d' ' -f1-3 /proc/loadavg)
for ((i = 1; i <= runs; i++)); do
	for fault in $faults; do echo "$fault $i"; done
done | xargs -P "$side" -L 1 bash -c 'one "$@"' one
echo "load $before before, $(cut -d' ' -f1-3 /proc/loadavg) after"
go -C internal/tools run ./demostat <"$results"
