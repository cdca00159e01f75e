#!/bin/bash
# permissive.sh - --permissive: what the rules would refuse passes, and is told and counted.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
if [ -n "$WITH" ]; then
	skip all "says nothing about $WITH"
	done_testing
fi
must sv ip addr add 10.9.8.7/32 dev lo

all_ways_are_open_and_each_is_told() {	# TEXT OPTION ...
	local text=$1
	shift
	same out "$(cf --permissive "$@" -- /usr/bin/python3 "$T/reach.py" 203.0.113.10 2001:db8::10 2>err)" \
	    "tcp4=OK tcp6=OK udp4=OK udp6=OK icmp4=OK icmp6=OK"
	like begin "$(cat err)" 'permissive: the rules are only watched'
	like tcp "$(cat err)" "tcp 203.0.113.10:[0-9]+: would be blocked by \`$text"
	like udp "$(cat err)" "udp \[2001:db8::10\]:7: would be blocked by \`$text"
	like icmp "$(cat err)" "icmpv4 203.0.113.10: would be blocked by \`$text"
}
it all_ways_are_open_and_each_is_told "--offline" --offline
it all_ways_are_open_and_each_is_told "--default-policy deny" --default-policy deny
it all_ways_are_open_and_each_is_told "--deny \*" --deny '*'
it all_ways_are_open_and_each_is_told "--default-policy deny" --allow 192.0.2.1 --tcp-path tun

names_are_answered_and_told() {	# OPTION ...
	same answer "$(cf --permissive "$@" -- dig +short v4.example.test A 2>err)" 203.0.113.10
	like err "$(cat err)" 'dns v4.example.test: would be blocked by'
}
it names_are_answered_and_told --deny-domain example.test
it names_are_answered_and_told --offline
it names_are_answered_and_told --allow 192.0.2.1

addresses_of_answers_stay_in_them_and_are_told() {
	like answer "$(cf --permissive --deny-cidr 203.0.113.0/24 -- dig +short v4.example.test A 2>err)" \
	    '^203.0.113.10$'
	like err "$(cat err)" 'dns v4.example.test -> 203.0.113.10: would be blocked by `--deny-cidr'
}
it addresses_of_answers_stay_in_them_and_are_told

what_no_option_opens_stays_shut() {
	like out "$(cf --permissive --deny '*' -- /usr/bin/python3 "$T/probe.py" tcp \
	    64:ff9b::127.0.0.1 80 5 2>err)" '^E[A-Z]+ '
	like err "$(cat err)" ': blocked: 64:ff9b::7f00:1 stands for 127.0.0.1, a loopback address'
	unlike err "$(cat err)" 'would be'
}
it what_no_option_opens_stays_shut

it_counts_for_fail_on_leak() {
	status 1 cf --permissive --fail-on-leak --status-fd 7 --deny '*' -- \
	    /usr/bin/curl -s -o /dev/null http://203.0.113.10/hello 7>status 2>err
	like err "$(cat err)" 'would refuse without --permissive'
	same reason "$(jq -r 'select(.event == "exit").reason' status)" leak
	status 0 cf --permissive --fail-on-leak --deny 192.0.2.1 -- \
	    /usr/bin/curl -s -o /dev/null http://203.0.113.10/hello
}
it it_counts_for_fail_on_leak

the_summary_says_it() {
	cf --permissive --summary --deny '203.0.113.10:80' -- \
	    /usr/bin/curl -s -o /dev/null http://203.0.113.10/hello 2>err
	like controls "$(cat err)" 'sandbox controls: permissive'
	like permitted "$(cat err)" 'permitted, would be denied: tcp 203.0.113.10:80'
	unlike denied "$(cat err)" '^denied:'
}
it the_summary_says_it

done_testing
