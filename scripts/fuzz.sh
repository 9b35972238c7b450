#!/usr/bin/env bash
# Runs every fuzz target of the repository, one after the other, each for
# FUZZTIME (30s). An input that fails is written into the package's testdata and
# from then on is part of its tests.
set -euo pipefail
cd "$(dirname "$0")/.."

found=0
while IFS=: read -r file target; do
	found=$((found + 1))
	echo "fuzz: $target in $(dirname "$file")"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" "./$(dirname "$file")"
done < <(grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . |
	sed -E 's|^\./([^:]+):[0-9]+:func |\1:|' | sort)
echo "fuzz: $found targets"
