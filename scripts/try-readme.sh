#!/usr/bin/env bash
# Tries the commands of README's "A cluster of your own", word by word, on four
# machines: network namespaces behind a bridge, each with an empty /etc/moonwatch
# and an nginx of its own. One of them loses everything, and the spare has to take
# its slot; it comes back under another address, is retired and forgotten.
#
#   scripts/try-readme.sh MOONWATCH     # the program; root, nginx, iproute2, util-linux
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
	for p in ip unshare setsid nginx curl; do command -v $p >/dev/null || skip "no $p here"; done
	unshare --mount --net --pid --fork --kill-child true 2>/dev/null || skip "no namespaces here"
	exec unshare --mount --net --pid --fork --kill-child --mount-proc \
		"$(command -v bash)" "$0" --inside "$(realpath "${1:-bin/moonwatch}")" "$readme"
fi

program=$2 readme=$3
fail() {
	echo "try-readme: $1" >&2
	for what in status members failovers; do ask $what >&2 || true; done
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
ip addr add 10.0.0.100/24 dev bridge0 # a client
for n in 1 2 3 4; do
	mkdir -p /run/try/$n/{etc,run,log,lib}
	ip netns add m$n
	ip link add port$n type veth peer name eth0 netns m$n
	ip link set port$n master bridge0 up
	ip -n m$n addr add 10.0.0.$n/24 dev eth0
	ip -n m$n link set eth0 up
	ip -n m$n link set lo up
done

mount --bind /run/try /mnt # for scp, which runs on a machine and sees its own /run alone

# on N runs standard input on machine N, in its own /etc/moonwatch.
on() {
	ip netns exec "m$1" unshare --mount bash -euo pipefail -c "
		mount --bind /run/try/$1/etc /etc/moonwatch
		mount --bind /run/try/$1/log /var/log/nginx
		mount --bind /run/try/$1/lib /var/lib/nginx
		mount --bind /run/try/$1/run /run
		cd /etc/moonwatch; . /dev/stdin"
}

# No systemd runs on these machines: what its unit of nginx does, without it.
cat >/usr/local/bin/systemctl <<'S'
#!/bin/sh
running() { read -r pid </run/nginx.pid && kill -0 "$pid"; } 2>/dev/null
[ "$2" = nginx ] || exit 5
case $1 in
start) running || nginx ;;
stop)
	running || exit 0
	kill -QUIT "$pid"
	n=0
	while running && [ $((n += 1)) -le 50 ]; do sleep 0.1; done
	;;
restart) "$0" stop nginx && "$0" start nginx ;;
esac
S
scp() { # -r SOURCE... 10.0.0.N:/etc/moonwatch
	local to=${!#}
	cp -r "${@:2:$#-2}" "/mnt/${to:7:1}/etc"
}
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
four_unlisted() { [[ $(ask members | grep -c 'not in fleet.yaml') == 4 ]]; }
welcomes() { curl -sf --max-time 5 "http://10.0.0.$1:8080/" | grep -q 'Welcome to nginx'; }
# member NAME PATTERN looks for a line of the members.
member() { ask members -o wide | grep -Eq "^$1 .*$2"; }
agent() { # N starts the agent of machine N
	block 2 | on "$1" 2>>"/run/try/$1/agent.log" &
}
# Nobody sits at this terminal, so nobody is asked: apply, retire and forget get --yes.
unasked() { sed -E 's/^(moonwatch (apply|members (retire|forget)) [^ ]+)/\1 --yes/'; }
run() { echo "== $1"; echo "$1" | unasked | on "${2:-1}"; }
line() { block "$1" | sed -n "$2p"; } # of a block

block 1 | on 1 >/run/try/init.txt || fail "init and cert issue"
for n in 1 2 3 4; do agent $n; done
wait_for 60 "four agents that are in no fleet" four_unlisted
block 3 >/run/try/1/etc/fleet.yaml
run "$(line 4 1)"
wait_for 60 "apply" eval "line 4 2 | unasked | on 1"
wait_for 60 "three slots serve" all_serve
run "$(line 4 3)"
wait_for 30 "the gateway answers" welcomes 4
run "$(line 4 4)" 2>/dev/null | grep title

echo "== kill -9 of everything on web-3 (10.0.0.3)"
ip netns pids m3 | xargs kill -9
wait_for 60 "web-4 takes the slot of web-3" serves web-2 web-4
for n in 1 2 4; do wait_for 30 "the gateway of web-$n answers" welcomes $n; done
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

echo "== web-3 comes back as 10.0.0.13"
ip -n m3 addr del 10.0.0.3/24 dev eth0
ip -n m3 addr add 10.0.0.13/24 dev eth0
run "$(line 5 1)" 3
agent 3
wait_for 60 "web-3 is seen at its new address" member web-3 10.0.0.13:7946
wait_for 180 "web-3 is no longer down" member web-3 'alive .*10.0.0.13:7946'
ask members -o wide

run "$(line 6 1)"
wait_for 30 "web-3 is unlisted" member web-3 '10.0.0.13:7946 +retired'
ip netns pids m3 | xargs -r kill -9
wait_for 180 "its agent is gone" member web-3 'agent is gone'
ask members
run "$(line 6 2)"
if member web-3 .; then fail "web-3 is still known"; fi
ask members
for n in 1 2 4; do wait_for 30 "the gateway of web-$n answers" welcomes $n; done
echo "try-readme: as README says, in $SECONDS s"
