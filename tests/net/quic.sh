#!/bin/bash
# quic.sh - HTTP/3 by a real client and server; a connection outlives a change of address.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

mkdir "$T/h3"
head -c 10M /dev/urandom >"$T/h3/large"
echo hello >"$T/h3/small"
bound() {	# HOST PORT
	local host=$1
	[[ $1 != *:* ]] || host="[$1]"
	[ -n "$(sv ss -Hlun "src $host and sport = :$2")" ]
}
for host in 203.0.113.10 2001:db8::10; do
	serve gtlsserver -q -d "$T/h3" "$host" 4433 "$T/server.key" "$T/server.pem"
	must until_true 10 bound "$host" 4433
done

# get HOST NAME [OPTION ...]: it ends once the file is there, or is stopped.
get() {
	local host=$1 name=$2 url=$1
	shift 2
	[[ $host != *:* ]] || url="[$host]"
	mkdir -p got
	chmod 777 got
	rm -f "got/$name"
	cf -- gtlsclient --no-quic-dump --no-http-dump --exit-on-all-streams-close \
	    --download="$PWD/got" "$@" "$host" 4433 "https://$url:4433/$name" >out 2>&1 ||
	    failed "$(tail -n 3 out)"
	cmp "got/$name" "$T/h3/$name"
}

a_page_comes_by_http_3() {	# HOST
	get "$1" small
	get "$1" large
}
it a_page_comes_by_http_3 203.0.113.10
it a_page_comes_by_http_3 2001:db8::10

# Tiny datagrams and the largest that the path takes (RFC 9000 14.3).
the_path_is_probed() {	# HOST
	get "$1" large --max-udp-payload-size=1200
	get "$1" large --max-udp-payload-size=1452
}
it the_path_is_probed 203.0.113.10

a_connection_moves_to_another_socket() {	# HOST OPTION ...
	local host=$1
	shift
	get "$host" large --change-local-addr=20ms "$@"
}
it a_connection_moves_to_another_socket 203.0.113.10
it a_connection_moves_to_another_socket 2001:db8::10

done_testing
