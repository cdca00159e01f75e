#!/bin/bash
# hostport.sh - --host-port: ports of the host's own loopback, and nothing else of it.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
if [ -n "$WITH" ]; then
	skip all "says nothing about $WITH"
	done_testing
fi

socat TCP4-LISTEN:7701,bind=127.0.0.1,fork,reuseaddr EXEC:cat >/dev/null 2>&1 &
socat 'TCP6-LISTEN:7701,bind=[::1],fork,reuseaddr' EXEC:cat >/dev/null 2>&1 &
socat TCP4-LISTEN:7702,bind=127.0.0.1,fork,reuseaddr EXEC:cat >/dev/null 2>&1 &
socat UDP4-RECVFROM:7701,bind=127.0.0.1,fork EXEC:cat >/dev/null 2>&1 &
must until_true 10 listening 127.0.0.1 7701
must until_true 10 listening ::1 7701
must until_true 10 listening 127.0.0.1 7702

# shellcheck disable=SC2016
ECHO='exec 3<>/dev/tcp/$0/$1 && echo hi >&3 && read -r line <&3 && echo "$line"'
echoes() {	# ADDRESS PORT OPTION ...
	local at=$1 port=$2
	shift 2
	same "$at $port with $*" "$(cf "$@" -- bash -c "$ECHO" "$at" "$port" 2>err)" hi
}
refused() {	# ADDRESS PORT OPTION ...
	local at=$1 port=$2
	shift 2
	same "$at $port with $*" "$(cf "$@" -- bash -c "$ECHO" "$at" "$port" 2>err || :)" ""
}

it echoes 192.0.0.3 7701 --host-port 7701
it echoes 2001:2:0:cf::3 7701 --host-port 1-9,7700-7701
it echoes 192.0.0.3 7701 --host-port 7701 --tcp-path tun
it echoes 192.0.0.3 7701 --host-port 7701 --allow 192.0.2.1
it echoes 192.0.0.3 7701 --host-port 7701 --block-private --default-policy deny
it echoes 192.0.0.3 7701 --host-port 9 --host-port 7701 --deny 203.0.113.10

udp_too() {
	cf --host-port 7701 -- /usr/bin/python3 "$T/probe.py" udp_echo 192.0.0.3 7701 1 1000
}
it udp_too

it refused 192.0.0.3 7701
it refused 192.0.0.3 7702 --host-port 7701
it refused 192.0.0.3 7701 --host-port 7701 --offline
it refused 192.0.0.3 7701 --host-port 7701 --deny '*:7701'
it refused 127.0.0.1 7701 --host-port 7701
it refused ::1 7701 --host-port 7701

only_these_addresses_lead_there() {
	local at
	for at in ::ffff:127.0.0.1 64:ff9b::127.0.0.1 192.0.0.4 2001:2:0:cf::4 ::127.0.0.1; do
		refused "$at" 7701 --host-port 7701
	done
	! cf --host-port 7701 -- ping -c 1 -W 1 192.0.0.3
}
it only_these_addresses_lead_there

the_way_there_is_told() {
	refused 192.0.0.3 7702 --host-port 7701
	like closed "$(cat err)" "this port of the host's loopback is not open; --host-port opens"
	refused 64:ff9b::127.0.0.1 7701
	like hint "$(cat err)" '--host-port 7701 opens this port of the host at 2001:2:0:cf::3'
	like dry "$(cf --host-port 7701,80-90 --dry-run)" "loopback, at 192.0.0.3 and [^ ]*: 7701-7701, 80-90"
	like sum "$(cf --host-port 7701,80-90 --summary -- true 2>&1)" 'host-port=7701, host-port=80-90'
}
it the_way_there_is_told

what_is_no_port_is_told() {
	local bad
	for bad in '' 0 65536 a 1- 9-1 '1,' '1 2' -1 1-65536 99999999999999999999; do
		status 125 cf --host-port "$bad" -- true
	done
}
it what_is_no_port_is_told

done_testing
