#!/bin/bash
# udp.sh - datagrams: many, both ways, from one port; and what else speaks UDP.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

dgram() { cf -- /usr/bin/python3 "$T/dgram.py" "$@"; }
serve_dgram() { serve /usr/bin/python3 "$T/dgram.py" serve "$@"; }
answers() {	# HOST PORT: a server is there
	/usr/bin/python3 "$T/dgram.py" ask "$1" "$2" hello
}
for host in 203.0.113.{10,20} 2001:db8::{10,20}; do
	serve_dgram "$host" 5000 5001 123
	must until_true 10 answers "$host" 5001
done
mkdir "$T/tftp"
head -c 2000000 /dev/urandom >"$T/tftp/file"
chmod 755 "$T/tftp"
for host in 203.0.113.10 2001:db8::10; do
	serve dnsmasq -k -C /dev/null --user=root --pid-file= --port=0 --bind-interfaces \
	    --listen-address="$host" --enable-tftp --tftp-root="$T/tftp"
done

# ---- one host port for one socket (RFC 4787 REQ-1) ----

one_port_whatever_the_destination() {	# SERVER ...
	like port "$(dgram same_port "$@")" '^[0-9]+$'
}
it one_port_whatever_the_destination 203.0.113.10:5000 203.0.113.10:5001 203.0.113.20:5000
it one_port_whatever_the_destination '[2001:db8::10]:5000' '[2001:db8::20]:5001' '[2001:db8::20]:123'
it one_port_whatever_the_destination 203.0.113.10:5000 '[2001:db8::10]:5000' 203.0.113.20:5001

# ---- both directions, many, in order ----

many_go_there_and_back() {	# HOST SIZE
	same number "$(dgram stream "$1" 5000 5000 "$2")" 5000
}
it many_go_there_and_back 203.0.113.10 64
it many_go_there_and_back 203.0.113.10 1400
it many_go_there_and_back 2001:db8::10 1400

one_request_has_many_replies() {	# HOST KIND SIZE
	same number "$(dgram "$2" "$1" 5000 2000 "$3")" 2000
}
it one_request_has_many_replies 203.0.113.10 count 700
it one_request_has_many_replies 2001:db8::10 count 700
it one_request_has_many_replies 203.0.113.10 train 1200
it one_request_has_many_replies 2001:db8::10 train 1200

a_peer_that_was_asked_may_go_on_talking() {	# HOST
	same replies "$(dgram later "$1" 5000 8)" "0 1 2 3 4 5 6 7"
}
it a_peer_that_was_asked_may_go_on_talking 203.0.113.10
it a_peer_that_was_asked_may_go_on_talking 2001:db8::10

any_size_goes_there_and_back() {	# HOST SIZE ...
	only_cf
	local host=$1
	shift
	same number "$(dgram sizes "$host" 5000 "$@")" $#
}
it any_size_goes_there_and_back 203.0.113.10 0 1 1472 1473 2944 9000 65507
it any_size_goes_there_and_back 2001:db8::10 0 1 1452 1453 2944 9000 65507

traffic_class_is_carried() {	# HOST
	same class "$(dgram ask "$1" 5000 tclass 184)" 184
}
it traffic_class_is_carried 203.0.113.10
it traffic_class_is_carried 2001:db8::10

a_thousand_sockets_have_a_flow_each() {
	same answered "$(dgram sockets 203.0.113.10 5000 900)" 900
}
it a_thousand_sockets_have_a_flow_each

# ---- errors ----

an_error_quotes_the_datagram() {	# WHERE KIND CODE FROM
	only_cf
	local origin=2 try got
	[[ $1 != *:* ]] || origin=3
	for try in 1 2 3; do	# a kernel may wait a second before it reports a route again
		[ "$try" = 1 ] || sleep 1
		got=$(dgram quote "$1" 1) && break
	done
	same error "$got" "$origin $2 $3 $4 quote me"
}
it an_error_quotes_the_datagram 203.0.113.77 3 1 198.51.100.1
it an_error_quotes_the_datagram 203.0.113.78 3 13 198.51.100.1
it an_error_quotes_the_datagram 203.0.113.10 3 3 203.0.113.10
it an_error_quotes_the_datagram 2001:db8::10 1 4 2001:db8::10
it an_error_quotes_the_datagram 2001:db8::77 1 0 2001:db8:1::1

# ---- what speaks UDP ----

a_file_comes_by_tftp() {	# HOST
	cf -- tftp "$1" -m binary -c get file got
	cmp got "$T/tftp/file"
	cf -- curl -sS --tftp-blksize 1400 -o got2 "tftp://$([[ $1 == *:* ]] && echo "[$1]" || echo "$1")/file"
	cmp got2 "$T/tftp/file"
}
it a_file_comes_by_tftp 203.0.113.10
it a_file_comes_by_tftp 2001:db8::10

# Only the peer that was asked: its other ports where the protocol answers from one.
nobody_else_gets_in() {
	same other "$(dgram other 203.0.113.10 5000)" nothing
}
it nobody_else_gets_in

# openssl's DTLS server cannot reverse, so it says what it is told to once it has heard something.
dtls_speaks_both_ways() {	# HOST
	local at=$1:4433
	[[ $1 != *:* ]] || at="[$1]:4433"
	mkfifo say tell
	sv openssl s_server -dtls -quiet -accept "$at" -cert "$T/server.pem" -key "$T/server.key" \
	    <tell >heard 2>server.err &
	exec 6>tell
	until_true 5 bound "${1}" 4433
	cf -- openssl s_client -dtls -quiet -CAfile "$T/ca.pem" -verify_return_error -connect "$at" \
	    <say >out 2>err &
	exec 5>say
	echo "from inside" >&5
	until_true 10 grep -q 'from inside' heard || failed "$(cat err server.err)"
	echo "from outside" >&6
	until_true 10 grep -q 'from outside' out || failed "$(cat err server.err)"
}
bound() {	# HOST PORT: a UDP server is there
	local host=$1
	[[ $1 != *:* ]] || host="[$1]"
	[ -n "$(sv ss -Hlun "src $host and sport = :$2")" ]
}
it dtls_speaks_both_ways 203.0.113.10
it dtls_speaks_both_ways 2001:db8::10

a_clock_can_be_asked() {
	same answer "$(dgram ask 203.0.113.10 123 ntp-like)" ntp-like
}
it a_clock_can_be_asked

# ---- what is for nobody ----

chatter_is_ignored() {
	only_cf
	cf -v -- /usr/bin/python3 "$T/dgram.py" chatter >out 2>err
	same end "$(cat out)" "done"
	same events "$(grep -v "^cf-spawn: TCP: " err)" ""
}
it chatter_is_ignored

# ---- too much ----

a_flood_of_flows_harms_nothing_else() {	# HOST ...
	only_cf
	head -c 100M /dev/zero >"$T/www/zeros"
	# shellcheck disable=SC2016
	cf -- bash -c '
		curl -sS http://203.0.113.10/zeros | wc -c >size &
		/usr/bin/python3 "$@" >flood
		curl -sS -m 5 http://example.test/hello >body
		/usr/bin/python3 "$1" ask 203.0.113.20 5000 hello >after
		wait' bash "$T/dgram.py" flood 10000 20000 "$@" 2>err
	same flood "$(cat flood)" "done"
	same size "$(cat size)" $((100 * 1024 * 1024))
	same "a new connection" "$(cat body)" hello
	same "a new flow" "$(cat after)" hello
	like lines "$(head -n 3 err)" 'limit reached: UDP and ICMP flows'
	same "other lines" "$(grep -v 'limit reached' err)" ""
	same "lines that are said twice" "$(sort err | uniq -d)" ""
}
it a_flood_of_flows_harms_nothing_else 203.0.113.10 2001:db8::10
it a_flood_of_flows_harms_nothing_else 203.0.113.66 2001:db8::66

done_testing
