#!/bin/bash
# proxylisten.sh - cf-proxy --listen, a proxy of its own: what clients get, and what they do not.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
only_cf

PROXY=/srv/cf/bin/cf-proxy
HTTP=http://127.0.0.1:3128
PORT=3128

# proxy [OPTION ...]: it runs until proxy_end; messages in err, events in log.
proxy() {
	as_caller sh -c 'exec "$@" 5>>log' - "$PROXY" --listen 127.0.0.1:3128 --listen '[::1]:3129' \
	    -v --log-fd 5 "$@" 2>err &
	RUNS=$!
	until_true 10 listening 127.0.0.1 3128 || failed "$(cat err)"
	until_true 10 listening ::1 3129
}
proxy_end() {
	local pid
	pid=$(pids cf-listen)
	kill "$pid"
	status 0 wait "$RUNS"
	until_true 10 no_program
}
no_program() { [ -z "$(pids cf-listen)$(helpers)" ]; }
get() { as_caller curl -gsS -m 10 "$@"; }
client() { /usr/bin/python3 "$T/proxyclient.py" "$@"; }

every_kind_of_client_gets_its_page() {
	local x url
	proxy
	for x in $HTTP http://[::1]:3129 socks5://127.0.0.1:3128 socks5h://127.0.0.1:3128 socks5h://[::1]:3129; do
		for url in http://203.0.113.10/hello 'http://[2001:db8::10]/hello' \
		    http://example.test/hello; do
			same "$x $url" "$(get -x "$x" "$url")" hello
			same "$x $url, a tunnel" "$(get -p -x "$x" "$url")" hello
		done
		same "$x TLS" "$(get --cacert "$T/ca.pem" -x "$x" https://example.test/hello)" hello
	done
	same IPv6 "$(get -x $HTTP http://v6.example.test/hello)" hello
	proxy_end
}
it every_kind_of_client_gets_its_page

python_is_a_client_too() {
	proxy
	same page "$(http_proxy=$HTTP /usr/bin/python3 -c '
import urllib.request
print(urllib.request.urlopen("http://example.test/hello", timeout=10).read().decode().strip())')" hello
	proxy_end
}
it python_is_a_client_too

much_comes_whole() {
	proxy
	head -c 20000000 /dev/urandom >"$T/www/much"
	get -x $HTTP http://203.0.113.10/much | cmp - "$T/www/much"
	get -p -x $HTTP http://203.0.113.10/much | cmp - "$T/www/much"
	get -x $HTTP -T - http://203.0.113.10/put/chunked <"$T/www/much"
	cmp "$T/www/much" "$T/put/chunked"
	get -x $HTTP -T "$T/www/much" http://203.0.113.10/put/length
	cmp "$T/www/much" "$T/put/length"
	get -x socks5://127.0.0.1:3128 -T "$T/www/much" http://203.0.113.10/put/socks
	cmp "$T/www/much" "$T/put/socks"
	rm -f "$T"/put/*
	same half "$(client half $PORT 203.0.113.10 7)" "early 1000005"
	proxy_end
}
it much_comes_whole

what_the_rules_refuse_is_told() {
	proxy --deny-domain second.example.test --deny-cidr 203.0.113.53
	like page "$(get -i -x $HTTP http://second.example.test/)" '403 Forbidden.*childflow: .*rules'
	like page "$(get -i -x $HTTP http://203.0.113.53/)" '403 Forbidden.*deny-cidr'
	like code "$(get -p -x $HTTP http://203.0.113.53/ 2>&1)" 'CONNECT tunnel failed, response 403'
	like code "$(get -x socks5h://127.0.0.1:3128 http://second.example.test/ 2>&1)" '\(2\)'
	like code "$(get -x socks5://127.0.0.1:3128 http://203.0.113.53/ 2>&1)" '\(2\)'
	like loopback "$(get -i -x $HTTP http://127.0.0.1:3128/)" '403 Forbidden'
	like mapped "$(get -i -x $HTTP 'http://[::ffff:203.0.113.53]/')" '403 Forbidden'
	like number "$(get -i -x $HTTP http://0xcb007135/)" '40[03] '
	same page "$(get -x $HTTP http://example.test/hello)" hello
	like logged "$(grep policy_violation log)" '"matched_domain": ?"second.example.test"'
	like logged "$(grep policy_violation log)" '"matched_cidr": ?"203.0.113.53/32"'
	like logged "$(grep flow_end log)" '"names": ?\["example.test"\]'
	proxy_end
}
it what_the_rules_refuse_is_told

a_list_of_names_is_all_there_is() {
	proxy --allow v4.example.test
	same page "$(get -x $HTTP http://v4.example.test/hello)" hello
	same page "$(get -x socks5h://127.0.0.1:3128 http://v4.example.test/hello)" hello
	like "same address" "$(get -i -x $HTTP http://203.0.113.10/hello)" '403 Forbidden'
	like "other name" "$(get -i -x $HTTP http://www.example.test/hello)" '403 Forbidden'
	unlike "asked for" "$(cat "$T/dns.log")" 'query.*unasked'
	like "never asked" "$(get -i -x $HTTP http://unasked.example.test/)" '403 Forbidden'
	unlike "asked for" "$(cat "$T/dns.log")" 'query.*unasked'
	proxy_end
}
it a_list_of_names_is_all_there_is

what_a_tunnel_says_first_is_judged() {
	proxy --allow v4.example.test
	same page "$(get --cacert "$T/ca.pem" -x $HTTP https://v4.example.test/hello)" hello
	same page "$(get --cacert "$T/ca.pem" -x socks5h://127.0.0.1:3128 https://v4.example.test/hello)" hello
	status 35 get --cacert "$T/ca.pem" -x $HTTP --connect-to example.test:443:v4.example.test:443 \
	    https://example.test/hello
	like logged "$(cat log)" 'first_flight_mismatch'
	same "the same Host" "$(get -p -x $HTTP http://v4.example.test/hello)" hello
	status 52 get -p -x $HTTP -H 'Host: www.example.test' http://v4.example.test/hello
	proxy_end
}
it what_a_tunnel_says_first_is_judged

errors_have_their_codes() {
	proxy
	like refused "$(get -i -x $HTTP http://203.0.113.10:1/)" '502 Bad Gateway.*Connection refused'
	like refused "$(get -x socks5://127.0.0.1:3128 http://203.0.113.10:1/ 2>&1)" '\(5\)'
	like unreachable "$(get -x socks5://127.0.0.1:3128 http://203.0.113.77/ 2>&1)" '\(4\)'
	like "no name" "$(get -i -x $HTTP http://nowhere.example.test/)" '502 Bad Gateway.*no address'
	proxy_end
}
it errors_have_their_codes

what_is_no_request_is_refused() {
	proxy
	like origin "$(client raw $PORT 'GET /hello HTTP/1.1\r\nHost: x\r\n\r\n')" '^HTTP/1.1 400 .*whole URL'
	like version "$(client raw $PORT 'GET http://example.test/ HTTP/2.0\r\n\r\n')" '^HTTP/1.1 505 '
	like fold "$(client raw $PORT 'GET http://example.test/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n')" '^HTTP/1.1 400 '
	like lf "$(client raw $PORT 'GET http://example.test/ HTTP/1.1\r\nA: b\nC: d\r\n\r\n')" '^HTTP/1.1 400 '
	like lengths "$(client raw $PORT 'POST http://example.test/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n')" '^HTTP/1.1 400 '
	like both "$(client raw $PORT 'POST http://example.test/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n')" '^HTTP/1.1 400 '
	like userinfo "$(client raw $PORT 'GET http://a@example.test/ HTTP/1.1\r\n\r\n')" '^HTTP/1.1 400 '
	like long "$(client raw $PORT "GET http://example.test/ HTTP/1.1\r\nA: $(printf %020000d 0)\r\n\r\n")" '^HTTP/1.1 431 '
	same "SOCKS4" "$(client socks $PORT 0401)" ""
	same "login" "$(client socks $PORT 050102)" 05ff
	same "BIND" "$(client socks $PORT 050100 05020001cb00710a0050)" 050005070001000000000000
	same "a page by SOCKS" "$(client socks $PORT 050100 05010001cb00710a0050)" 050005000001000000000000
	same page "$(get -x $HTTP http://example.test/hello)" hello
	proxy_end
}
it what_is_no_request_is_refused

one_request_a_connection() {
	proxy --deny-domain second.example.test
	: >"$T/nginx/access.log"
	same answers "$(client smuggle $PORT http://example.test/hello http://second.example.test/whoami)" 1
	unlike "the second" "$(cat "$T/nginx/access.log")" whoami
	like host "$(client raw $PORT 'GET http://v4.example.test/whoami HTTP/1.1\r\nHost: second.example.test\r\n\r\n')" \
	    '198.51.100.2 v4.example.test'
	proxy_end
}
it one_request_a_connection

slow_clients_are_let_go() {
	local out
	proxy
	same drip "$(client drip $PORT http://example.test/hello)" hello
	out=$(client slow $PORT 200 http://example.test/hello)
	like "meanwhile" "$out" '^hello'
	like "in the end" "$out" 'first: HTTP/1.1 408 '
	proxy_end
}
it slow_clients_are_let_go

many_at_once() {
	proxy
	same codes "$(as_caller curl -sS -m 30 --parallel --parallel-immediate --parallel-max 200 -x $HTTP -p -o /dev/null \
	    -w '%{http_code}\n' 'http://203.0.113.10/hello?[1-400]' | sort | uniq -c | xargs)" "400 200"
	proxy_end
}
it many_at_once

another_proxy_is_behind_it() {
	printf 'Port 8888\nListen 127.0.0.1\nMaxClients 100\n' >tinyproxy.conf
	as_caller tinyproxy -d -c tinyproxy.conf >tinyproxy.out 2>&1 &
	until_true 10 listening 127.0.0.1 8888
	proxy -p http://127.0.0.1:8888 --deny-domain second.example.test
	same page "$(get -x $HTTP http://v4.example.test/hello)" hello
	same page "$(get -x socks5h://127.0.0.1:3128 http://v4.example.test/hello)" hello
	like behind "$(cat tinyproxy.out)" 'CONNECT v4.example.test:80'
	like refused "$(get -i -x $HTTP http://second.example.test/hello)" '403 Forbidden'
	unlike behind "$(cat tinyproxy.out)" 'second'
	like log "$(grep connect_result log)" '"via_proxy": ?true'
	proxy_end
}
it another_proxy_is_behind_it

all_end_together() {
	local pid
	proxy
	pid=$(pids cf-dns)
	kill -9 "$pid"
	status 1 wait "$RUNS"
	until_true 10 no_program
	like line "$(cat err)" 'cf-dns has ended'
}
it all_end_together

refuses() {	# WHAT OPTION ...
	local what=$1
	shift
	status 2 as_caller "$PROXY" "$@" 2>err
	like line "$(cat err)" "$what"
}
it refuses 'not a loopback address' --listen 198.51.100.2:3128
it refuses 'not an address and port' --listen 127.0.0.1
it refuses 'belongs behind' --listen 127.0.0.1:3128 --proxy-user x
it refuses 'there is none' --listen 127.0.0.1:3128 --no-proxy 10.0.0.0/8
it refuses 'exclude each other' --listen 127.0.0.1:3128 -p http://127.0.0.1:1 --resolver 1.1.1.1

done_testing
