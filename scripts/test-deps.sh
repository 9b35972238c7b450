#!/usr/bin/env bash
# Installs the programs that the tests on real processes want, where it may: as
# root, with apt-get. It is quiet when nothing is missing and never fails: a
# test whose program is not there skips itself and says so.
#
# A program is wanted when a test file with the build tag "real" holds its text
# in the third column. MOONWATCH_TEST_DEPS=skip leaves the machine alone.
set -euo pipefail
cd "$(dirname "$0")/.."

# program or file, Debian package, wanted by a real test that says
wants='
chromium     chromium         chromedp
/usr/share/fonts/opentype/ipafont-gothic/ipag.ttf fonts-ipafont-gothic chromedp
haproxy      haproxy          "haproxy"
nginx        nginx-light      "nginx"
/usr/lib/nginx/modules/ngx_http_lua_module.so libnginx-mod-http-lua "nginx"
wrk          wrk              "wrk"
named        bind9            "named"
ip           iproute2         "ip"
nft          nftables         "nft"
systemctl    systemd          "systemctl"
promtool     prometheus       "promtool"
prometheus-alertmanager prometheus-alertmanager "prometheus-alertmanager"
unshare      util-linux       "unshare"
curl         curl             "curl"
'

mapfile -t tests < <(grep -rlE '^//go:build .*\breal\b' --include='*.go' . || true)
((${#tests[@]} > 0)) || exit 0

# The tools of an administrator are not always on the path of a plain shell.
PATH=$PATH:/usr/sbin:/sbin
programs=() packages=()
while read -r program package text; do
	[[ -n $program ]] || continue
	grep -qF -- "$text" "${tests[@]}" || continue
	if command -v "$program" >/dev/null || [[ -e $program ]]; then continue; fi
	programs+=("$program")
	packages+=("$package")
done <<<"$wants"
((${#programs[@]} > 0)) || exit 0

leave() {
	echo "test-deps: ${programs[*]}: not installed: $1; the tests that want them skip themselves"
	exit 0
}
[[ ${MOONWATCH_TEST_DEPS-} != skip ]] || leave "MOONWATCH_TEST_DEPS is skip"
command -v apt-get >/dev/null || leave "no apt-get here"
((EUID == 0)) || leave "not root"

# The services that come with the packages must not start: the tests run their
# own, on their own ports.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
	trap 'rm -f "$policy"' EXIT
fi

echo "test-deps: installing ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
output=$(mktemp)
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}"; } \
	</dev/null >"$output" 2>&1; then
	tail -n 5 "$output"
	rm -f "$output"
	leave "apt-get did not succeed"
fi
rm -f "$output"
