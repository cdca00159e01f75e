#!/bin/bash
# badproxy.sh - what a proxy may do wrong (badproxy.py): each ends soon, with an errno and a line.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
only_cf
# They are many, and who calls makes no difference to them.
[ "$PASS" = user ] || done_testing

python3 "$T/badproxy.py" >>"$T/servers.log" 2>&1 </dev/null &
for port in 910{0..9}; do
	must until_true 20 listening 127.0.0.1 "$port"
done
HTTP=http://127.0.0.1:9100
SOCKS=socks5://127.0.0.1:9101

it_is_a_tunnel() {	# PROXY NAME
	same page "$(cf -p "$1" -- curl -sS -m 10 "http://$2.test/" 2>err)" hello
	same said "$(cat err)" ""
}
for name in ok old bare any interim longline many fold drip; do
	it it_is_a_tunnel "$HTTP" "$name"
done
for name in ok name six drip; do
	it it_is_a_tunnel "$SOCKS" "$name"
done

# What comes with the answer is the destination's first word.
early_data_is_kept() {	# PROXY
	same word "$(cf -p "$1" -- socat -t 5 - TCP4:early.test:25)" banner
}
it early_data_is_kept "$HTTP"
it early_data_is_kept "$SOCKS"

# it_fails PROXY NAME ERROR LINE: curl says the error, and we one line.
it_fails() {
	local start end
	start=$(ms_now)
	status 7 cf --proxy-timeout 2 -p "$1" -- curl -sSv -m 20 "http://$2.test/" 2>err
	end=$(ms_now)
	like "the child's error" "$(cat err)" "$3"
	like "the line" "$(grep cf-proxy err)" "^cf-proxy dialler: upstream proxy $1: $4"
	same "lines" "$(grep -c 'upstream proxy' err)" 1
	[ $((end - start)) -lt 6000 ] || failed "it took $((end - start)) ms"
}
refused='Connection refused'
unreachable='No route to host'
it it_fails "$HTTP" s403 "$refused" "CONNECT: 403: it forbids this destination"
it it_fails "$HTTP" s407 "$unreachable" "CONNECT: 407: it wants a user and a password"
it it_fails "$HTTP" s502 "$refused" "CONNECT: 502: it cannot connect"
it it_fails "$HTTP" s504 "$unreachable" "CONNECT: 504: the destination did not answer"
it it_fails "$HTTP" s999 "$unreachable" "CONNECT: 999: nobody knows"
it it_fails "$HTTP" endless "$unreachable" "CONNECT: its answer has no end"
it it_fails "$HTTP" switch "$unreachable" "CONNECT: it switched"
it it_fails "$HTTP" http2 "$unreachable" "CONNECT: its answer is not HTTP/1"
it it_fails "$HTTP" ssh "$unreachable" "CONNECT: its answer is not HTTP/1"
it it_fails "$HTTP" nostatus "$unreachable" "CONNECT: its answer has no status"
it it_fails "$HTTP" zeroes "$unreachable" "CONNECT: its answer is not HTTP/1"
it it_fails "$HTTP" half "$unreachable" "CONNECT: it ended the connection within"
it it_fails "$HTTP" inhead "$unreachable" "CONNECT: it ended the connection within"
it it_fails "$HTTP" nothing "$unreachable" "CONNECT: it ended the connection"
it it_fails "$HTTP" silent "$unreachable" "CONNECT: no answer within 2 s"
it it_fails "$SOCKS" rep1 "$unreachable" "request: it has failed"
it it_fails "$SOCKS" rep2 "$refused" "request: it forbids"
it it_fails "$SOCKS" rep3 "Network is unreachable" "request: its network does not reach"
it it_fails "$SOCKS" rep4 "$unreachable" "request: it does not reach"
it it_fails "$SOCKS" rep5 "$refused" "request: the destination refused"
it it_fails "$SOCKS" rep8 "Network is unreachable" "request: it does not know this kind"
it it_fails "$SOCKS" rep77 "$unreachable" "request: it has failed, and nobody knows how"
it it_fails "$SOCKS" version "$unreachable" "request: its answer is not SOCKS5"
it it_fails "$SOCKS" kind "$unreachable" "request: its answer is not SOCKS5"
it it_fails "$SOCKS" half "$unreachable" "request: it ended the connection within"
it it_fails "$SOCKS" nothing "$unreachable" "request: it ended the connection"
it it_fails "$SOCKS" silent "$unreachable" "request: no answer within 2 s"
it it_fails socks5://127.0.0.1:9102 x "$unreachable" "greeting: it wants a user and a password"
it it_fails socks5://127.0.0.1:9103 x "$unreachable" "greeting: its answer is not SOCKS5"
it it_fails socks5://127.0.0.1:9104 x "$unreachable" "greeting: it chose a login"
it it_fails socks5://127.0.0.1:9105 x "$unreachable" "greeting: it chose a login"
for port in 9106 9107; do
	why="it ended the connection"
	[ "$port" = 9106 ] || why="no answer within 2 s"
	it it_fails "socks5://127.0.0.1:$port" x "$unreachable" "greeting: $why"
	it it_fails "http://127.0.0.1:$port" x "$unreachable" "CONNECT: $why"
done
it it_fails http://127.0.0.1:9108 x "$unreachable" "CONNECT: its answer is not HTTP/1"
it it_fails socks5://127.0.0.1:9108 x "$unreachable" "greeting: its answer is not SOCKS5"

# By TLS: what it presents, what it says instead, and what it does in the middle of it.
SECURE=https://127.0.0.1:9109
it it_fails $SECURE x "$unreachable" "TLS: its certificate is not trusted: "
it it_fails https://127.0.0.1:9106 x "$unreachable" "TLS: it ended the connection"
it it_fails https://127.0.0.1:9107 x "$unreachable" "TLS: no answer within 2 s"
it it_fails https://127.0.0.1:9108 x "$unreachable" "TLS: it does not speak TLS"

# The proxy itself is not there, or not to be reached.
it it_fails http://127.0.0.1:9 x "Network is unreachable" "connect to 127.0.0.1:9: Connection refused"
the_connect_has_an_end() {
	status 7 cf --connect-timeout 1 -p http://203.0.113.66:3128 -- \
	    curl -sSv -m 20 http://example.test/ 2>err
	like error "$(cat err)" "Network is unreachable"
	like line "$(cat err)" "203.0.113.66:3128: no answer within 1 s \(--connect-timeout\)"
}
it the_connect_has_an_end
done_testing
