#!/bin/bash
# tree.sh - who the command is inside, what it may, and what becomes of its children.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

id_says_who_you_are() {
	same id "$(cf -- id)" "$(as_caller id)"
	same owner "$(cf -- stat -c '%U %G' "$T/home")" "$(as_caller stat -c '%U %G' "$T/home")"
}
it id_says_who_you_are

files_belong_to_the_caller() {
	cf -- touch file
	same owner "$(as_caller stat -c %u:%g file)" "$(as_caller id -u):$(as_caller id -g)"
}
it files_belong_to_the_caller

the_tree_has_no_privilege() {
	only_cf
	cf -- cat /proc/self/status >seen
	local set
	for set in CapInh CapPrm CapEff CapAmb; do
		like "$set" "$(grep $set seen)" '0000000000000000'
	done
	like "new privileges" "$(cat seen)" 'NoNewPrivs:.1'
	same "a raw socket" "$(cf -- /usr/bin/python3 "$T/probe.py" raw)" EPERM
	status 2 cf -- ip link set tun0 down
	status 32 cf -- mount -t tmpfs tmpfs /tmp
}
it the_tree_has_no_privilege

setuid_programs_gain_nothing() {
	only_cf
	[ "$ROOTLESS" = 0:0 ] || cannot "needs root to make one"
	cp /usr/bin/id "$T/setuid-id"
	chmod 4755 "$T/setuid-id"
	same "user id" "$(cf -- "$T/setuid-id" -u)" "$(as_caller id -u)"
}
it setuid_programs_gain_nothing

cap_net_raw_keeps_that_one_only() {
	only_cf
	same "a raw socket" "$(cf --cap-net-raw -- /usr/bin/python3 "$T/probe.py" raw)" OK
	cf --cap-net-raw -- cat /proc/self/status >seen
	same CapEff "$(awk '/CapEff/ { print $2 }' seen)" 0000000000002000
	same id "$(cf --cap-net-raw -- id -u)" "$(as_caller id -u)"
	status 2 cf --cap-net-raw -- ip link set tun0 down
}
it cap_net_raw_keeps_that_one_only

map_subids_maps_them() {
	only_cf
	[ "$ROOTLESS" = 0:0 ] || cannot "needs lines in /etc/subuid"
	same id "$(cf --map-subids -- id -u)" "$(as_caller id -u)"
	[ "$PASS" = user ] || return 0
	cf --map-subids -- cat /proc/self/uid_map >map
	same "own id" "$(awk '$1 == 61717 { print $2, $3 }' map)" "61717 1"
	same subordinates "$(awk '$3 == 65536 { print $3 }' map)" 65536
	[ -n "$(cf --map-subids -- cat /proc/self/gid_map | awk '$3 == 65536')" ]
	same "without it" "$(cf -- cat /proc/self/uid_map | awk '{ print $1, $2, $3 }')" "61717 61717 1"
}
it map_subids_maps_them

map_subids_without_subids_is_refused() {
	only_cf
	only_for user
	[ "$ROOTLESS" = 0:0 ] || cannot "needs lines in /etc/subuid"
	sed -i.kept '/cftest/d' /etc/subuid
	status 125 cf --map-subids -- true 2>err
	mv /etc/subuid.kept /etc/subuid
	like message "$(cat err)" '^cf-spawn: .*/etc/subuid'
	same "lines of: $(cat err)" "$(wc -l <err)" 1
}
it map_subids_without_subids_is_refused

root_runs_it_as_another_user() {
	only_cf
	only_for root
	chmod 777 .
	same id "$(as_caller "$CF" --user cftest -- id)" "$(setpriv --reuid=cftest --regid=cftest --init-groups id)"
	as_caller "$CF" --user cftest -- cat /proc/self/status >seen
	like CapEff "$(grep CapEff seen)" '0000000000000000'
	same page "$(as_caller "$CF" --user cftest -- curl -sS http://example.test/hello)" hello
	same "under sudo" "$(as_caller env SUDO_UID=61717 SUDO_GID=61717 SUDO_USER=cftest "$CF" -- id -u)" 61717
	same "SUDO_ variables" "$(as_caller env SUDO_UID=61717 SUDO_GID=61717 SUDO_USER=cftest "$CF" -- env | grep -c ^SUDO_)" 0
	status 1 as_caller "$CF" --user cftest -- test -w /etc/passwd
}
it root_runs_it_as_another_user

the_network_is_the_trees_own() {
	only_cf
	cf -- ip -o addr >addresses
	like lo "$(cat addresses)" 'lo +inet 127.0.0.1'
	like v4 "$(cat addresses)" 'tun0 +inet 192.0.0.2'
	like v6 "$(cat addresses)" 'tun0 +inet6 2001:2:0:cf::2'
	same interfaces "$(cf -- ip -o link | wc -l)" 2
	like "v4 route" "$(cf -- ip route)" 'default.* dev tun0'
	like "v6 route" "$(cf -- ip -6 route)" 'default.* dev tun0'
	# RFC 6724: a global IPv6 destination must not lose to IPv4 for its source's sake.
	same "first choice" "$(cf -- getent ahosts example.test | awk '{ print $1; exit }')" 2001:db8::10
}
it the_network_is_the_trees_own

the_host_is_as_before() {
	only_cf
	local before
	before=$(host_state)
	cf -- sh -c 'curl -sS http://example.test/hello; ping -c 1 203.0.113.10' >/dev/null
	status 3 cf --cap-net-raw -- sh -c 'exit 3'
	until_true 5 nothing_runs
	same difference "$(diff <(echo "$before") <(host_state))" ""
}
it the_host_is_as_before

the_host_is_as_it_was_during_a_run() {
	only_cf
	local before job
	before=$(host_state)
	cf -- sh -c 'echo up >up; exec sleep 30' &
	job=$!
	until_true 10 test -s up
	rm up
	same difference "$(diff <(echo "$before" | grep -v ^helpers) <(host_state | grep -v ^helpers))" ""
	# shellcheck disable=SC2046
	kill $(pids cf-spawn)
	wait "$job" || :
}
it the_host_is_as_it_was_during_a_run

# ---- children ----

a_child_that_outlives_the_command_loses_the_network() {
	only_cf
	# shellcheck disable=SC2016
	cf -- sh -c '
		(
			trap "" HUP
			curl -sS http://203.0.113.10/hello >first
			until [ -e go ]; do sleep 0.05; done
			curl -sS -m 5 http://203.0.113.10/hello >second 2>&1
			echo $? >after
		) >/dev/null 2>&1 </dev/null &
		until [ -s first ]; do sleep 0.05; done
		exit 4' || same status "$?" 4
	until_true 5 nothing_runs
	: >go
	until_true 10 test -s after
	same "at first" "$(cat first)" hello
	unlike "afterwards" "$(cat after)" '^0$'
}
it a_child_that_outlives_the_command_loses_the_network

the_end_does_not_wait_for_background_children() {
	only_cf
	local start
	start=$(ms_now)
	cf -- sh -c 'sleep 20 >/dev/null 2>&1 </dev/null & exit 0'
	[ $(($(ms_now) - start)) -lt 5000 ] || failed "took $(($(ms_now) - start)) ms"
}
it the_end_does_not_wait_for_background_children

wait_waits_for_the_whole_tree() {
	only_cf
	status 3 cf --wait -- sh -c '
		(sleep 0.7; setsid sh -c "sleep 0.5; curl -sS http://203.0.113.10/hello >late" &) &
		exit 3'
	same late "$(cat late)" hello
}
it wait_waits_for_the_whole_tree

what_was_sent_last_arrives() {
	serve socat -u TCP4-LISTEN:9010,reuseaddr "CREATE:$T/got"
	until_true 10 eval 'sv ss -Hltn "sport = :9010" | grep -q .'
	head -c 5M /dev/urandom >bytes
	# The command ends as soon as the kernel has taken its bytes.
	cf -- bash -c 'cat bytes >/dev/tcp/203.0.113.10/9010'
	until_true 10 cmp -s bytes "$T/got" || cmp bytes "$T/got"
}
it what_was_sent_last_arrives

runs_beside_each_other() {
	local i jobs=()
	for i in {1..10}; do
		cf -- sh -c 'curl -sS http://example.test/hello; sleep 0.2' >"out.$i" &
		jobs+=($!)
	done
	for i in "${jobs[@]}"; do
		wait "$i"
	done
	same answers "$(cat out.* | grep -c hello)" 10
	only_cf
	until_true 5 nothing_runs
}
it runs_beside_each_other

the_tree_cannot_reach_into_its_helpers() {
	only_cf
	# shellcheck disable=SC2016
	cf -- bash -c '
		sleep 0.1
		for p in /proc/[0-9]*; do
			read -r name <$p/comm || continue
			case $name in
			cf-*)
				readlink $p/fd/* 2>/dev/null | grep -q . && echo "$name: descriptors"
				cat $p/environ 2>/dev/null | grep -q . && echo "$name: environment"
				nsenter -t ${p#/proc/} -n true 2>/dev/null && echo "$name: network" ;;
			esac
		done
		true' >seen 2>/dev/null
	same "what it could" "$(cat seen)" ""
}
it the_tree_cannot_reach_into_its_helpers

done_testing
