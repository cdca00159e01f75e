#!/bin/bash
# upstream.sh - runs behind a proxy: real ones of each kind, on the host's loopback.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
only_cf

# shellcheck source=tests/net/proxies.bash
. "$NET_DIR/proxies.bash"

# ---- each kind ----

a_page_comes_by_the_proxy() {	# PROXY URL
	same page "$(fetch "$2" -p "$1")" hello
}
for p in $HTTP $SOCKS socks5h://127.0.0.1:1080; do
	it a_page_comes_by_the_proxy "$p" http://203.0.113.10/hello
	it a_page_comes_by_the_proxy "$p" http://example.test/hello
	it a_page_comes_by_the_proxy "$p" 'http://[2001:db8::10]/hello'
done
it a_page_comes_by_the_proxy http://proxy.example.test:8888 http://example.test/hello

own_tcp_goes_by_it_too() {
	same page "$(fetch http://example.test/hello --tcp-path tun -p $HTTP)" hello
}
it own_tcp_goes_by_it_too

much_comes_whole() {	# OPTION ...
	head -c 20000000 /dev/urandom >"$T/www/much"
	fetch http://example.test/much "$@" | cmp - "$T/www/much"
	# shellcheck disable=SC2016
	cf "$@" -- curl -sS -m 20 -T - http://example.test/put/up <"$T/www/much"
	cmp "$T/www/much" "$T/put/up"
	rm -f "$T/put/up"
}
it much_comes_whole -p $HTTP
it much_comes_whole -p $SOCKS
it much_comes_whole -p $TLS --proxy-ca "$T/ca.pem"

# ---- logins ----

a_login_is_made() {	# PROXY OPTION ...
	as_caller sh -c 'umask 077; echo pass >secret'
	same file "$(fetch http://example.test/hello -p "$1" -U user --proxy-password-file secret)" hello
	same environment "$(CF_PROXY_USER=user CF_PROXY_PASSWORD=pass \
	    fetch http://example.test/hello -p "$1")" hello
	fetch http://example.test/hello -p "$1" -U user -P pass >out 2>err
	same "command line" "$(cat out)" hello
	like warned "$(cat err)" 'others could read it on the command line'
}
it a_login_is_made http://127.0.0.1:8889
it a_login_is_made socks5://127.0.0.1:1081

a_wrong_login_is_told() {	# PROXY LINE
	export CF_PROXY_PASSWORD=wrong
	status 7 fetch http://example.test/hello -p "$1" -U user 2>err
	like line "$(cat err)" "$2"
}
it a_wrong_login_is_told http://127.0.0.1:8889 'CONNECT: 40[17]: it'
it a_wrong_login_is_told socks5://127.0.0.1:1081 'login: it'
it a_wrong_login_is_told http://127.0.0.1:3128 'CONNECT: 407: it does not accept the user or the password'

digest_is_answered() {
	# Twice in a run: the second has the challenge already.
	# shellcheck disable=SC2016
	CF_PROXY_PASSWORD=secret cf -p http://127.0.0.1:3128 -U digger -- sh -c \
	    'for i in 1 2 3; do curl -sS -m 10 http://example.test/hello; done' >out
	same pages "$(grep -c hello out)" 3
	like "it was asked" "$(cat "$T/squid/access.log")" 'TCP_DENIED/407'
	like "as digger" "$(cat "$T/squid/access.log")" 'CONNECT example.test:80 digger'
}
it digest_is_answered

no_secret_is_seen() {
	# shellcheck disable=SC2016
	CF_PROXY_PASSWORD=sesame cf -p socks5://127.0.0.1:1080 -U me -p http://127.0.0.1:8889 -U u -P geheimnis -p $SOCKS \
	    -- sh -c 'env; touch up; until [ -e down ]; do sleep 0.05; done' >out 2>/dev/null &
	until_true 10 test -e up
	# shellcheck disable=SC2046
	cat $(printf '/proc/%s/cmdline ' $(pids cf-spawn sh) $(helpers)) >lines
	# shellcheck disable=SC2046
	cat $(printf '/proc/%s/environ ' $(pids cf-spawn sh)) >environ 2>/dev/null || :
	touch down
	wait $!
	status 1 grep -aq 'geheimnis\|sesame' lines environ out
	grep -aq '\*\*\*\*\*\*\*\*\*' lines
}
it no_secret_is_seen

a_login_is_for_its_own_proxy() {
	status 7 fetch http://example.test/hello -p $HTTP -U user -P pass -p http://127.0.0.1:8889 2>err
	like line "$(cat err)" 'http://127.0.0.1:8889: CONNECT: 40[17]'
	same page "$(fetch http://example.test/hello -p $HTTP -p http://127.0.0.1:8889 -U user -P pass 2>/dev/null)" hello
}
it a_login_is_for_its_own_proxy

# ---- TLS ----

tls_is_trusted_by() {	# OPTION ...
	same page "$(fetch http://203.0.113.10/hello -p $TLS "$@")" hello
	same page "$(fetch http://www.example.test/hello -p $TLS "$@")" hello
}
it tls_is_trusted_by --proxy-ca "$T/ca.pem"
it tls_is_trusted_by --proxy-ca "$T/server.pem"
it tls_is_trusted_by --proxy-insecure
it tls_is_trusted_by -p http://127.0.0.1:8888 --proxy-ca "$T/ca.pem"

tls_is_refused() {	# PROXY LINE OPTION ...
	status 7 fetch http://203.0.113.10/hello -p "$1" "${@:3}" 2>err
	like line "$(cat err)" "upstream proxy $1: TLS: $2"
}
it tls_is_refused $TLS 'its certificate is not trusted: '
it tls_is_refused https://other.example:3129 'its certificate is for another name' --proxy-ca "$T/ca.pem"
it tls_is_refused https://other.example:3129 'its certificate is for another name' --proxy-insecure
it tls_is_refused https://127.0.0.1:3129 'its certificate is for another name' --proxy-insecure
it tls_is_refused https://proxy.example.test:3128 'it does not speak TLS' --proxy-insecure

# /etc is this world's own.
the_system_is_trusted() {
	cat "$T/ca.pem" >>/etc/ssl/certs/ca-certificates.crt
	tls_is_trusted_by -v
}
it the_system_is_trusted

tls_passes_ends_on() {
	# The end of one direction is not the end of the other.
	same banner "$(echo word | cf -p https://proxy.example.test:3130 --proxy-insecure -- \
	    socat -t 5 - TCP4:early.test:7)" banner
	same end "$(cf -p https://proxy.example.test:3130 --proxy-insecure -- \
	    curl -sS -m 10 --http0.9 -o - http://ok.test/)" hello
}
it tls_passes_ends_on

# ---- chains ----

a_chain_is_passed() {	# PROXY ...
	local options=() p
	for p; do options+=(-p "$p"); done
	[[ $* != *https* ]] || options+=(--proxy-insecure)
	same page "$(fetch http://example.test/hello "${options[@]}")" hello
}
it a_chain_is_passed $HTTP $SOCKS
it a_chain_is_passed $SOCKS $HTTP
it a_chain_is_passed $TLS $SOCKS
it a_chain_is_passed $SOCKS $TLS
it a_chain_is_passed $TLS $TLS $HTTP $SOCKS $TLS

# ---- speed ----

# The socket itself goes to cf-netstack: cf-upstream has no descriptor of it.
the_socket_is_handed_over() {
	# shellcheck disable=SC2016
	cf -p "$1" -- sh -c 'sleep infinity | socat - TCP4:203.0.113.10:7 &
		until ss -Htn state established 2>/dev/null | grep -q :7; do sleep 0.05; done
		touch up; until [ -e down ]; do sleep 0.05; done; kill $(jobs -p)' >out 2>&1 &
	until_true 10 test -e up
	ls -l "/proc/$(pids cf-upstream)/fd" >fds
	touch down
	wait $! || :
	# Its channel, epoll, the loop's own; no connection.
	same sockets "$(grep -c 'socket:' fds)" 1
}
it the_socket_is_handed_over $HTTP
it the_socket_is_handed_over $SOCKS

# ---- options ----

wrong_options_are_refused() {
	local x=(-- true)
	refused scheme 'begins with none' cf -p ftp://x:1 "${x[@]}"
	refused port 'port is missing' cf -p http://x "${x[@]}"
	refused path 'no path' cf -p http://x:1/y "${x[@]}"
	refused login 'do not belong here' cf -p http://u:p@x:1 "${x[@]}"
	refused half 'a user and no password' cf -p $HTTP -U u "${x[@]}"
	refused half 'a password and no user' env CF_PROXY_PASSWORD=x "$CF" --user cftest -p $HTTP "${x[@]}"
	refused only '--proxy-only is given, and no --proxy' cf --proxy-only "${x[@]}"
	refused both 'exclude each other' cf -p $HTTP --proxy-only --udp-direct "${x[@]}"
	refused names 'nobody can be asked' cf -p $HTTP --dns-mode real "${x[@]}"
	refused names 'nobody can be asked' cf -p $HTTP --proxy-names never "${x[@]}"
	refused mode 'one of auto, always and never' cf -p $HTTP --proxy-names maybe "${x[@]}"
	refused list 'no network and no name' cf -p $HTTP --no-proxy 'a b/c' "${x[@]}"
	refused tls 'for an https:// proxy' cf -p $HTTP --proxy-insecure "${x[@]}"
	refused ca 'no certificate' cf -p $TLS --proxy-ca /etc/hosts "${x[@]}"
	refused unknown 'its name was not found' cf -p http://nowhere.test:1 "${x[@]}"
}
it wrong_options_are_refused
done_testing
