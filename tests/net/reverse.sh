#!/bin/bash
# reverse.sh - whose name an address is, programs ask by the way: where it is refused it does not count.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
if [ -n "$WITH" ]; then
	skip all "says nothing about $WITH"
	done_testing
fi

reverse_is_refused_and_does_not_count() {	# ADDRESS
	: >"$T/dns.log"
	status 0 cf --fail-on-leak --allow 203.0.113.10 -- dig +noall +comments -x "$1" >out 2>err
	like out "$(cat out)" 'EDE: 15'
	same err "$(cat err)" ""
	unlike log "$(cat "$T/dns.log")" 'arpa'
}
it reverse_is_refused_and_does_not_count 203.0.113.10
it reverse_is_refused_and_does_not_count 2001:db8::10

ping_to_what_is_allowed_is_no_leak() {
	status 0 cf --fail-on-leak --allow 203.0.113.10 -- ping -c 1 -W 2 203.0.113.10 2>err
	same err "$(cat err)" ""
}
it ping_to_what_is_allowed_is_no_leak

# What only looks like one, and what a rule is about, counts as ever.
other_names_there_count() {	# OPTION VALUE NAME TYPE
	status 1 cf --fail-on-leak "$1" "$2" -- dig "$3" "$4" >out 2>err
	like err "$(cat err)" "dns $3: blocked by"
}
it other_names_there_count --allow 203.0.113.10 secret.113.0.203.in-addr.arpa PTR
it other_names_there_count --allow 203.0.113.10 300.113.0.203.in-addr.arpa PTR
it other_names_there_count --allow 203.0.113.10 10.113.0.203.in-addr.arpa TXT
it other_names_there_count --deny-domain in-addr.arpa 10.113.0.203.in-addr.arpa PTR

a_rule_lets_it_leave() {
	: >"$T/dns.log"
	cf --allow-domain in-addr.arpa --default-policy deny -- dig -x 203.0.113.10 >out
	like log "$(cat "$T/dns.log")" '10.113.0.203.in-addr.arpa'
}
it a_rule_lets_it_leave

done_testing
