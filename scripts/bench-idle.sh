#!/usr/bin/env bash
# Measures what an agent costs when nothing happens: starts the demo's fleet of
# seven, waits until it is up, watches every agent for SECONDS_IDLE (30) seconds
# and prints a table with the promised bars. Exits with 1 if a bar is broken.
#
# Sent bytes are the agents' own counters (datagrams, streams and TLS) and their
# headers: 28 bytes with each datagram (IP and UDP), 52 with each TCP segment
# (IP, TCP and its timestamps). The kernel knows how many segments the streams
# took (ss, of iproute2); without it they are taken for 1.4 per raft frame sent
# or received, as measured once. Checks of services are not in it; they are a
# request every 2 s of three members each.
set -euo pipefail
cd "$(dirname "$0")/.."

idle=${SECONDS_IDLE:-30}
settle=${SECONDS_SETTLE:-10} # what the start has left to do, and its garbage
binary=${MOONWATCH:-bin/moonwatch}
rss_bar=40 cpu_bar=1 sent_bar=10 # MiB resident, % of a core, KB/s

[[ -r /proc/self/stat ]] || {
	echo "bench-idle: no /proc on this system" >&2
	exit 1
}
work=$(mktemp -d "${TMPDIR:-/tmp}/moonwatch-idle-XXXXXX")
demo=
finish() {
	# The demo ends what it started when it is told to; twice does no harm.
	if [[ -n $demo ]]; then
		kill -INT "$demo" 2>/dev/null || true
		wait "$demo" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

: >"$work/out"
"$binary" demo --dir "$work/d" >"$work/out" 2>"$work/err" &
demo=$!
for ((i = 0; ; i++)); do
	grep -q '^end ' "$work/out" && break
	if ! kill -0 "$demo" 2>/dev/null || ((i == 300)); then
		echo "bench-idle: the demo is not up after $((i / 10)) s" >&2
		tail -n 10 "$work/err" >&2
		exit 1
	fi
	sleep 0.1
done
sleep "$settle"
facts=$(grep -c '#' "$work/out" || true)

# sample prints, for each agent: name, CPU ticks so far, KiB resident, and so
# far: bytes sent, datagrams sent, TCP segments sent.
sample() {
	local dir name pid addr ticks rss segments
	for dir in "$work"/d/members/vm-*; do
		name=${dir##*/}
		read -r pid _ <"$dir/agent.pid"
		addr=$(sed -n 's/^debug: //p' "$dir/agent.yaml")
		# The name in field 2 may hold spaces: count from behind it.
		ticks=$(sed 's/.*) //' "/proc/$pid/stat" | awk '{print $12 + $13}')
		rss=$(awk '$1 == "VmRSS:" {print $2}' "/proc/$pid/status")
		segments=-1
		if command -v ss >/dev/null; then
			segments=$(ss -tinH "src ${addr%:*} and ( sport = :7947 or dport = :7947 )" | tr ' ' '\n' |
				awk -F: '$1 == "segs_out" {n += $2} END {print n + 0}')
		fi
		curl -fsS -m 5 "http://$addr/metrics" | awk -v head="$name $ticks $rss" -v segments="$segments" '
			/^moonwatch_gossip_sent_bytes_total/ {bytes += $2}
			/^moonwatch_link_sent_bytes_total/ {bytes += $2}
			/^moonwatch_gossip_sent_packets_total/ && !/stream/ {packets += $2}
			/^moonwatch_link_raft_frames_(sent|received)_total/ {frames += $2}
			END {printf "%s %d %d %d\n", head, bytes, packets, segments < 0 ? 1.4 * frames : segments}'
	done
}

began=$(date +%s.%N)
sample >"$work/first"
cp "$work/first" "$work/rss"
for ((i = 0; i < 5; i++)); do # the highest of several looks
	sleep "$(awk -v s="$idle" 'BEGIN {print s / 5}')"
	sample >"$work/last"
	cat "$work/last" >>"$work/rss"
done
took=$(awk -v a="$began" -v b="$(date +%s.%N)" 'BEGIN {print b - a}')
if [[ $(grep -c '#' "$work/out" || true) != "$facts" ]]; then
	echo "bench-idle: facts came while nothing should happen; the figures are not those of an idle fleet:" >&2
	grep '#' "$work/out" | tail -n +"$((facts + 1))" >&2
fi

awk -v took="$took" -v hz="$(getconf CLK_TCK)" -v rss_bar=$rss_bar -v cpu_bar=$cpu_bar -v sent_bar=$sent_bar '
	FILENAME ~ /first$/ {ticks[$1] = $2; bytes[$1] = $4; packets[$1] = $5; segments[$1] = $6; next}
	FILENAME ~ /rss$/ {if ($3 > rss[$1]) rss[$1] = $3; next}
	{
		name[++n] = $1
		mem[n] = rss[$1] / 1024
		cpu[n] = ($2 - ticks[$1]) / hz / took * 100
		sent[n] = ($4 - bytes[$1] + 28 * ($5 - packets[$1]) + 52 * ($6 - segments[$1])) / took / 1000
	}
	function worst(x, i, m) {for (i = 1; i <= n; i++) if (x[i] > m) m = x[i]; return m + 0}
	function mark(x, bar) {if (x <= bar) return "ok"; broken = 1; return "over"}
	END {
		printf "%-8s %14s %14s %14s\n", "agent", "resident MiB", "% of a core", "sent KB/s"
		for (i = 1; i <= n; i++) printf "%-8s %14.1f %14.2f %14.2f\n", name[i], mem[i], cpu[i], sent[i]
		m = worst(mem); c = worst(cpu); s = worst(sent)
		printf "%-8s %14.1f %14.2f %14.2f\n", "worst", m, c, s
		printf "%-8s %14.1f %14.2f %14.2f\n", "bar", rss_bar, cpu_bar, sent_bar
		printf "%-8s %14s %14s %14s\n", "", mark(m, rss_bar), mark(c, cpu_bar), mark(s, sent_bar)
		printf "%d agents, idle for %.0f s\n", n, took
		exit broken
	}' "$work/first" "$work/rss" "$work/last"
