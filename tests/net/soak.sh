#!/bin/bash
# soak.sh - under a load that stays the same nothing grows: memory, descriptors, threads, flows.
#
# SOAK_SECONDS (35) is how long, SOAK_RATE (8) how many rounds of soak.py a second.  "make soak" is
# an hour.  What is bounded by its options, and has to be full before it stays the same, is
# small here: the caches of cf-dns, the captures in turns.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
only_cf
# Who calls makes no difference to what grows.
[ "$PASS" = user ] || done_testing
SOAK_SECONDS=${SOAK_SECONDS:-35}
LIMIT=$((SOAK_SECONDS + 500))
CASE_LIMIT=$((SOAK_SECONDS + 550))

must sv ip addr add 203.0.113.30/32 dev lo
microsocks -i 127.0.0.1 -p 1080 >>"$T/servers.log" 2>&1 </dev/null &
must until_true 10 listening 127.0.0.1 1080
head -c 1000000 /dev/urandom >"$T/www/bulk"

# New rules of the same meaning, again and again.
reloads() {	# PID
	while [ ! -e idle ]; do
		sleep 3
		kill -HUP "$1" 2>/dev/null || return 0
	done
}

nothing_grows() {
	local spawn load
	printf '%s\n' .example.test 203.0.113.10 203.0.113.20 >rules
	as_caller mkfifo log
	exec 5<>log	# so that it can be opened
	cf --allow-file rules --quota '*=1000GB' --flow-log log --flow-updates 5 --summary \
	    -c packets.pcapng --capture-rotate 10MB --capture-keep 2 --snaplen 200 \
	    --dns-cache 100 -d 203.0.113.53 --dns-direct -p socks5://127.0.0.1:1080 \
	    --no-proxy 203.0.113.20,203.0.113.30 --udp-direct --icmp-direct --status-fd 7 -- \
	    /usr/bin/python3 "$T/soak.py" load "$SOAK_SECONDS" "${SOAK_RATE:-8}" \
	    7>status >out 2>err &
	load=$!
	until_true 20 grep -q started status || failed "$(cat err)"
	spawn=$(pids cf-spawn)
	exec 5<log
	reloads "$spawn" &
	/usr/bin/python3 "$T/soak.py" watch "$spawn" "$SOAK_SECONDS" <&5 >table || {
		cat table
		failed "$(grep -v ^tcp err | tail -n 5)"
	}
	wait "$load" || failed "the load failed: $(tail -n 5 err)"
	like rounds "$(cat out)" ' rounds'
	like rules "$(tail -n 2 status)" '"generation":[0-9]'
	sed "s/^/note /" table >&8
	cp table "$T/table"
}
it nothing_grows
[ ! -e "$T/table" ] || sed "s/^/# /" "$T/table"
done_testing
