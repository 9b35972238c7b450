# What the three actions of a member share. $here is the member's folder.
. "$here/service.env" # exe, listen, takes
pidfile=$here/service.pid

# running reads who the pid file names, and fails if that process is gone: a
# process id alone may belong to somebody else by now.
running() {
	pid='' start='' boot='' slot='' epoch=''
	[ -r "$pidfile" ] || return 1
	read -r pid start boot slot epoch <"$pidfile" || return 1
	stat=$(cat "/proc/$pid/stat" 2>/dev/null) || return 1
	set -- ${stat##*) }
	[ "$1" != Z ] && [ "${20}" = "$start" ]
}

# refuse_older exits 3 if the service belongs to a newer slot epoch.
refuse_older() {
	if running && [ "$MOONWATCH_SLOT_EPOCH" -lt "$epoch" ]; then
		echo "slot epoch $MOONWATCH_SLOT_EPOCH is older than $epoch, which runs"
		exit 3
	fi
}

# rehearse ends here if the caller only wants to hear what would be done.
rehearse() {
	if [ "$MOONWATCH_DRY_RUN" = true ]; then
		echo "would $1 $MOONWATCH_SLOT on $MOONWATCH_MEMBER"
		exit 0
	fi
}

# end asks the service to stop, insists after 1 s, and gives up after 3 s.
end() {
	tries=0
	while running; do
		case $tries in
		0) kill -TERM "$pid" 2>/dev/null || true ;;
		20) kill -KILL "$pid" 2>/dev/null || true ;;
		60) echo "process $pid does not end" && exit 75 ;;
		esac
		tries=$((tries + 1))
		sleep 0.05
	done
}

# begin starts the service in a session of its own, with no descriptor of ours,
# so that it outlives action and agent. The service writes its pid file when it
# listens.
begin() {
	[ "$takes" = 0.0 ] || sleep "$takes" # a service that is slow to start, in stories that need one
	setsid "$exe" demo-service --listen "$listen" --member "$MOONWATCH_MEMBER" \
		--slot "$MOONWATCH_SLOT" --epoch "$MOONWATCH_SLOT_EPOCH" --pid-file "$pidfile" \
		</dev/null >>"$here/service.log" 2>&1 &
	started=$!
	until running && [ "$pid" = "$started" ]; do
		if ! kill -0 "$started" 2>/dev/null; then
			tail -n 1 "$here/service.log"
			exit 1
		fi
		sleep 0.02
	done
}
