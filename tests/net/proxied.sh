#!/bin/bash
# proxied.sh - what else a run has, with a proxy: first flights, quotas, new rules, --permissive, logs.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
only_cf
# shellcheck source=tests/net/proxies.bash
. "$NET_DIR/proxies.bash"

serve socat TCP6-LISTEN:2222,ipv6-v6only=0,fork,reuseaddr 'SYSTEM:echo SSH-2.0-banner; cat'
must until_true 20 listening 203.0.113.10 2222
TRUST=(--proxy-ca "$T/ca.pem")
LOG=$T/home/flow.jsonl

told() { tr -d '\0' <"$T/tiny8888.log"; }
forget() { : >"$T/tiny8888.log"; }
# flight OPTION ... -- KIND HOST ...: what becomes of a first flight by the proxy; messages are in err.
flight() {
	local how=(-p "$HTTP")
	while [ "$1" != -- ]; do
		how+=("$1")
		shift
	done
	shift
	forget
	cf "${how[@]}" -- /usr/bin/python3 "$T/flight.py" "$@" 2>err
}
passes() {	# WANTED OPTION ... -- KIND HOST ...
	same "of ${*:2}" "$(flight "${@:2}")" "$1"
	same messages "$(cat err)" ""
}
is_refused() {	# REASON OPTION ... -- KIND HOST ...
	local reason=$1
	shift
	same "of $*" "$(flight "$@")" ECONNRESET
	like message "$(cat err)" "$reason"
}
get() { printf 'GET /hello HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n' "$1"; }
field() {	# EVENT FIELD: of each such line
	jq -r --arg e "$1" --arg f "$2" 'select(.event == $e) | .[$f] | tostring' "$LOG"
}

# ---- the end of it ----

cat >"$T/ends.py" <<'END'
import errno
import socket
import sys

s = socket.create_connection((sys.argv[1], 80), 10)
s.sendall(b"hello\n")
n = 0
try:
    while more := s.recv(65536):
        n += len(more)
        if n == 300000:
            s.sendall(b"all")
    print(n, "end")
except OSError as e:
    print(n, errno.errorcode[e.errno])
END
must until_true 20 listening 127.0.0.1 9109

# All that came before it can be read; then it is a reset, and no end.
a_reset_by_the_proxy_is_one() {	# OPTION ...
	same read "$(cf -p https://proxy.example.test:9109 "${TRUST[@]}" "$@" -- \
	    /usr/bin/python3 "$T/ends.py" reset.test)" "300000 ECONNRESET"
}
it a_reset_by_the_proxy_is_one
it a_reset_by_the_proxy_is_one --tcp-path tun
it a_reset_by_the_proxy_is_one --quota '*=1GB'
it a_reset_by_the_proxy_is_one --allow-cidr 0.0.0.0/0 --allow .test:80

# ---- first flights ----

# With and without an address that we know ("-d": cf-dns asks by the proxy).
first_flights_are_judged() {	# OPTION ...
	local www=(--allow www.example.test "$@")
	passes served "${www[@]}" -- tls www.example.test 443 www.example.test
	like "told the name" "$(told)" 'CONNECT www.example.test:443 '
	passes served "${www[@]}" --proxy-names never -d 203.0.113.53 -- tls www.example.test 443 www.example.test
	passes served "${www[@]}" -- tls www.example.test 443 www.example.test 7 20
	passes hello "${www[@]}" -- say www.example.test 80 "$(get www.example.test)" 1
	is_refused 'its first flight names evil.test' "${www[@]}" -- tls www.example.test 443 evil.test
	unlike "told the other" "$(told)" evil.test
	is_refused 'its first flight names nobody' "${www[@]}" -- tls www.example.test 443 -
	is_refused 'its first flight names nobody' "${www[@]}" -- say www.example.test 80 'hello\n'
	is_refused 'the server speaks first' "${www[@]}" -- hear www.example.test 2222
	passes SSH-2.0-banner --allow www.example.test:2222 "$@" -- hear www.example.test 2222
}
it first_flights_are_judged
it first_flights_are_judged --tcp-path tun
it first_flights_are_judged -d 203.0.113.53

# Also one that has no port of its own, and goes by TLS.
first_flights_go_by_tls() {
	passes served -p "$TLS" "${TRUST[@]}" --allow www.example.test -- \
	    tls www.example.test 443 www.example.test
	is_refused 'its first flight names evil.test' -p "$TLS" "${TRUST[@]}" --allow www.example.test -- \
	    tls www.example.test 443 evil.test
}
it first_flights_go_by_tls

BOTH=(--allow v4.example.test --allow second.example.test)
it_goes_by_the_name_that_was_said() {	# OPTION ...
	passes hello "${BOTH[@]}" "$@" -- say v4.example.test 80 "$(get second.example.test)"
	like "the first" "$(told)" 'CONNECT v4.example.test:80 '
	like "then the other" "$(told)" 'CONNECT second.example.test:80 '
}
it it_goes_by_the_name_that_was_said
it it_goes_by_the_name_that_was_said --tcp-path tun
it it_goes_by_the_name_that_was_said -d 203.0.113.53
it it_goes_by_the_name_that_was_said --proxy-only

# Each name has its own way: one goes directly, the other by the proxy.
it_changes_its_way() {
	passes hello "${BOTH[@]}" --no-proxy second.example.test -- \
	    say v4.example.test 80 "$(get second.example.test)"
	like "the first" "$(told)" 'CONNECT v4.example.test:80 '
	unlike "not the other" "$(told)" second
	passes hello "${BOTH[@]}" --no-proxy v4.example.test -- \
	    say v4.example.test 80 "$(get second.example.test)"
	unlike "not the first" "$(told)" v4
	like "the other" "$(told)" 'CONNECT second.example.test:80 '
}
it it_changes_its_way

the_way_that_is_not_open_is_not_taken() {
	# A name that the proxy does not find.
	same none "$(flight --allow v4.example.test --allow none.example.test -- \
	    say v4.example.test 80 "$(get none.example.test)")" ECONNRESET
	# What no proxy is told.
	same local "$(flight --allow v4.example.test --allow x.localhost -- \
	    say v4.example.test 80 "$(get x.localhost)")" ECONNRESET
	unlike told "$(told)" localhost
	same local "$(flight -d 203.0.113.53 --allow v4.example.test --allow x.localhost -- \
	    say v4.example.test 80 "$(get x.localhost)")" ECONNRESET
	unlike told "$(told)" localhost
}
it the_way_that_is_not_open_is_not_taken

names_that_are_denied_are_denied_by_address_too() {
	is_refused "blocked by .--deny-domain evil.test" --deny-domain evil.test -- \
	    tls 203.0.113.10 443 www.evil.test
	is_refused metadata.google.internal --block-metadata -- \
	    say 203.0.113.10 80 "$(get metadata.google.internal)"
	passes served --deny-domain evil.test -- tls 203.0.113.10 443 www.example.test
	# Asked for by name, the proxy is not told of it.
	forget
	status 6 fetch http://metadata.google.internal/ -p $HTTP --block-metadata
	status 7 fetch http://169.254.169.254/ -p $HTTP --block-metadata
	status 7 fetch http://10.0.0.1/ -p $HTTP --block-private
	unlike told "$(told)" CONNECT
}
it names_that_are_denied_are_denied_by_address_too

# ---- quotas ----

: >"$T/ends"
serve /usr/bin/python3 "$T/quota.py" serve "$T/ends"
must until_true 20 listening 203.0.113.10 6101
ends_of() { awk -v p="$1" '$1 == p' "$T/ends" | wc -l; }

quotas_are_exact() {	# OPTION ...
	: >"$T/ends"
	cf "$@" --quota '*:6101=1234567B/up' -- /usr/bin/python3 "$T/quota.py" up 203.0.113.10 6101 20000000 \
	    >out 2>err
	like line "$(cat err)" "ended by .--quota .*=1234567B/up"
	until_true 15 eval '[ "$(ends_of 6101)" -ge 1 ]' || failed "no end: $(cat "$T/ends")"
	same "the receiver's count" "$(awk '{ n += $2 } END { print n }' "$T/ends")" 1234567
	cf "$@" --quota '*=1234567B/down' -- /usr/bin/python3 "$T/quota.py" down 203.0.113.10 6102 >out 2>err
	same "the receiver's count" "$(cat out)" "1234567 ECONNRESET"
}
it quotas_are_exact -p $HTTP
it quotas_are_exact -p $SOCKS
it quotas_are_exact -p $SOCKS --tcp-path tun
it quotas_are_exact -p $TLS "${TRUST[@]}"

quotas_count_by_name() {
	# shellcheck disable=SC2016
	cf -p $HTTP --quota 'www.example.test=1conn' -- sh -c 'for n in www www v4; do
		curl -sS -m 10 "http://$n.example.test/hello" || echo no; done' >out 2>err
	same out "$(tr '\n' ' ' <out)" "hello no hello "
	like line "$(cat err)" 'blocked by .--quota www.example.test=1conn'
}
it quotas_count_by_name

# ---- new rules ----

new_rules_end_it() {	# HOST RULE OPTION ...
	: >denied
	rm -f opened stop
	cf --flow-log "$LOG" "${@:3}" --deny-file denied -- /usr/bin/python3 "$T/reload.py" "$1" 7 tcp \
	    >out 2>err &
	local run=$!
	until_true 10 test -e opened
	echo "$2" >denied
	kill -HUP "$(pids cf-spawn | head -n 1)"
	wait "$run"
	like tcp "$(cat out)" 'tcp: (ECONNRESET|EPIPE)'
	same end "$(field flow_end close_reason) $(field flow_end via_proxy)" "policy_reload true"
	[ "$(field flow_end bytes_up)" -gt 0 ]
}
it new_rules_end_it 203.0.113.10 203.0.113.0/24 -p $HTTP
it new_rules_end_it v4.example.test v4.example.test -p $HTTP
it new_rules_end_it v4.example.test .example.test -p $SOCKS --tcp-path tun
it new_rules_end_it v4.example.test .example.test -p $TLS "${TRUST[@]}"

# One that the proxy has not answered yet.
new_rules_end_what_is_being_opened() {
	: >denied
	cf -p http://127.0.0.1:9100 --deny-file denied -- \
	    bash -c 'curl -sS -m 20 http://silent.test/; echo "$?"' >out 2>err &
	local run=$!
	until_true 10 eval '[ "$(ss -Htn state established dst 127.0.0.1:9100 | wc -l)" -ge 1 ]'
	echo silent.test >denied
	kill -HUP "$(pids cf-spawn | head -n 1)"
	wait "$run"
	same status "$(cat out)" 7
	until_true 5 eval '[ "$(ss -Htn state established dst 127.0.0.1:9100 | wc -l)" = 0 ]'
}
it new_rules_end_what_is_being_opened

# ---- --permissive ----

permissive_opens_nothing_around_it() {
	status 1 cf --permissive -p $HTTP -- ping -c 1 -W 2 203.0.113.10 2>err
	like line "$(cat err)" "blocked by .--proxy.: it does not carry ICMP"
	status 1 cf --permissive -p $HTTP --deny '*' -- ping -c 1 -W 2 203.0.113.10 2>err
	status 1 cf --permissive -p $HTTP --proxy-only -- ping -c 1 -W 2 203.0.113.10 2>err
	# What the rules refuse passes, and by the proxy.
	forget
	same page "$(fetch http://v4.example.test/hello --permissive -p $HTTP --deny '*' 2>err)" hello
	like told "$(told)" 'CONNECT v4.example.test:80 '
	like line "$(cat err)" 'would be blocked'
}
it permissive_opens_nothing_around_it

# ---- --proxy-only ----

allow_rules_open_nothing_around_it() {	# RULE OPTION ...
	refused both 'exclude each other' cf -p $HTTP --proxy-only "$@" --no-proxy 203.0.113.10 -- true
	forget
	same page "$(fetch http://203.0.113.10/hello -p $HTTP --proxy-only "$@")" hello
	like told "$(told)" 'CONNECT 203.0.113.10:80 '
	status 1 cf -p $HTTP --proxy-only "$@" -- ping -c 1 -W 2 203.0.113.10 2>err
	like line "$(cat err)" "blocked by .--proxy"
	status 1 cf -p $HTTP --proxy-only "$@" -- bash -c '
		[ "$(echo word | socat -t 1 - UDP4:203.0.113.10:7)" = word ]'
}
it allow_rules_open_nothing_around_it --allow 203.0.113.10
it allow_rules_open_nothing_around_it --allow '*'
it allow_rules_open_nothing_around_it --allow-cidr 203.0.113.0/24 --default-policy deny

# ---- the flow log ----

the_log_says_which_way() {
	cf --flow-log "$LOG" -p $HTTP --no-proxy 203.0.113.20 --allow .example.test --allow 203.0.113.20 -- sh -c '
		curl -sS http://www.example.test/hello; curl -sS http://203.0.113.20/hello
		ping -c 1 -W 1 203.0.113.10' >out 2>err || :
	same way "$(field flow_end via_proxy | tr '\n' ' ')" "true false "
	same upstream "$(field flow_end upstream | tr '\n' ' ')" "$HTTP null "
	same names "$(field flow_end names | head -n 1)" '["www.example.test"]'
	same "its port" "$(jq -r 'select(.event == "flow_end") | .remote_port' "$LOG" | head -n 1)" 80
	like rule "$(field connect_attempt rule | head -n 1)" 'allowed by .--allow .example.test'
	like rule "$(field connect_attempt rule | tail -n 1)" 'allowed by .--allow 203.0.113.20'
	same "what it does not carry" "$(field policy_violation reason_code | sort -u)" no_upstream
	/usr/bin/python3 "$T/flowlog.py" schema "$SOURCE/shared/flowlog.schema.json" "$LOG" >out
}
it the_log_says_which_way

the_log_says_the_rule_of_a_proxied_flow() {	# OPTION ...
	cf --flow-log "$LOG" -p $HTTP --proxy-only "$@" -- curl -sS http://www.example.test/hello >out
	like rule "$(field connect_attempt rule)" 'allowed by'
	unlike rule "$(field connect_attempt rule)" '198\.18'
}
it the_log_says_the_rule_of_a_proxied_flow --allow www.example.test
it the_log_says_the_rule_of_a_proxied_flow --allow '*'

the_log_says_where_it_was_dialled_again() {
	cf --flow-log "$LOG" -p $HTTP "${BOTH[@]}" -- /usr/bin/python3 "$T/flight.py" \
	    say v4.example.test 80 "$(get second.example.test)" >out
	same names "$(field connect_attempt names | tr '\n' ' ')" \
	    '["v4.example.test"] ["second.example.test"] '
	same "by its end" "$(field flow_end names) $(field flow_end server_name)" \
	    '["second.example.test"] second.example.test'
	same way "$(field flow_end via_proxy)" true
}
it the_log_says_where_it_was_dialled_again
done_testing
