#!/bin/bash
# kill.sh - SIGKILL of any of our processes at any moment leaves nothing on the host, and never
# an open network.
# alone: it looks at what is left on the host.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
[ -z "$WITH" ] || done_testing

# begin OPTION ... -- COMMAND ...: cf-spawn in the background; PID is cf-spawn itself.
begin() {
	local become=
	[ "$PASS" = root ] || become=$BECOME_USER
	cf_words
	# shellcheck disable=SC2086
	HOME=$T/home TMPDIR=$T/tmp exec -- $become "${CF_WORDS[@]}" "$@" 2>"$T/err" >"$T/out" &
	PID=$!
}
# A command that says which process it is and waits; COMMAND is its pid.
begin_waiting() {	# OPTION ...
	# shellcheck disable=SC2016
	begin "$@" -- sh -c 'echo $$ >pid; exec sleep 100'
	until_true 10 test -s pid
	COMMAND=$(cat pid)
}
end_of() {	# PID: its status, in STATUS
	STATUS=0
	wait "$1" || STATUS=$?
}
one_line_of() {	# PATTERN
	like stderr "$(cat "$T/err")" "^cf-spawn: .*$1"
	same "lines of: $(cat "$T/err")" "$(wc -l <"$T/err")" 1
}
# The helper of this name; for cf-proxy, policy or dialler.
helper() {
	local pid
	case $1 in
	policy)  for pid in $(pids cf-proxy); do if grep -qz -e --policy "/proc/$pid/cmdline"; then echo "$pid"; fi; done ;;
	dialler) for pid in $(pids cf-proxy); do if ! grep -qz -e --policy "/proc/$pid/cmdline"; then echo "$pid"; fi; done ;;
	*)       pids "$1" ;;
	esac
}
have_helper() { [ -n "$(helper "$1")" ]; }

# What is left of the tree may live on, but without a network.
tree_is_cut_off() {	# COMMAND-NAME
	local pid
	for pid in $(pids "$1"); do
		[ "$pid" != "$SERVER" ] || continue
		gone "$pid" || until_true 5 no_tun "$pid" || gone "$pid" || failed "$1 still has a network"
		kill -9 "$pid" 2>/dev/null || :
	done
	until_true 5 eval '[ -z "$(pids cf-spawn)" ]' || failed "a cf-spawn is left"
}

# Does this process still have a way out?  Asked in its own network namespace.
no_network() {	# PID
	! nsenter -t "$1" -n -- timeout 3 bash -c ': </dev/tcp/203.0.113.10/80'
}
no_tun() {	# PID: its namespace has lost the interface
	! nsenter -t "$1" -n -- ip link show tun0 >/dev/null 2>&1
}

BEFORE=$(host_state)
host_is_as_before() {
	until_true 5 no_helper || failed "left: $(ps -o pid,args -p "$(helpers | tr '\n' ',')0")"
	rm -f "$T"/home/*
	same "the host" "$(diff <(echo "$BEFORE") <(host_state))" ""
}

killing_cf_spawn_leaves_nothing() {
	begin_waiting
	kill -9 "$PID"
	end_of "$PID"
	same status "$STATUS" 137
	until_true 5 no_helper
	# The command itself may live on, without a network.
	if ! gone "$COMMAND"; then
		until_true 5 no_tun "$COMMAND"
		no_network "$COMMAND"
		kill -9 "$COMMAND"
	fi
	until_true 5 gone "$COMMAND"
	host_is_as_before
}
it killing_cf_spawn_leaves_nothing

killing_cf_spawn_during_a_download() {
	truncate -s 4G "$T/www/endless"
	begin -- sh -c 'echo go >pid; exec curl -sS http://203.0.113.10/endless -o /dev/null'
	until_true 10 test -s pid
	until_true 10 eval 'ss -Htn dst 203.0.113.10 | grep -q .'
	kill -9 "$PID"
	end_of "$PID"
	until_true 5 no_helper
	tree_is_cut_off curl
	host_is_as_before
}
it killing_cf_spawn_during_a_download

# As soon as each helper shows, before it can have said HELLO.
killing_cf_spawn_while_it_starts() {
	local name i
	for name in cf-netstack cf-dns policy dialler; do
		for i in 1 2 3; do
			begin -- sleep 100
			until_true 10 have_helper "$name"
			kill -9 "$PID"
			end_of "$PID"
			until_true 5 no_helper
		done
	done
	tree_is_cut_off sleep
	host_is_as_before
}
it killing_cf_spawn_while_it_starts

# Every few milliseconds of a whole short run: the start, the command, the end.
killing_cf_spawn_at_any_moment() {
	local ms
	for ms in {0..60..2}; do
		begin -- curl -sS http://203.0.113.10/hello
		sleep "0.0$(printf %02d "$ms")"
		kill -9 "$PID" 2>/dev/null || :
		end_of "$PID"
		case $STATUS in
		0 | 137) ;;
		*) failed "status $STATUS after $ms ms: $(cat "$T/err")" ;;
		esac
		until_true 5 no_helper || failed "after $ms ms: a helper is left"
	done
	tree_is_cut_off curl
	host_is_as_before
}
it killing_cf_spawn_at_any_moment

# Others than KILL and STOP do not reach it: it is the first process of a PID namespace.
a_killed_helper_is_told_by_status_fd() {
	begin_waiting --status-fd 7 7>story
	kill -9 "$(helper cf-dns)"
	end_of "$PID"
	same status "$STATUS" 125
	same reason "$(jq -r 'select(.event == "exit") | "\(.code) \(.reason)"' story)" "125 helper"
	like detail "$(jq -r 'select(.event == "exit") | .detail' story)" cf-dns
}
it a_killed_helper_is_told_by_status_fd

a_helper_killed_while_starting_is_a_refusal() {	# WHICH
	local i
	for i in 1 2 3 4 5; do
		begin -- sh -c 'sleep 1; touch ended'
		until_true 10 have_helper "$1"
		kill -9 "$(helper "$1")"
		end_of "$PID"
		same status "$STATUS" 125
		one_line_of .
		until_true 5 nothing_runs
	done
	[ ! -e ended ] || failed "the command went on"
}
it a_helper_killed_while_starting_is_a_refusal cf-netstack
it a_helper_killed_while_starting_is_a_refusal cf-dns
it a_helper_killed_while_starting_is_a_refusal policy
it a_helper_killed_while_starting_is_a_refusal dialler

# In the last moments the command's own status may be out already; nothing else may.
a_helper_killed_at_the_end_leaves_nothing() {	# WHICH
	local i pid
	as_caller mkfifo fifo
	for i in {1..10}; do
		begin -- sh -c 'echo go >pid; read x <fifo'
		until_true 10 test -s pid
		pid=$(helper "$1")
		echo >fifo
		sleep "0.00$((i - 1))"
		kill -9 "$pid" 2>/dev/null || :
		end_of "$PID"
		case $STATUS in
		0) same stderr "$(cat "$T/err")" "" ;;
		125) one_line_of . ;;
		*) failed "status $STATUS: $(cat "$T/err")" ;;
		esac
		until_true 5 nothing_runs
		rm -f pid
	done
}
it a_helper_killed_at_the_end_leaves_nothing cf-netstack
it a_helper_killed_at_the_end_leaves_nothing cf-dns
it a_helper_killed_at_the_end_leaves_nothing policy
it a_helper_killed_at_the_end_leaves_nothing dialler

killing_the_command_is_137() {
	begin_waiting
	kill -9 "$COMMAND"
	end_of "$PID"
	same status "$STATUS" 137
	same stderr "$(cat "$T/err")" ""
	host_is_as_before
}
it killing_the_command_is_137

a_helper_cannot_be_read_by_the_tree() {
	begin_waiting
	local pid
	for pid in $(helpers); do
		! as_caller nsenter --preserve-credentials -t "$COMMAND" -U -- cat "/proc/$pid/environ" 2>/dev/null ||
		    [ ! -s "/proc/$pid/environ" ]
		like "limits of $pid" "$(cat "/proc/$pid/limits")" 'Max core file size +0 '
		same "capabilities of $pid" "$(grep -c '^Cap[IPEA][a-z]*:.0000000000000000' "/proc/$pid/status")" 4
		like "seccomp of $pid" "$(cat "/proc/$pid/status")" 'Seccomp:.2'
		like "privileges of $pid" "$(cat "/proc/$pid/status")" 'NoNewPrivs:.1'
		[ "$(stat -c %u "/proc/$pid/maps")" = 0 ] || failed "$pid is dumpable"
	done
	kill "$PID"
	end_of "$PID"
}
it a_helper_cannot_be_read_by_the_tree

# All but the dialler see an empty network.
helpers_see_no_network() {
	begin_waiting
	local pid
	for pid in $(helper cf-netstack) $(helper cf-dns) $(helper policy); do
		[ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ]
		same "interfaces of $pid" "$(nsenter -t "$pid" -n -- ip -o link | grep -cv ' lo: ')" 0
		same "routes of $pid" "$(nsenter -t "$pid" -n -- ip route show table all | wc -l)" 0
	done
	kill "$PID"
	end_of "$PID"
}
it helpers_see_no_network

an_idle_tree_wakes_nobody() {
	begin_waiting
	local pid before after
	switches() { awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$1/status"; }
	for pid in $PID $(helpers); do
		wakes() {
			before=$(switches "$pid")
			sleep 1.5	# the time that is to pass without a wake-up
			after=$(switches "$pid")
			[ $((after - before)) -le 1 ]
		}
		until_true 6 wakes || failed "$(cat "/proc/$pid/comm") woke $((after - before)) times"
	done
	kill "$PID"
	end_of "$PID"
}
it an_idle_tree_wakes_nobody

done_testing
