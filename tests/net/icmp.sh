#!/bin/bash
# icmp.sh - ping works, v4 and v6, without privilege.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

pings() {	# PING-ARGUMENTS
	cf -- ping -c 3 -i 0.2 -W 5 "$@" >out || failed "$(cat out)"
	like result "$(cat out)" '3 packets transmitted, 3 received, 0% packet loss'
	unlike duplicates "$(cat out)" 'DUP'
}
it pings 203.0.113.10
it pings 2001:db8::10
it pings example.test
it pings -4 example.test
it pings -s 1472 203.0.113.10
it pings -s 8000 203.0.113.10
it pings -s 8000 2001:db8::10
it pings -s 0 203.0.113.10

pings_the_gateway() {
	only_cf
	pings "$1"
}
it pings_the_gateway 192.0.0.1
it pings_the_gateway 2001:2:0:cf::1

no_answer_is_no_answer() {
	status 1 cf -- ping -c 1 -W 1 203.0.113.66
}
it no_answer_is_no_answer

an_unreachable_host_is_reported() {
	cf -- ping -c 1 -W 3 203.0.113.77 >out && failed "it answered"
	like result "$(cat out)" '0 received'
}
it an_unreachable_host_is_reported

pings_at_the_same_time_do_not_mix() {
	# shellcheck disable=SC2016
	cf -- sh -c '
		for i in 1 2 3 4 5 6 7 8; do
			ping -c 5 -i 0.2 -W 5 203.0.113.10 >p$i &
			ping -c 5 -i 0.2 -W 5 2001:db8::10 >q$i &
		done
		wait'
	same whole "$(cat p? q? | grep -c '5 packets transmitted, 5 received, 0% packet loss')" 16
}
it pings_at_the_same_time_do_not_mix

# The host's sysctl says who may make ping sockets; where it says nobody, the rest works on.
where_the_host_forbids_it_ping_says_so() {
	only_cf
	sysctl -qw net.ipv4.ping_group_range="1 0" || cannot "the range cannot be set in a user namespace"
	cf -- ping -c 1 -W 2 203.0.113.10 >out 2>err && failed "it answered"
	like message "$(cat err)" 'ping_group_range'
	same gateway "$(cf -- ping -c 1 -W 2 192.0.0.1 2>&1 | grep -c '1 received')" 1
	same body "$(cf -- curl -sS http://203.0.113.10/hello)" hello
}
it where_the_host_forbids_it_ping_says_so
allow_ping

done_testing
