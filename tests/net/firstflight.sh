#!/bin/bash
# firstflight.sh - where a rule is about names, what a connection says first has to name one.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
if [ -n "$WITH" ]; then
	skip all "says nothing about $WITH"
	done_testing
fi

# One that speaks first, at the address of many names, on a port of its own.
serve socat TCP6-LISTEN:2222,ipv6-v6only=0,fork,reuseaddr 'SYSTEM:echo SSH-2.0-banner; cat'
must until_true 20 listening 203.0.113.10 2222

PATHS="kernel tun"
cf --tcp-path kernel -- true 2>/dev/null || PATHS=tun
TCP=

# flight OPTIONS -- KIND HOST ...: what becomes of a first flight; messages are in err.
flight() {
	local how=()
	while [ "$1" != -- ]; do
		how+=("$1")
		shift
	done
	shift
	cf --tcp-path "$TCP" "${how[@]}" -- /usr/bin/python3 "$T/flight.py" "$@" 2>err
}
# passes WANTED OPTIONS -- ...; refused REASON OPTIONS -- ...
passes() {
	same "of ${*:2}" "$(flight "${@:2}")" "$1"
	same messages "$(cat err)" ""
}
refused() {
	local reason=$1
	shift
	same "of $*" "$(flight "$@")" ECONNRESET
	like message "$(cat err)" "$reason"
}

GET='GET /hello HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n'
get() {	# HOST: a request for it
	# shellcheck disable=SC2059
	printf "${GET//\\/\\\\}" "$1"
}
WWW=(--allow www.example.test)
BOTH=(--allow www.example.test --allow example.test)
MISMATCH="its first flight names"
MISSING="its first flight names nobody"

names_that_are_allowed_pass() {	# HOST
	passes served "${WWW[@]}" -- tls "$1" 443 www.example.test
	passes served "${WWW[@]}" -- tls "$1" 443 WWW.Example.TEST
	passes hello "${WWW[@]}" -- say "$1" 80 "$(get www.example.test)"
	passes hello "${WWW[@]}" -- say "$1" 80 "$(get www.example.test:80)"
	passes hello "${WWW[@]}" -- say "$1" 80 "$(get Www.Example.Test.)"
	passes hello --allow '*.example.test:80' -- say "$1" 80 "$(get www.example.test)"
}
other_names_are_refused() {	# HOST
	refused "$MISMATCH evil.test; --allow evil.test:443/tcp would allow it" "${WWW[@]}" -- \
	    tls "$1" 443 evil.test
	refused "$MISMATCH example.test" "${WWW[@]}" -- tls "$1" 443 example.test
	refused "$MISMATCH www.example.test.evil.test" "${WWW[@]}" -- tls "$1" 443 \
	    www.example.test.evil.test
	refused "$MISMATCH evil.test" "${WWW[@]}" -- say "$1" 80 "$(get evil.test)"
}
in_each_family() {	# HOST
	passes served --allow "$1" -- tls "$1" 443 "$1"
	passes hello --allow "$1" -- say "$1" 80 "$(get "$1")" 1
	refused "$MISMATCH evil.test" --allow "$1" -- tls "$1" 443 evil.test 1
	refused "$MISMATCH evil.test" --allow "$1" -- say "$1" 80 "$(get evil.test)"
	refused "speaks first" --allow "$1" -- hear "$1" 2222
	passes SSH-2.0-banner --allow "$1:2222" -- hear "$1" 2222
}
no_name_is_refused() {
	refused "$MISSING" "${WWW[@]}" -- tls www.example.test 443 -
	refused "$MISSING" "${WWW[@]}" -- tls www.example.test 443 203.0.113.10
	refused "$MISSING" "${WWW[@]}" -- say www.example.test 80 "$(get 203.0.113.10)"
	refused "$MISSING" "${WWW[@]}" -- say www.example.test 80 'GET /hello HTTP/1.0\r\n\r\n'
	refused "would let it pass by address" "${WWW[@]}" -- say www.example.test 80 'hello\n'
}
cut_up_it_is_the_same() {
	passes served "${WWW[@]}" -- tls www.example.test 443 www.example.test 1
	passes served "${WWW[@]}" -- tls www.example.test 443 www.example.test 7 20
	passes served "${WWW[@]}" -- tls www.example.test 443 www.example.test 0 1
	refused "$MISMATCH evil.test" "${WWW[@]}" -- tls www.example.test 443 evil.test 1 3
	passes hello "${WWW[@]}" -- say www.example.test 80 "$(get www.example.test)" 1
	refused "$MISMATCH evil.test" "${WWW[@]}" -- say www.example.test 80 "$(get evil.test)" 1
}
both_names_of_a_request_count() {
	local rest=' HTTP/1.1\r\nConnection: close\r\nHost: '
	passes hello "${WWW[@]}" -- say www.example.test 80 \
	    "GET http://www.example.test/hello${rest}www.example.test\\r\\n\\r\\n"
	refused "$MISMATCH evil.test" "${WWW[@]}" -- say www.example.test 80 \
	    "GET http://evil.test/hello${rest}www.example.test\\r\\n\\r\\n"
	refused "$MISMATCH evil.test" "${WWW[@]}" -- say www.example.test 80 \
	    "GET http://www.example.test/hello${rest}evil.test\\r\\n\\r\\n"
	refused "$MISMATCH evil.test" "${WWW[@]}" -- say www.example.test 80 \
	    "CONNECT evil.test:443${rest}www.example.test\\r\\n\\r\\n"
	refused "cannot be read" "${WWW[@]}" -- say www.example.test 80 \
	    "GET /hello${rest}www.example.test\\r\\nHost: evil.test\\r\\n\\r\\n"
}
# The address is right for both; each name needs a rule of its own.
two_names_of_one_address() {
	passes served "${BOTH[@]}" -- tls @example.test/203.0.113.10 443 example.test
	refused "$MISMATCH example.test" "${WWW[@]}" -- tls www.example.test 443 example.test
	# Not asked for here, but an address of it is found.
	passes served "${BOTH[@]}" -- tls www.example.test 443 example.test
}
it_goes_where_the_name_is() {	# what second.example.test has is 203.0.113.20
	local second=(--allow second.example.test --allow v4.example.test)
	passes hello "${second[@]}" -- say v4.example.test 80 "$(get second.example.test)"
	passes served "${second[@]}" -- tls v4.example.test 443 second.example.test 1
	cf -v --tcp-path "$TCP" "${second[@]}" -- /usr/bin/python3 "$T/flight.py" say v4.example.test 80 \
	    "$(get second.example.test)" >out 2>err
	like events "$(cat err)" 'TCP  ALLOWED  203.0.113.20:80 \(second.example.test\)'
	# Nobody has that one.
	same of-none "$(flight "${second[@]}" --allow none.example.test -- say v4.example.test 80 \
	    "$(get none.example.test)")" ECONNRESET
	# Its address is denied.
	refused "blocked by \`--deny 203.0.113.20\`" "${second[@]}" --deny 203.0.113.20 -- \
	    say v4.example.test 80 "$(get second.example.test)"
}
cname_counts_by_the_name_that_was_asked() {
	passes hello --allow alias.example.test -- say alias.example.test 80 "$(get alias.example.test)"
	refused "$MISMATCH example.test" --allow alias.example.test -- say alias.example.test 80 \
	    "$(get example.test)"
}
literal_addresses() {
	# No name was given for it: refused as it ever was.
	like errno "$(flight "${WWW[@]}" -- say 203.0.113.20 80 "$(get www.example.test)")" \
	    '^(ECONNREFUSED|EHOSTUNREACH)$'
	# Allowed by address: what it says is nobody's business.
	passes hello "${WWW[@]}" --allow 203.0.113.20 -- say 203.0.113.20 80 "$(get evil.test)"
	# Known for a name: as by the name.
	passes hello "${WWW[@]}" -- say @www.example.test/203.0.113.10 80 "$(get www.example.test)"
}
denied_names_are_denied_by_address_too() {
	local deny=(--deny-domain evil.test)
	refused "blocked by \`--deny-domain evil.test\`" "${deny[@]}" -- tls 203.0.113.10 443 www.evil.test
	refused "blocked by \`--deny-domain evil.test\`" "${deny[@]}" -- say 203.0.113.10 80 "$(get evil.test)"
	refused "$MISMATCH metadata.google.internal" --block-metadata -- say 203.0.113.10 80 \
	    "$(get metadata.google.internal)"
	passes served "${deny[@]}" -- tls 203.0.113.10 443 -
	passes served "${deny[@]}" -- tls 203.0.113.10 443 example.test
	passes hello "${deny[@]}" -- half 203.0.113.10 7 'hello\n'
	passes SSH-2.0-banner "${deny[@]}" -- hear 203.0.113.10 2222
}
servers_that_speak_first() {	# HOST
	passes SSH-2.0-banner --allow www.example.test:2222 -- hear "$1" 2222
	passes hi --allow www.example.test:2222 -- half "$1" 2222 'hi\n'
	passes SSH-2.0-banner --allow www.example.test:2222 -- shut "$1" 2222
	refused "speaks first.*; --allow www.example.test:2222 would let it pass by address" \
	    "${WWW[@]}" -- hear "$1" 2222
	passes hello --allow www.example.test:7 -- half "$1" 7 'hello\n'
	refused "$MISSING.*--allow www.example.test:7 would" "${WWW[@]}" -- say "$1" 7 'hello\n'
	# A name is held against the rules on such a port, too.
	refused "$MISMATCH evil.test" --allow www.example.test:80 -- say "$1" 80 "$(get evil.test)"
}
what_ends_without_a_word_is_no_denial() {
	passes ECONNRESET "${WWW[@]}" --fail-on-leak -- shut www.example.test 80
	cf --tcp-path "$TCP" "${WWW[@]}" --fail-on-leak -- nc -z -w 5 www.example.test 80 2>err ||
	    failed "nc -z: $(cat err)"
}
ends_and_early_data_are_passed_on() {
	passes hello "${WWW[@]}" -- half www.example.test 80 "$(get www.example.test)"
	passes 2 "${WWW[@]}" -- twice www.example.test 80 \
	    'GET /hello HTTP/1.1\r\nHost: www.example.test\r\n\r\n'
	refused "cannot be read" "${WWW[@]}" -- half www.example.test 80 'GET / HTTP/1.1\r\nHost: www'
	head -c 3M /dev/urandom >large
	cf --tcp-path "$TCP" "${WWW[@]}" -- curl -sS -m 20 -T large http://www.example.test/put/ \
	    2>err || failed "$(cat err)"
	cmp large "$T/put/large"
	rm "$T/put/large"
}
many_at_once() {
	passes 100 "${WWW[@]}" -- many www.example.test 80 "$(get www.example.test)" 100
	same refused "$(flight "${WWW[@]}" -- many www.example.test 80 "$(get evil.test)" 100)" 0
	like counted "$(cat err)" 'refused 100 times'
}
real_clients() {
	local tls=(openssl s_client -brief -connect www.example.test:443)
	for v in --http1.1 --http2; do
		same "curl $v" "$(cf --tcp-path "$TCP" "${WWW[@]}" -- curl -sS $v --cacert "$T/ca.pem" \
		    https://www.example.test/hello)" hello
	done
	cf --tcp-path "$TCP" "${WWW[@]}" -- "${tls[@]}" -servername www.example.test >out 2>&1 ||
	    failed "$(cat out)"
	for v in "-servername example.test" -noservername; do
		# shellcheck disable=SC2086
		! cf --tcp-path "$TCP" "${WWW[@]}" -- "${tls[@]}" $v >out 2>err ||
		    failed "$v passed: $(cat out)"
	done
	same "a Host of somebody else" "$(cf --tcp-path "$TCP" "${WWW[@]}" -- curl -sS -m 10 \
	    --cacert "$T/ca.pem" --connect-to evil.test:443:www.example.test:443 \
	    https://evil.test/ -o /dev/null -w '%{http_code}\n' 2>err)" 000
}
synthetic_names() {
	passes served --dns-mode synthetic "${WWW[@]}" -- tls www.example.test 443 www.example.test
	refused "$MISMATCH example.test" --dns-mode synthetic "${WWW[@]}" -- tls www.example.test 443 \
	    example.test
	passes hello --dns-mode synthetic --allow v4.example.test --allow second.example.test -- \
	    say v4.example.test 80 "$(get second.example.test)"
	refused "$MISSING" --dns-mode synthetic "${WWW[@]}" -- tls www.example.test 443 -
}
events_say_it() {
	cf --tcp-path "$TCP" -vv "${WWW[@]}" --fail-on-leak --status-fd 3 -- /usr/bin/python3 \
	    "$T/flight.py" say www.example.test 80 "$(get evil.test)" >out 2>err 3>status || :
	like leak "$(cat status)" leak
	like end "$(cat err)" 'CLOSED .*\(first_flight_mismatch\) [1-9][0-9]* bytes up, 0 down'
}

for TCP in $PATHS; do
	it names_that_are_allowed_pass www.example.test
	it other_names_are_refused www.example.test
	it in_each_family v4.example.test
	it in_each_family v6.example.test
	it no_name_is_refused
	it cut_up_it_is_the_same
	it both_names_of_a_request_count
	it two_names_of_one_address
	it it_goes_where_the_name_is
	it cname_counts_by_the_name_that_was_asked
	it literal_addresses
	it denied_names_are_denied_by_address_too
	it servers_that_speak_first www.example.test
	it what_ends_without_a_word_is_no_denial
	it ends_and_early_data_are_passed_on
	it many_at_once
	it real_clients
	it synthetic_names
	it events_say_it
done

done_testing
