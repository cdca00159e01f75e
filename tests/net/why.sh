#!/bin/bash
# why.sh - cf-doctor why says of a destination what a run does with it.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
if [ -n "$WITH" ]; then
	skip all "says nothing about $WITH"
	done_testing
fi
DOCTOR=${CF%/*}/cf-doctor
why() { as_caller "$DOCTOR" why "$@"; }

# as_in_a_run DEST HOW... -- OPTION ...: the verdict, and what comes of HOW in a run, agree.
as_in_a_run() {	# DEST "COMMAND" WANTED OPTION ...
	local dest=$1 command=$2 want=$3
	shift 3
	status "$want" why "$@" "$dest"
	# shellcheck disable=SC2086
	if [ "$want" = 0 ]; then
		cf "$@" -- $command
	else
		! cf "$@" -- $command
	fi
}
CURL="curl -s -o /dev/null --max-time 8"
it as_in_a_run 203.0.113.10:80 "$CURL http://203.0.113.10/hello" 0 --deny 203.0.113.10:81
it as_in_a_run 203.0.113.10:80 "$CURL http://203.0.113.10/hello" 1 --deny '*:80'
it as_in_a_run http://203.0.113.10/ "$CURL http://203.0.113.10/hello" 1 --allow 192.0.2.1
it as_in_a_run '[2001:db8::10]/icmp' "ping -c1 -W2 2001:db8::10" 0 --allow '2001:db8::/32'
it as_in_a_run 203.0.113.10/icmp "ping -c1 -W2 203.0.113.10" 1 --deny '*/icmp'
it as_in_a_run http://v4.example.test "$CURL http://v4.example.test/hello" 0 \
    --allow example.test --allow '.example.test:80'
it as_in_a_run http://v4.example.test "$CURL http://v4.example.test/hello" 1 --allow example.test
it as_in_a_run http://v4.example.test "$CURL http://v4.example.test/hello" 1 --deny-domain example.test
it as_in_a_run http://v4.example.test "$CURL http://v4.example.test/hello" 1 --offline
it as_in_a_run http://v4.example.test "$CURL http://v4.example.test/hello" 0 --offline --permissive

the_rule_and_its_place_are_told() {
	printf '# no mail\n*:25\n10.0.0.0/8\n' >denied
	status 1 why --deny-file denied example.com:25 >out
	like rule "$(cat out)" 'blocked by `--deny-file denied`, line 2: `\*:25`'
	like place "$(cat out)" 'the rule stands in denied, line 2'
	status 1 why --deny-file denied --format json '[64:ff9b::10.1.2.3]:80' >out
	same line "$(jq -r '.rule_line, .control, .reason_code, .matched_form' out | tr '\n' ' ')" \
	    "3 --deny-file deny_rule 10.1.2.3 "
	same forms "$(jq -c .forms out)" '["64:ff9b::a01:203","10.1.2.3"]'
}
it the_rule_and_its_place_are_told

the_option_that_would_allow_it_does() {
	local option
	option=$(why --allow a.test --format json b.test:8080 | jq -r '.hint | split(" would")[0]')
	same option "$option" "--allow b.test:8080/tcp"
	# shellcheck disable=SC2086
	status 0 why --allow a.test $option b.test:8080
}
it the_option_that_would_allow_it_does

an_address_for_a_name_counts() {
	status 0 why --deny-cidr 10.0.0.0/8 db.test:5432
	status 1 why --deny-cidr 10.0.0.0/8 --at 10.1.2.3 db.test:5432
	status 2 why --at 10.1.2.3 10.1.2.3
}
it an_address_for_a_name_counts

encrypted_dns_is_judged_too() {
	status 1 why --deny-domain x.test 192.0.2.1:853
	status 0 why --deny-domain x.test --allow-encrypted-dns 192.0.2.1:853
	status 0 why 192.0.2.1:853
}
it encrypted_dns_is_judged_too

ports_of_the_host_are_judged_too() {
	status 1 why 192.0.0.3:7701
	status 0 why --host-port 7701 --default-policy deny 192.0.0.3:7701
	status 1 why --host-port 7701 192.0.0.3:7702
	status 1 why --host-port 7701 --deny '*:7701' 192.0.0.3:7701
	status 1 why --host-port 7701 127.0.0.1:7701
}
it ports_of_the_host_are_judged_too

what_is_not_understood_is_told() {
	status 2 why --deny x.test
	status 2 why 10.0.0.0/8
	status 2 why --deny 'no rule!' x.test
	status 2 why --deny-file nowhere x.test
}
it what_is_not_understood_is_told

done_testing
