#!/bin/bash
# reload.sh - SIGHUP: files of rules are read again while the tree talks.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
if [ -n "$WITH" ]; then
	skip all "says nothing about $WITH"
	done_testing
fi

# run_flows HOST "WAY ..." OPTION ...: flows of one tree that stay open; it runs on.
run_flows() {
	local host=$1 ways=$2
	shift 2
	rm -f opened stop
	# shellcheck disable=SC2086
	cf --status-fd 7 -vv "$@" -- /usr/bin/python3 "$T/reload.py" "$host" 7 $ways \
	    7>status >out 2>err &
	RUN=$!
	until_true 10 test -e opened
}
reload() { kill -HUP "${SPAWN:-$(pids cf-spawn)}"; }
# generation_is N: in force, by what --status-fd says.
generation_is() { grep -q "\"event\":\"policy\",\"generation\":$1,\"rules\"" status; }
said() { grep -q -e "$1" err; }

what_new_rules_forbid_ends_at_once() {	# HOST RULE
	: >denied
	run_flows "$1" "tcp udp icmp" --deny-file denied
	printf '%s\n' "$2" >denied
	reload
	until_true 10 generation_is 2
	wait "$RUN"
	like tcp "$(cat out)" 'tcp: (ECONNRESET|EPIPE)'
	like udp "$(cat out)" 'udp: E[A-Z]+'
	like icmp "$(cat out)" 'icmp: E[A-Z]+'
	unlike err "$(cat err)" ' alive'
	like line "$(cat err)" "tcp [^ ]*7: ended by new rules: blocked by \`--deny-file denied\`, line 1"
	like end "$(cat err)" 'TCP  CLOSED +[^ ]*:7 .*\(policy_reload\) [1-9][0-9]* bytes up'
	like end "$(cat err)" 'UDP  CLOSED +[^ ]*:7 .*\(policy_reload\) [1-9]'
	like end "$(cat err)" 'ICMP CLOSED +[^ ]* .*\(policy_reload\) [1-9]'
}
it what_new_rules_forbid_ends_at_once 203.0.113.10 203.0.113.0/24
it what_new_rules_forbid_ends_at_once 2001:db8::10 2001:db8::/32

what_new_rules_forbid_ends_on_our_own_tcp_too() {
	: >denied
	run_flows 203.0.113.10 tcp --tcp-path tun --deny-file denied
	echo '203.0.113.10:7/tcp' >denied
	reload
	wait "$RUN"
	like out "$(cat out)" '^tcp: (ECONNRESET|EPIPE)$'
	like end "$(cat err)" 'CLOSED .*\(policy_reload\)'
}
it what_new_rules_forbid_ends_on_our_own_tcp_too

what_new_rules_allow_opens_and_the_rest_stays() {
	echo 203.0.113.10 >allowed
	run_flows 203.0.113.10 "tcp udp icmp" --allow-file allowed
	echo 203.0.113.20:80 >>allowed
	reload
	until_true 10 generation_is 2
	: >stop
	wait "$RUN"
	same out "$(sort out)" "$(printf '%s: alive\n' icmp tcp udp)"
	same rules "$(jq -s 'map(select(.event == "policy")) | last.rules' status)" 2
}
it what_new_rules_allow_opens_and_the_rest_stays

a_destination_opens_and_shuts_with_the_file() {
	echo 192.0.2.1 >allowed
	# shellcheck disable=SC2016
	cf --status-fd 7 --allow-file allowed -- bash -c '
		try() { : </dev/tcp/203.0.113.10/80; }
		: >opened
		until try 2>/dev/null; do sleep 0.02; done; echo open
		: >opened2
		while try 2>/dev/null; do sleep 0.02; done; echo shut' 7>status >out 2>err &
	RUN=$!
	until_true 10 test -e opened
	echo 203.0.113.10 >allowed
	reload
	until_true 10 test -e opened2
	echo 192.0.2.1 >allowed
	reload
	wait "$RUN"
	same out "$(tr '\n' ' ' <out)" "open shut "
}
it a_destination_opens_and_shuts_with_the_file

names_open_and_shut_with_the_file() {	# OPTION ...
	: >denied
	# shellcheck disable=SC2016
	cf --status-fd 7 "$@" --deny-file denied -- bash -c '
		ask() { [ -n "$(dig +short +time=2 +tries=1 v4.example.test A)" ]; }
		ask || exit 3
		: >opened
		while ask; do sleep 0.02; done; echo shut
		: >opened2
		until ask; do sleep 0.02; done; echo open' 7>status >out 2>err &
	RUN=$!
	until_true 10 test -e opened
	echo .example.test >denied
	reload
	until_true 10 test -e opened2
	: >denied
	reload
	wait "$RUN"
	same out "$(tr '\n' ' ' <out)" "shut open "
}
it names_open_and_shut_with_the_file
it names_open_and_shut_with_the_file --dns-cache 100
it names_open_and_shut_with_the_file --dns-mode synthetic

a_server_of_names_that_is_denied_is_asked_no_more() {
	: >denied
	# shellcheck disable=SC2016
	cf --status-fd 7 --deny-file denied -- bash -c '
		ask() { [ -n "$(dig +short +time=1 +tries=1 v4.example.test A @203.0.113.53)" ]; }
		ask || exit 3
		: >opened
		while ask; do sleep 0.02; done; echo shut' 7>status >out 2>err &
	RUN=$!
	until_true 10 test -e opened
	printf '203.0.113.53\n2001:db8::53\n' >denied
	printf 'nameserver 203.0.113.20\n' >/etc/resolv.conf
	reload
	until_true 10 generation_is 2
	wait "$RUN"
	printf 'nameserver 203.0.113.53\n' >/etc/resolv.conf
	same out "$(cat out)" shut
}

# Nothing of a file that is not whole counts, and nothing of the old rules is lost.
a_file_that_is_no_good_leaves_the_rules_as_they_were() {	# HOW MESSAGE
	echo 203.0.113.20 >denied
	run_flows 203.0.113.10 tcp --deny-file denied
	case $1 in
	broken)	printf '203.0.113.10\nno such rule!\n' >denied ;;
	cut)	printf '203.0.113.10\n203.0.113.' >denied ;;
	gone)	rm denied ;;
	binary)	printf '203.0.113.10\n\0\n' >denied ;;
	large)	truncate -s 65M denied ;;
	pipe)	rm denied && mkfifo denied ;;
	esac
	reload
	until_true 10 said 'the rules stay as they are'
	like message "$(cat err)" "$2"
	like status "$(cat status)" '"event":"policy","generation":1,"error":'
	echo 203.0.113.10:7 >good
	rm -f denied
	mv good denied
	reload
	wait "$RUN"
	like out "$(cat out)" 'tcp: E'
	generation_is 2
}
it a_file_that_is_no_good_leaves_the_rules_as_they_were broken 'denied:2:[0-9]+: '
it a_file_that_is_no_good_leaves_the_rules_as_they_were cut 'denied:2:[0-9]+: '
it a_file_that_is_no_good_leaves_the_rules_as_they_were gone 'cannot read --deny-file denied: No such'
it a_file_that_is_no_good_leaves_the_rules_as_they_were binary 'denied:2:1: there is a zero byte'
it a_file_that_is_no_good_leaves_the_rules_as_they_were large 'larger than 64 MiB'
it a_file_that_is_no_good_leaves_the_rules_as_they_were pipe 'can be read only once'

without_files_the_signal_is_for_the_command() {
	# shellcheck disable=SC2016
	cf --deny 192.0.2.1 -- bash -c 'trap "echo hup; exit 5" HUP; : >opened
		while :; do sleep 0.02; done' >out &
	RUN=$!
	until_true 10 test -e opened
	reload
	status 5 wait "$RUN"
	same out "$(cat out)" hup
}
it without_files_the_signal_is_for_the_command

follows_resolv_conf() { [[ "$(readlink "/proc/$(pids cf-spawn)"/fd/*)" == *inotify* ]]; }
fds_of() { ls "/proc/$1/fd" 2>/dev/null | wc -l; }
maps_of() { grep -c childflow-rules "/proc/$1/maps" || :; }
kb_of() { awk '/^VmRSS:/ { print $2 }' "/proc/$1/status"; }

# Traffic of all kinds goes on, and every process has after it what it had before.
a_hundred_reloads_leave_nothing_behind() {
	local pid n i before after SPAWN LIMIT=90
	for i in {1..2000}; do echo "10.$((i / 250)).$((i % 250)).0/24"; done >denied
	run_flows 203.0.113.10 "tcp udp icmp" --deny-file denied
	SPAWN=$(pids cf-spawn)
	until_true 10 follows_resolv_conf
	# The first few may make a process grow.
	for ((i = 2; i <= 110; i++)); do
		echo "192.0.2.$((i % 250))" >>denied
		reload
		until_true 10 generation_is "$i"
		if [ "$i" = 10 ]; then
			for pid in $(pids $HELPERS cf-spawn); do
				echo "$pid $(fds_of "$pid") $(kb_of "$pid")"
			done >before
		fi
	done
	while read -r pid n before; do
		same "descriptors of $(cat "/proc/$pid/comm")" "$(fds_of "$pid")" "$n"
		n=$(maps_of "$pid")
		[ "$n" -le 1 ] || failed "$(cat "/proc/$pid/comm") has $n generations mapped"
		after=$(kb_of "$pid")
		[ "$after" -le $((before + 1024)) ] ||
			failed "$(cat "/proc/$pid/comm") has grown from $before KiB to $after"
	done <before
	: >stop
	wait "$RUN"
	same out "$(sort out)" "$(printf '%s: alive\n' icmp tcp udp)"
}
it a_hundred_reloads_leave_nothing_behind

nothing_is_let_through_while_rules_change() {
	local i SPAWN LIMIT=90
	echo 203.0.113.10:80 >denied
	# shellcheck disable=SC2016
	cf --status-fd 7 --deny-file denied -- bash -c ': >opened
		until [ -e stop ]; do (: </dev/tcp/203.0.113.10/80) 2>/dev/null && echo open; done; :' \
	    7>status >out 2>err &
	RUN=$!
	until_true 10 test -e opened
	SPAWN=$(pids cf-spawn)
	for ((i = 2; i <= 40; i++)); do
		printf '203.0.113.10:80\n192.0.2.%d\n' "$i" >denied.new
		mv denied.new denied
		reload
		until_true 10 generation_is "$i"
	done
	: >stop
	wait "$RUN"
	same out "$(cat out)" ""
}
it nothing_is_let_through_while_rules_change

done_testing
