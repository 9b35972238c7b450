#!/usr/bin/env bash
# Makes the Debian package of this checkout: deb.sh [FOLDER] (bin). Completion scripts
# and man pages are what the program says of itself.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-bin}
mkdir -p "$out"
BUILT=$(mktemp -d)
trap 'rm -rf "$BUILT"' EXIT
ARCH=$(go env GOARCH)
CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$BUILT/moonwatch" ./cmd/moonwatch
VERSION=$("$BUILT/moonwatch" version | awk '{sub(",", "", $2); print $2}')
# The same commit makes the same pages.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s)
export BUILT ARCH VERSION SOURCE_DATE_EPOCH
for shell in bash zsh fish; do "$BUILT/moonwatch" completion $shell >"$BUILT/completion.$shell"; done
"$BUILT/moonwatch" man "$BUILT/man1"
gzip -9n "$BUILT"/man1/*
go -C internal/tools/debpackage build -o "$BUILT/debpackage" .
"$BUILT/debpackage" internal/tools/debpackage/nfpm.yaml "$out/moonwatch_${VERSION}_$ARCH.deb"
echo "$out/moonwatch_${VERSION}_$ARCH.deb"
