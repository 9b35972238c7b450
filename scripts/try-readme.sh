#!/usr/bin/env bash
# Tries the commands of README's "A cluster of your own", word by word, on four
# machines: network namespaces behind a bridge, each with an /etc/moonwatch of
# its own. One of them loses everything, and the spare has to take its slot.
#
#   scripts/try-readme.sh MOONWATCH     # the program; root, iproute2, util-linux
#
# All of it lives in mount and process namespaces of its own, so nothing stays
# behind, however it ends. Exit codes: 0 it went as README says, 1 it did not,
# 77 this machine does not let it be tried.
set -euo pipefail

if [[ ${1-} != --inside ]]; then
	readme=$(cd "$(dirname "$0")/.." && pwd)/README.md
	skip() { echo "try-readme: not tried: $1"; exit 77; }
	PATH=$PATH:/usr/sbin:/sbin
	((EUID == 0)) || skip "not root"
	for p in ip unshare setsid; do command -v $p >/dev/null || skip "no $p here"; done
	unshare --mount --net --pid --fork --kill-child true 2>/dev/null || skip "no namespaces here"
	exec unshare --mount --net --pid --fork --kill-child --mount-proc \
		"$(command -v bash)" "$0" --inside "$(realpath "${1:-bin/moonwatch}")" "$readme"
fi

program=$2 readme=$3
fail() {
	echo "try-readme: $1" >&2
	ask status >&2 || true
	tail -n 8 /run/try/*/agent.log >&2 || true
	exit 1
}

mount -t tmpfs try /run
mkdir -p /run/try /run/{etc,usr}/{upper,work} /run/netns
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work overlay /etc 2>/dev/null ||
	{ echo "try-readme: not tried: no overlay file system here"; exit 77; }
mkdir -p /etc/moonwatch
mount -t overlay -o lowerdir=/usr/local/bin,upperdir=/run/usr/upper,workdir=/run/usr/work overlay /usr/local/bin
cp "$program" /usr/local/bin/moonwatch
export PATH=/usr/local/bin:$PATH

# Four machines, 10.0.0.1 to .4, behind one bridge.
ip link add bridge0 type bridge
ip link set bridge0 up
for n in 1 2 3 4; do
	mkdir -p /run/try/$n
	ip netns add m$n
	ip link add port$n type veth peer name eth0 netns m$n
	ip link set port$n master bridge0 up
	ip -n m$n addr add 10.0.0.$n/24 dev eth0
	ip -n m$n link set eth0 up
	ip -n m$n link set lo up
done

# on N runs standard input on machine N, with its own /etc/moonwatch.
on() {
	ip netns exec "m$1" unshare --mount bash -euo pipefail -c \
		"mount --bind /run/try/$1 /etc/moonwatch; cd /etc/moonwatch; . /dev/stdin"
}

# The service, as a stand-in for systemd's.
cat >/usr/local/bin/systemctl <<'S'
#!/bin/sh
case $1 in
start)
	setsid moonwatch demo-service --listen :8080 --slot "$MOONWATCH_SLOT" --pid-file /etc/moonwatch/service.pid \
		</dev/null >/dev/null 2>&1 &
	;;
stop) read -r pid _ </etc/moonwatch/service.pid && kill "$pid" ;;
restart) "$0" stop; "$0" start ;;
esac
S
scp() { cp -r "$2" "/run/try/${3:7:1}"; } # -r FOLDER/. 10.0.0.N:/etc/moonwatch
export -f scp
chmod +x /usr/local/bin/systemctl


# block N is the Nth block of commands or text under README's heading.
block() {
	awk -v n="$1" '/^## A cluster of your own/ {here = 1; next} /^## / {here = 0}
		here && /^```/ {fence++; next} here && fence == 2 * n - 1' "$readme"
}

# wait_for SECONDS WHAT COMMAND... tries until the command succeeds.
wait_for() {
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || fail "$what: not within its time"
		sleep 0.2
	done
}
ask() { echo "moonwatch $*" | on 1; }
serves() { ask slots | grep -Eq "^$1 .* serving +$2 "; }
all_serve() { serves web-0 .+ && serves web-1 .+ && serves web-2 .+ && ask status; }

block 1 | on 1 >/run/try/init.txt || fail "init and cert issue"
for n in 1 2 3 4; do
	block 2 | on $n 2>/run/try/$n/agent.log &
done
wait_for 10 "an agent answers" ask members
block 3 >/run/try/1/fleet.yaml
# Nobody sits at this terminal, so nobody is asked.
wait_for 20 "apply" eval "block 4 | sed -n 's/^moonwatch apply .*/& --yes/p' | on 1"
wait_for 20 "three slots serve" all_serve
block 4 | sed 1d | on 1

echo "== kill -9 of everything on web-3 (10.0.0.3)"
ip netns pids m3 | xargs kill -9
wait_for 50 "web-4 takes the slot of web-3" serves web-2 web-4
for what in members slots verdicts failovers; do
	echo "== moonwatch $what"
	ask $what
done
verdict=$(ask verdicts | awk '/ web-3 +down/ {print $1}')
[[ -n $verdict ]] || fail "no verdict about web-3"
echo "== moonwatch explain $verdict"
ask explain "$verdict"
echo "== moonwatch status"
ask status && fail "status ends with 0 while web-3 is lost"
[[ $(ask failovers | grep -c '^C-') == 1 ]] || fail "not one case"
echo "try-readme: as README says, in $SECONDS s"
