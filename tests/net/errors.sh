#!/bin/bash
# errors.sh - a connection that fails fails as it would outside, and harms no other.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
must ip route add unreachable 203.0.113.98

probe() { cf -- /usr/bin/python3 "$T/probe.py" "$@"; }
outside() { as_caller /usr/bin/python3 "$T/probe.py" "$@"; }

fails_as_it_would_outside() {	# tcp|udp ADDRESS PORT ERROR
	local got want
	want=$(outside "$1" "$2" "$3")
	same "outside" "${want% *}" "$4"
	got=$(probe "$1" "$2" "$3")
	same "errno" "${got% *}" "$4"
	[ "${got#* }" -lt 500 ] || [ "${want#* }" -ge 500 ] || failed "took ${got#* } ms, outside ${want#* }"
}
it fails_as_it_would_outside tcp 203.0.113.10 1 ECONNREFUSED
it fails_as_it_would_outside tcp 2001:db8::10 1 ECONNREFUSED
it fails_as_it_would_outside tcp 203.0.113.77 80 EHOSTUNREACH
it fails_as_it_would_outside tcp 2001:db8::77 80 ENETUNREACH
it fails_as_it_would_outside tcp 203.0.113.78 80 EHOSTUNREACH
it fails_as_it_would_outside tcp 203.0.113.98 80 EHOSTUNREACH
it fails_as_it_would_outside tcp 192.88.99.1 80 ENETUNREACH
it fails_as_it_would_outside tcp 2001:db8:dead::1 80 ENETUNREACH
it fails_as_it_would_outside udp 203.0.113.10 1 ECONNREFUSED
it fails_as_it_would_outside udp 2001:db8::10 1 ECONNREFUSED

a_refused_port_is_known_at_once() {
	local got
	got=$(probe median_of 203.0.113.10 1 ECONNREFUSED 50)
	[ "$got" -lt 50 ] || failed "the median of 50 took $got ms"
}
it a_refused_port_is_known_at_once

# Outside, connect() to what the host's own routes refuse fails before a packet is sent.
# Inside it takes an ICMP message, and one that comes while connect() still holds the socket
# is lost; the kernel's next SYN is a second away.  So each of many has to be quick.
every_unreachable_is_known_at_once() {	# ADDRESS ERROR
	local got
	got=$(probe slowest_of "$1" 80 "$2" 20)
	[ "$got" -lt 500 ] || failed "the slowest of 20 took $got ms"
}
must ip -6 route add unreachable 2001:db8::98
it every_unreachable_is_known_at_once 203.0.113.98 EHOSTUNREACH
it every_unreachable_is_known_at_once 2001:db8::98 EHOSTUNREACH

a_host_without_a_route_says_so() {	# ADDRESS
	local how=(ip route)
	[[ $1 != *:* ]] || how=(ip -6 route)
	"${how[@]}" del default
	like errno "$(probe tcp "$1" 80 || :)" '^(ENETUNREACH|EHOSTUNREACH) '
}
it a_host_without_a_route_says_so 203.0.113.10
must ip route replace default via 198.51.100.1
it a_host_without_a_route_says_so 2001:db8::10
must ip -6 route replace default via 2001:db8:1::1

a_blackholed_address_is_the_callers_to_time_out() {	# ADDRESS
	same errno "$(probe tcp "$1" 80 2 | cut -d ' ' -f 1)" ETIMEDOUT
}
it a_blackholed_address_is_the_callers_to_time_out 203.0.113.66
it a_blackholed_address_is_the_callers_to_time_out 2001:db8::66

a_blackholed_address_stalls_no_other() {	# SLOW FAST
	local got
	got=$(probe race "$2" 80 "$1" 80 300)
	same "the other" "${got% *}" OK
	[ "${got#* }" -lt 1000 ] || failed "took ${got#* } ms"
}
it a_blackholed_address_stalls_no_other 203.0.113.66 203.0.113.10
it a_blackholed_address_stalls_no_other 2001:db8::66 2001:db8::10

refusals_do_not_disturb_a_download() {
	head -c 200M /dev/zero >"$T/www/zeros"
	# shellcheck disable=SC2016
	cf -- bash -c '
		curl -sS http://203.0.113.10/zeros | wc -c >size &
		for i in {1..200}; do (: >/dev/tcp/203.0.113.10/1) 2>/dev/null; done
		(: >/dev/tcp/203.0.113.77/80) 2>/dev/null
		wait'
	same size "$(cat size)" $((200 * 1024 * 1024))
}
it refusals_do_not_disturb_a_download

a_reset_is_a_reset() {
	serve /usr/bin/python3 "$T/probe.py" serve_resets 203.0.113.10 9001
	until_true 10 listening 203.0.113.10 9001
	same errno "$(probe read 203.0.113.10 9001 | cut -d ' ' -f 1)" ECONNRESET
}
it a_reset_is_a_reset

an_end_is_an_end() {
	serve socat TCP4-LISTEN:9002,reuseaddr,fork 'SYSTEM:echo bye'
	until_true 10 listening 203.0.113.10 9002
	same text "$(cf -- nc -d 203.0.113.10 9002)" bye
}
it an_end_is_an_end

# What belongs to the host alone, or to nobody, is not dialled.
the_hosts_loopback_is_out_of_reach() {
	only_cf
	socat TCP4-LISTEN:8088,bind=127.0.0.1,fork,reuseaddr SYSTEM:'echo secret' &
	socat 'TCP6-LISTEN:8088,bind=[::1],fork,reuseaddr' SYSTEM:'echo secret' &
	until_true 10 listening 127.0.0.1 8088
	until_true 10 listening ::1 8088
	local a
	for a in 127.0.0.1 127.0.0.2 ::1 192.0.0.1 2001:2:0:cf::1 192.0.0.3 2001:2:0:cf::9 \
	    0.0.0.0 ::ffff:127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::1; do
		unlike "$a" "$(probe tcp "$a" 8088 3 || :)" '^OK'
	done
}
it the_hosts_loopback_is_out_of_reach

the_trees_loopback_is_its_own() {
	# shellcheck disable=SC2016
	cf -- sh -c '
		socat TCP4-LISTEN:8089,bind=127.0.0.1,reuseaddr SYSTEM:"echo mine" &
		until socat -u TCP4:127.0.0.1:8089 STDOUT 2>/dev/null; do sleep 0.05; done' >out
	same text "$(cat out)" mine
}
it the_trees_loopback_is_its_own

done_testing
