#!/bin/bash
# around.sh - with a proxy nothing goes around it but what was let: names, UDP, ICMP, rules.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
only_cf
# shellcheck source=tests/net/proxies.bash
. "$NET_DIR/proxies.bash"

# ---- names ----

log_of() { grep -c "$2" "$T/tiny$1.log" || :; }

the_proxy_is_told() {	# PATTERN OPTION ...
	: >"$T/tiny8888.log"
	same page "$(fetch http://example.test/hello -p $HTTP "${@:2}")" hello
	like told "$(cat "$T/tiny8888.log")" "CONNECT $1 "
}
it the_proxy_is_told example.test:80
it the_proxy_is_told example.test:80 -d 203.0.113.53
it the_proxy_is_told example.test:80 --dns-direct
it the_proxy_is_told example.test:80 --proxy-names always -d 203.0.113.53
it the_proxy_is_told '(203.0.113.10|\[2001:db8::10\]):80' --proxy-names never -d 203.0.113.53
it the_proxy_is_told '(203.0.113.10|\[2001:db8::10\]):80' --proxy-names never --dns-direct
it the_proxy_is_told '(203.0.113.10|\[2001:db8::10\]):80' --proxy-names never --dns-mode synthetic \
    -d 203.0.113.53
# What a hosts file says is meant.
it the_proxy_is_told 203.0.113.10:80 --add-host example.test:203.0.113.10

names_of_nobody_work() {
	same page "$(fetch http://ok.onion/ -p http://127.0.0.1:9100)" hello
	same asked "$(grep -c onion "$T/dns.log" || :)" 0
}
it names_of_nobody_work

nobody_else_is_asked() {
	: >"$T/dns.log"
	cf -p http://127.0.0.1:9100 -- dig +short MX secret.example.test >out
	cf -p http://127.0.0.1:9100 -- dig +short secret.example.test @203.0.113.53 >out
	same asked "$(grep -c secret "$T/dns.log" || :)" 0
	cf -p $HTTP --dns-direct -- dig +short MX example.test >out
	same direct "$(cat out)" "10 mail.example.test."
}
it nobody_else_is_asked

a_resolver_is_asked_by_the_proxy() {
	: >"$T/tiny8888.log"
	same answer "$(cf -p $HTTP -d 203.0.113.53 -- dig +short v4.example.test)" 203.0.113.10
	same answer "$(cf -p $HTTP -d 203.0.113.53 -- dig +short MX example.test)" "10 mail.example.test."
	like asked "$(cat "$T/tiny8888.log")" 'CONNECT 203.0.113.53:53 '
}
it a_resolver_is_asked_by_the_proxy

# ---- nothing leaks ----

# Packets at the other end of the link, but those by which neighbours find each other.
must sv nft add table inet seen
must sv nft add chain inet seen in '{ type filter hook prerouting priority 0; }'
must sv nft add rule inet seen in iifname veth1 meta protocol ip counter
must sv nft add rule inet seen in iifname veth1 icmpv6 type '{ 133, 134, 135, 136, 143 }' accept
must sv nft add rule inet seen in iifname veth1 meta protocol ip6 counter
sent() { sv nft list chain inet seen in | awk '/counter/ { sum += $(NF - 2) } END { print sum }'; }

# The proxy is on loopback and goes nowhere: what comes to the link has leaked.
nothing_leaks() {	# OPTION ...
	local before
	before=$(sent)
	cf -p http://127.0.0.1:9100 "$@" -- bash -c 'curl -sS -m 5 http://ok.test/
		curl -sS -m 5 http://203.0.113.10/; dig +time=1 +tries=1 x.test @203.0.113.53
		dig +time=1 +tries=1 +tcp x.test @203.0.113.53; dig +time=1 +tries=1 TXT x.test
		ping -c 1 -W 1 203.0.113.10; echo x >/dev/udp/203.0.113.10/7
		echo x >/dev/tcp/203.0.113.53/53; true' >out 2>&1
	same packets "$(($(sent) - before))" 0
	like page "$(cat out)" hello
}
it nothing_leaks
it nothing_leaks -d 203.0.113.53
it nothing_leaks --proxy-only
it nothing_leaks --allow-cidr 0.0.0.0/0 --proxy-only

what_it_cannot_carry_is_refused() {	# COMMAND WHAT OPTION
	status 1 cf -p $HTTP -- bash -c "$1" 2>err
	like line "$(cat err)" "blocked by .--proxy.: it does not carry $2"
	like hint "$(cat err)" "$3 would let it go directly"
	cf -p $HTTP "$3" -- bash -c "$1" >out
	status 1 cf -p $HTTP --proxy-only -- bash -c "$1" 2>err
	like line "$(cat err)" "blocked by .--proxy"
}
it what_it_cannot_carry_is_refused 'ping -c 1 -W 2 203.0.113.10' ICMP --icmp-direct
# shellcheck disable=SC2016
it what_it_cannot_carry_is_refused \
    '[ "$(echo word | socat -t 2 - UDP4:203.0.113.10:7)" = word ]' UDP --udp-direct

some_go_directly() {	# LIST URL
	: >"$T/tiny8888.log"
	same page "$(fetch "$2" -p $HTTP --no-proxy "$1")" hello
	same asked "$(log_of 8888 CONNECT)" 0
	same page "$(fetch http://second.example.test/hello -p $HTTP --no-proxy "$1")" hello
	like asked "$(cat "$T/tiny8888.log")" 'CONNECT second.example.test:80'
}
it some_go_directly 203.0.113.10 http://203.0.113.10/hello
it some_go_directly 192.0.2.0/24,203.0.113.8/29 http://203.0.113.10/hello
it some_go_directly 2001:db8::/32 'http://[2001:db8::10]/hello'
it some_go_directly www.example.test http://www.example.test/hello
it some_go_directly 'corp.example *.v4.example.test' http://v4.example.test/hello

rules_hold_by_the_proxy() {
	status 7 fetch http://203.0.113.10/hello -p $HTTP --deny-cidr 203.0.113.10
	status 7 fetch http://203.0.113.10/hello -p $HTTP --default-policy deny
	same page "$(fetch http://203.0.113.10/hello -p $HTTP --allow 203.0.113.10:80)" hello
	same page "$(fetch http://example.test/hello -p $HTTP --allow example.test:80/tcp)" hello
	same page "$(fetch http://example.test/hello -p $HTTP --allow .test --proxy-only)" hello
	status 6 fetch http://example.test/hello -p $HTTP --deny-domain test
	status 6 fetch http://example.test/hello -p $HTTP --allow www.example.test
	status 7 fetch http://example.test:81/hello -p $HTTP --allow example.test:80
	status 6 fetch http://example.test/hello -p $HTTP --offline
	status 7 fetch http://10.1.2.3/hello -p http://127.0.0.1:9100 --block-private
	status 7 fetch http://127.0.0.1:8888/ -p http://127.0.0.1:9100
}
it rules_hold_by_the_proxy

# To a proxy these are its own machine, or an address that nobody has judged.
some_names_are_no_names() {	# NAME
	# shellcheck disable=SC2016
	status 7 cf -p http://127.0.0.1:9100 -- sh -c \
	    'curl -sS -m 5 "http://$(dig +short "$1" A | head -n 1)/"' sh "$1" 2>err
	like line "$(cat err)" "$1.: blocked: $1 is"
}
it some_names_are_no_names localhost
it some_names_are_no_names x.localhost
it some_names_are_no_names 127.0.0.1
it some_names_are_no_names 2130706433
it some_names_are_no_names x.0x7f

events_say_which_way() {
	cf -p $HTTP --no-proxy 203.0.113.10 -v -- sh -c 'curl -sS http://203.0.113.10/hello
		curl -sS http://second.example.test/hello; ping -c 1 -W 1 203.0.113.20' >out 2>err || :
	like refused "$(cat err)" 'no_upstream|does not carry ICMP'
}
it events_say_which_way

done_testing
