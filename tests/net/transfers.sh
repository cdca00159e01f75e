#!/bin/bash
# transfers.sh - zones come over in whole, or not at all; and at the pace of their reader.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

SERVER_IP=203.0.113.20
serve /usr/bin/python3 "$T/zone.py" $SERVER_IP 53 20000 "$T/zone.said"
must until_true 20 listening $SERVER_IP 53

axfr() { dig +time=10 +tries=1 +noidnout +nocookie @$SERVER_IP "$@"; }
inside() { cf -- dig +time=10 +tries=1 +noidnout +nocookie @$SERVER_IP "$@"; }
records() { grep -v '^;\|^$'; }
whole_zone() { [ "$(grep -c "$(printf '\tSOA\t')" "$1")" = 2 ]; }

the_same_comes_as_outside() {	# DIG-ARGUMENTS
	as_caller dig +time=10 +tries=1 +nocookie @$SERVER_IP "$@" | records >want
	inside "$@" | records >got
	[ -s want ] || failed "the server has nothing"
	cmp want got || failed "$(wc -l <want) records outside, $(wc -l <got) inside"
}
it the_same_comes_as_outside whole.test AXFR
it the_same_comes_as_outside single.test AXFR
it the_same_comes_as_outside whole.test IXFR=2
it the_same_comes_as_outside whole.test IXFR=3

with_d_and_twice_it_is_the_same() {
	only_cf
	as_caller dig @$SERVER_IP +nocookie whole.test AXFR | records >want
	cf -d $SERVER_IP -- dig +nocookie +time=10 whole.test AXFR | records >got
	cmp want got || failed "$(wc -l <want) records outside, $(wc -l <got) inside"
	cf --dns-cache 100 -d $SERVER_IP -- bash -c '
		for i in 1 2; do dig +nocookie whole.test AXFR | grep -vc "^;\|^$"; done' >out
	same "records, twice" "$(tr '\n' ' ' <out)" "20002 20002 "
}
it with_d_and_twice_it_is_the_same

# dig says so where the connection ends before the zone does.
what_breaks_is_not_taken_for_whole() {	# NAME
	only_cf
	status 9 inside "$1.test" AXFR >out
	! whole_zone out || failed "it has an end: $(tail -n 3 out)"
}
it what_breaks_is_not_taken_for_whole middle
it what_breaks_is_not_taken_for_whole garbage
it what_breaks_is_not_taken_for_whole other

silence_ends_it_after_ten_seconds() {
	only_cf
	status 9 cf -- dig +time=25 +tries=1 +nocookie @$SERVER_IP silent.test AXFR >out
	! whole_zone out || failed "it has an end"
}
it silence_ends_it_after_ten_seconds

an_error_in_the_middle_is_passed_on() {
	only_cf
	inside error.test AXFR >out || :
	like "what dig says" "$(cat out)" 'Transfer failed'
	! whole_zone out || failed "it has an end"
}
it an_error_in_the_middle_is_passed_on

# reader.py NAME wait|end HOST PORT [COUNT]: COUNT connections ask, each reads a part of its answer.
cat >"$T/reader.py" <<'END'
import socket, struct, sys, time
name, then = sys.argv[1:3]
def ask(name):
    s = socket.create_connection((sys.argv[3], int(sys.argv[4])))
    q = b"\0\7\0\0\0\1\0\0\0\0\0\0" + bytes([len(name)]) + name.encode() + b"\4test\0\0\xfc\0\1"
    s.sendall(struct.pack("!H", len(q)) + q)
    return s, s.recv(100000)
socks = [ask(name) for i in range(int(sys.argv[5]) if len(sys.argv) > 5 else 1)]
print("read", [len(m) for s, m in socks], flush=True)
if then == "wait":
    sys.stdin.readline()
for s, m in socks:
    s.close()
END

settled() {	# the last number does not rise any more
	local a
	a=$(tail -n 1 "$T/zone.said")
	sleep 1
	[ -n "$a" ] && [ "$(tail -n 1 "$T/zone.said")" = "$a" ]
}
sent() { grep -v gone "$T/zone.said" | tail -n 1; }

a_reader_that_stops_stops_the_server() {
	only_cf
	: >"$T/zone.said"
	mkfifo go
	exec 7<>go
	cf -- /usr/bin/python3 "$T/reader.py" endless wait $SERVER_IP 53 <&7 >out &
	until_true 20 grep -q read out || failed "nothing came"
	until_true 20 settled || failed "the server goes on: $(sent)"
	# Buffers of two connections and of the engine; what is sent is without end.
	[ "$(sent)" -lt 30000000 ] || failed "it has sent $(sent)"
	echo >&7
	until_true 20 grep -q gone "$T/zone.said" || failed "the server still has its connection"
	wait $!
}
it a_reader_that_stops_stops_the_server

a_reader_that_goes_lets_the_server_go() {
	only_cf
	: >"$T/zone.said"
	cf -- bash -c "/usr/bin/python3 $T/reader.py endless end $SERVER_IP 53
		for i in \$(seq 100); do ! grep -q gone $T/zone.said || break; sleep 0.1; done" >out
	grep -q gone "$T/zone.said" || failed "the server still has its connection"
}
it a_reader_that_goes_lets_the_server_go

more_than_sixteen_are_refused() {
	only_cf
	cf -- /usr/bin/python3 "$T/reader.py" endless end $SERVER_IP 53 17 >out
	# SERVFAIL: length word, header, question.
	like lengths "$(cat out)" '^read \[.*, 32\]$'
	same "of them refused" "$(grep -ow 32 out | wc -l)" 1
}
it more_than_sixteen_are_refused

other_queries_go_on_meanwhile() {
	only_cf
	as_caller mkfifo go
	# shellcheck disable=SC2016
	cf -- bash -c 'exec 7<>go
		/usr/bin/python3 "$0" endless wait "$1" 53 16 <&7 >reading &
		until grep -qs read reading; do sleep 0.1; done
		dig +short @203.0.113.53 v4.example.test
		echo >&7
		wait' "$T/reader.py" $SERVER_IP >out
	same answer "$(cat out)" 203.0.113.10
}
it other_queries_go_on_meanwhile

addresses_that_are_withheld_are_withheld_here() {
	only_cf
	cf --block-private -d $SERVER_IP -- dig +time=10 +nocookie private.test AXFR >out
	whole_zone out || failed "it has no end: $(tail -n 5 out)"
	same "addresses in it" "$(grep -c '10\.0\.0\.1' out || :)" 0
	cf -d $SERVER_IP -- dig +time=10 +nocookie private.test AXFR >out
	same "without the rule" "$(grep -c '10\.0\.0\.1' out)" 20000
}
it addresses_that_are_withheld_are_withheld_here

a_denied_name_is_not_transferred() {
	only_cf
	cf --deny-domain whole.test -d $SERVER_IP -- dig +nocookie whole.test AXFR >out || :
	same records "$(records <out | wc -l)" 0
}
it a_denied_name_is_not_transferred

# ---- the stand-alone name server ----

dns() {
	local become=
	[ "$PASS" = root ] || become=$BECOME_USER
	: >said
	chmod 666 said
	# shellcheck disable=SC2086
	exec -- $become /srv/cf/bin/cf-dns -v "$@" </dev/null >>said 2>&1 &
	DNS_PID=$!
	until_true 20 grep -q 'listening on' said || failed "it does not start: $(cat said)"
}

a_listener_transfers_too() {
	only_cf
	local name
	dns --listen 127.0.0.1:5353 --resolver $SERVER_IP
	for name in whole single; do
		dig +nocookie @$SERVER_IP $name.test AXFR | records >want
		dig +nocookie +time=10 -p 5353 @127.0.0.1 $name.test AXFR | records >got
		cmp want got || failed "$name: $(wc -l <want) records there, $(wc -l <got) here"
	done
	status 9 dig +nocookie +time=10 +tries=1 -p 5353 @127.0.0.1 middle.test AXFR >got
	! whole_zone got || failed "it has an end"
	: >"$T/zone.said"
	/usr/bin/python3 "$T/reader.py" endless end 127.0.0.1 5353 >out
	until_true 20 grep -q gone "$T/zone.said" || failed "the server still has its connection"
	# Who does not read for ten seconds is left.
	: >"$T/zone.said"
	mkfifo go
	exec 7<>go
	/usr/bin/python3 "$T/reader.py" endless wait 127.0.0.1 5353 <&7 >out &
	until_true 30 grep -q gone "$T/zone.said" || failed "the reader still has its place"
	echo >&7
	kill "$DNS_PID"
	wait "$DNS_PID"
	same complaints "$(grep -v '^\[childflow\] ..:..:.. DNS  \|: listening on\|: ends on signal' said)" ""
}
it a_listener_transfers_too
done_testing
