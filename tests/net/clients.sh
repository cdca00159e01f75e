#!/bin/bash
# clients.sh - each kind of rule as real clients meet it: who gets through, and that the others
# fail at once.  What programs see of a refusal, flow by flow, is in policy.sh; made-up first
# flights are in firstflight.sh.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
if [ -n "$WITH" ]; then
	skip all "says nothing about $WITH"
	done_testing
fi

# HTTP/2 with TLS and without, and an HTTP/3 server where it is used to stand.
mkdir "$T/h2" "$T/h3"
echo hello >"$T/h3/hello"
nginx_conf | sed -e "s|$T/nginx|$T/h2|" -e '/listen /d' -e 's|server {|&\
	listen 8443 ssl http2; listen [::]:8443 ssl http2; listen 8080 http2; listen [::]:8080 http2;|' \
    >"$T/h2.conf"
serve nginx -p "$T/h2" -c "$T/h2.conf"
for host in 203.0.113.10 2001:db8::10; do
	serve gtlsserver -q -d "$T/h3" "$host" 443 "$T/server.key" "$T/server.pem"
done
must until_true 20 listening 203.0.113.10 8080
must until_true 20 eval '[ "$(sv ss -Hlun "sport = :443" | wc -l)" = 2 ]'

# ---- clients: each gets "hello" from HOST and says nothing, or fails ----

export CA="$T/ca.pem"
in_url() { case $1 in *:*) echo "[$1]" ;; *) echo "$1" ;; esac; }
curl_http() { curl -sS -m 5 "http://$(in_url "$1")/hello"; }
curl_https() { curl -sS -m 5 --http1.1 --cacert "$CA" "https://$(in_url "$1")/hello"; }
curl_h2() { curl -sS -m 5 --http2 --cacert "$CA" "https://$(in_url "$1"):8443/hello"; }
curl_h2c() { curl -sS -m 5 --http2-prior-knowledge "http://$(in_url "$1"):8080/hello"; }
# Debian's static build falls over its own -T.
busybox_wget() { timeout 5 busybox wget -q -O - "http://$(in_url "$1")/hello"; }
openssl_tls() {
	printf 'GET /hello HTTP/1.0\r\nHost: %s\r\n\r\n' "$(in_url "$1")" |
	    timeout 5 openssl s_client -quiet -ign_eof -CAfile "$CA" -verify_return_error \
	    -connect "$(in_url "$1"):443" | tail -n 1
}
python_tls() {
	timeout 5 /usr/bin/python3 -c '
import os, socket, ssl, sys
c = ssl.create_default_context(cafile=os.environ["CA"])
s = c.wrap_socket(socket.create_connection((sys.argv[1], 443), 5), server_hostname=sys.argv[1])
s.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
print(s.makefile().read().split()[-1])' "$1"
}
node_https() {
	NODE_EXTRA_CA_CERTS=$CA timeout 5 node -e '
const request = require("https").get({ host: process.argv[1], path: "/hello", agent: false },
    (r) => r.on("data", (d) => process.stdout.write(d)));
request.on("error", (e) => { console.error(e.code); process.exit(1); });' "$1"
}
nc_http() {
	printf 'GET /hello HTTP/1.0\r\nHost: %s\r\n\r\n' "$(in_url "$1")" |
	    timeout 5 nc -w 5 "$1" 80 | tail -n 1
}
nc_udp() { timeout 5 nc -u -W 1 -w 5 "$1" 7 <<<hello; }
ping_icmp() { ping -c 1 -W 5 "$1" >&2 && echo hello; }

CLIENTS="curl_http curl_https curl_h2 curl_h2c busybox_wget openssl_tls python_tls nc_http nc_udp
    ping_icmp"
if command -v node >/dev/null; then
	CLIENTS+=" node_https"
else
	skip node_https "node is not installed"
fi

# Said of each client and host that got through: "client4" or "client6".
try_all() {	# V4 V6 CLIENT ...
	local v4=$1 v6=$2 client
	shift 2
	for client in "$@"; do
		[ "$("$client" "$v4")" != hello ] || echo "${client}4"
		[ "$("$client" "$v6")" != hello ] || echo "${client}6"
	done
}
# shellcheck disable=SC2086,SC2163
export -f in_url try_all $CLIENTS

# opens "WHAT ..." "V4 V6" OPTION ...: those get through and no other, and these fail at once.  WHAT is
# a shell pattern of client4, client6.
opens() {
	local what=$1 hosts=$2 client word v start want=
	shift 2
	for client in $CLIENTS; do
		for v in 4 6; do
			set -f
			for word in $what; do
				# shellcheck disable=SC2053
				[[ $client$v == $word ]] && want+=" $client$v" && break
			done
			set +f
		done
	done
	start=$(ms_now)
	# shellcheck disable=SC2016,SC2086
	cf "$@" -- bash -c 'try_all "$@" 2>err.clients' bash $hosts $CLIENTS >out 2>err || :
	# shellcheck disable=SC2046
	same "with $*" "$(echo $(cat out))" "${want# }"
	[ $(($(ms_now) - start)) -lt 15000 ] || failed "it took $(($(ms_now) - start)) ms"
}

NAMES="v4.example.test v6.example.test"
HOSTS="203.0.113.10 2001:db8::10"
nobody=""

# ---- rules about names ----

it opens '*' "$NAMES" --deny-domain other.test
it opens '*' "$NAMES" --allow '*.example.test'
it opens '*' "$NAMES" --allow-domain example.test --default-policy deny
it opens '*4' "$NAMES" --allow-domain-exact v4.example.test --default-policy deny
it opens '*6' "$NAMES" --allow .v6.example.test
it opens '*6' "$NAMES" --deny-domain-exact v4.example.test
it opens "$nobody" "$NAMES" --deny-domain example.test
it opens "$nobody" "$NAMES" --deny '*.example.test'
it opens "$nobody" "$NAMES" --allow example.test
it opens "$nobody" "$HOSTS" --allow .example.test

# ---- rules about addresses, and switches ----

it opens '*' "$HOSTS" --allow-cidr 203.0.113.0/24 --allow-cidr 2001:db8::/32 \
    --default-policy deny
it opens '*4' "$HOSTS" --allow 203.0.113.10
it opens '*4' "$HOSTS" --deny-cidr 2001:db8::10
it opens '*6' "$NAMES" --allow .example.test --deny 203.0.113.0/24
it opens "$nobody" "$NAMES" --default-policy deny
it opens "$nobody" "$NAMES" --offline

# ---- ports and protocols ----

https="curl_https* openssl_tls* python_tls* node_https*"
plain="curl_http[46] busybox_wget* nc_http*"
it opens "$https" "$NAMES" --allow '*.example.test:443/tcp'
it opens "$plain curl_h2c*" "$NAMES" --allow '*.example.test:80,8080'
it opens "curl_h2[46] curl_h2c*" "$NAMES" --allow '*.example.test:8000-8999'
it opens 'nc_udp*' "$NAMES" --allow '*.example.test/udp'
it opens 'ping_icmp*' "$NAMES" --allow '*.example.test/icmp'
it opens 'nc_udp* ping_icmp*' "$NAMES" --deny '*:1-65535/tcp'
it opens "$https curl_h2[46] curl_h2c* nc_udp* ping_icmp*" "$NAMES" --deny '*.example.test:80'

in_names() {	# WANTED OPTION ...: what dig finds out about both
	local want=$1
	shift
	same "with $*" "$(cf "$@" -- bash -c '
		dig +short +timeout=3 +tries=1 v4.example.test A
		dig +short +timeout=3 +tries=1 v6.example.test AAAA' 2>err | paste -sd ' ')" "$want"
}
it in_names "$HOSTS" --allow '*.example.test:443/tcp'
it in_names "203.0.113.10" --deny-domain-exact v6.example.test
it in_names "" --allow 203.0.113.10

# ---- HTTP/3 ----

# h3 NAME SECONDS: a page by QUIC alone.  This client does not mind an ICMP error.
h3() {
	rm -rf got
	mkdir got
	chmod 777 got
	timeout "$2" gtlsclient -q --exit-on-all-streams-close --download="$PWD/got" "$1" 443 \
	    "https://$1/hello" >/dev/null 2>&1
	cat got/hello 2>/dev/null
}
export -f h3
http_3() {	# WANTED NAME OPTION ...
	local want=$1 name=$2
	shift 2
	same "with $*" "$(cf "$@" -- bash -c 'h3 "$@"' bash "$name" ${want:+1}1 2>err)" "$want"
}
for name in $NAMES; do
	it http_3 hello "$name" --deny-cidr 192.0.2.1
	it http_3 hello "$name" --quic check --allow "$name"
	it http_3 hello "$name" --quic allow --allow "$name"
	it http_3 "" "$name" --allow "$name"
	it http_3 "" "$name" --quic check --allow example.test
done
# What makes a browser fall back: QUIC is refused at once, and TCP is there.
tcp_is_left_where_quic_is_refused() {
	same page "$(cf --allow v4.example.test -v -- bash -c '
		h3 v4.example.test 1; curl_https v4.example.test' 2>err)" hello
	like message "$(cat err)" 'udp 203.0.113.10:443 .*(quic|QUIC)'
}
it tcp_is_left_where_quic_is_refused

# ---- what is not seen, as cf-policy(7) says ----

inside_tls_nothing_is_seen() {
	same host "$(cf --allow v4.example.test -- curl -sS -m 5 --cacert "$CA" -H 'Host: hidden.test' \
	    https://v4.example.test/whoami)" "198.51.100.2 hidden.test"
}
it inside_tls_nothing_is_seen

a_later_request_is_not_seen() {
	# shellcheck disable=SC2016
	same hosts "$(cf --allow v4.example.test -- bash -c '
		exec 3<>/dev/tcp/v4.example.test/80
		for host in v4.example.test hidden.test; do
			printf "GET /whoami HTTP/1.1\r\nHost: %s\r\n\r\n" $host >&3
			until read -r -t 5 line <&3 && [[ $line == 198.* ]]; do :; done
			echo "${line#* }"
		done' | paste -sd ' ')" "v4.example.test hidden.test"
}
it a_later_request_is_not_seen

done_testing
