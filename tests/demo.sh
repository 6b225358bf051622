#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What iophase says of four servers under a small load, and how to read it.

set -eu
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1

python=/usr/bin/python3
servers=tests/servers
seconds=3	# watched; the load fits into it with time to spare on both sides
load_seconds=2
timed_out=124	# status of timeout(1)

# The farm starts the servers, runs this script again with their ports and pids, and ends them.
if [ -z "${ECHO_PID-}" ]; then
	exec $python $servers/farm.py echo chat:selector=select redis nginx -- "$0"
fi

work=$(mktemp -d)
pids=()

# To its end: on Ctrl-C the farm signals as well, a moment after the terminal.
clean_up() {
	trap '' INT TERM HUP
	if [ ${#pids[@]} -gt 0 ]; then
		kill "${pids[@]}" 2>/dev/null || true
		wait "${pids[@]}" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

await_watching() { # PID NOTES
	while kill -0 "$1" 2>/dev/null; do
		grep -q '^iophase: watching' "$2" && return
		sleep 0.05
	done
	cat "$2" >&2
	exit 1
}

# Two at once see the same calls: one prints the table, the other the figures for the words.
show() { # NAME PID TITLE LOAD...
	local name=$1 pid=$2 title=$3
	shift 3
	${IOPHASE:-./iophase} -d $seconds -p "$pid" >"$work/table" 2>"$work/notes" &
	pids=($!)
	${IOPHASE:-./iophase} -d $seconds -p "$pid" -j -o "$work/report" >"$work/json-notes" 2>&1 &
	pids+=($!)
	await_watching "${pids[0]}" "$work/notes"
	await_watching "${pids[1]}" "$work/json-notes"
	# In the background too: bash runs no trap while it waits for a command in the foreground.
	"$@" >"$work/load" 2>&1 &
	pids+=($!)
	wait $! || [ $? = $timed_out ] || { cat "$work/load" >&2; exit 1; }
	wait "${pids[@]:0:2}"
	pids=()

	printf '\n=== %s\n\n' "$title"
	cat "$work/table"
	echo
	$python $servers/reading.py "$name" "$work/report"
}

# Each load runs in a subshell of its own, and becomes its only process.

say() { # KIND PORT CONNECTIONS THINK_MS [OPTION]
	exec $python $servers/load.py "$1" --port "$2" --connections "$3" --think-ms "$4" \
		--seconds $load_seconds "${@:5}"
}

# Without an end of its own: the clock ends it.
benchmark_redis() {
	exec timeout $load_seconds redis-benchmark -p "$REDIS_PORT" -q -l -c 20 -t get
}

show echo "$ECHO_PID" "echo server (Python, epoll): 20 clients that speak in turn, and pause" \
	say echo "$ECHO_PORT" 20 10
show chat "$CHAT_PID" "chat server (Python, select): 20 clients that all speak at once, and pause" \
	say chat "$CHAT_PORT" 20 10 --burst
show redis "$REDIS_PID" "Redis: 20 clients that never pause" benchmark_redis
show nginx "$NGINX_PID" "nginx, one worker: 20 clients that never pause" \
	wrk -t 1 -c 20 -d $load_seconds "http://127.0.0.1:$NGINX_PORT/page"
