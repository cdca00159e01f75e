#!/bin/bash
# hints.sh - what a denial says would allow it does allow it: the option is taken at its word.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
if [ -n "$WITH" ]; then
	skip all "says nothing about $WITH"
	done_testing
fi

serve socat TCP6-LISTEN:2222,ipv6-v6only=0,fork,reuseaddr 'SYSTEM:echo SSH-2.0-banner; cat'
must until_true 20 listening 203.0.113.10 2222
must sv ip addr add 10.9.8.7/32 dev lo

GET='GET /hello HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n'
get() {	# HOST: a request for it
	# shellcheck disable=SC2059
	printf "${GET//\\/\\\\}" "$1"
}
try() {	# COMMAND ...: what came of it; empty or an errno where it failed
	"$@" 2>err || :
}

# The words of its hint, taken as options: those to be added, and the one to be left out.
hint_read() {
	local hint
	hint=$(grep -a 'blocked' err | grep -v ' times' | head -n 1)
	add=() drop=
	if [[ $hint =~ \;\ (--[a-z-]+)\ ([^ ]+)\ would ]]; then
		add=("${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}")
	elif [[ $hint =~ \;\ (--[a-z-]+)\ would ]]; then
		add=("${BASH_REMATCH[1]}")
	elif [[ $hint =~ \;\ run\ it\ without\ (--[a-z-]+) ]]; then
		drop=${BASH_REMATCH[1]}
	else
		failed "no option in: $hint"
	fi
}

# is_kept OPTION ... -- COMMAND ...: it fails, and with what the hint says it does not.
is_kept() {
	local how=() left=() out add drop
	while [ "$1" != -- ]; do
		how+=("$1")
		shift
	done
	shift
	out=$(try cf "${how[@]}" -- "$@")
	[[ -z $out || $out =~ ^E[A-Z]+$ ]] || failed "it passed: $out"
	hint_read
	for o in "${how[@]}"; do
		[ "$o" = "$drop" ] || left+=("$o")
	done
	out=$(try cf "${left[@]}" "${add[@]}" -- "$@")
	[[ -n $out && ! $out =~ ^E[A-Z]+$ ]] ||
	    failed "with ${left[*]} ${add[*]}: $(quoted "$out"): $(cat err)"
}

F="/usr/bin/python3 $T/flight.py"

# shellcheck disable=SC2086
{
for host in 203.0.113.10 2001:db8::10; do
	for deny in "--default-policy deny" "--allow 192.0.2.1" --offline; do
		it is_kept $deny -- $F say $host 80 "$(get www.example.test)"
		it is_kept $deny -- $F udp $host 7 first
	done
	it is_kept --default-policy deny -- bash -c "ping -q -c 1 -W 5 $host | grep ' 1 received'"
done
it is_kept --default-policy deny -- dig +short v4.example.test A
it is_kept --allow example.test -- dig +short v4.example.test A
it is_kept --block-private -- $F say 10.9.8.7 80 "$(get www.example.test)"
WWW="--allow www.example.test"
it is_kept $WWW -- $F hear www.example.test 2222
it is_kept $WWW -- $F half www.example.test 7 'hello\n'
it is_kept $WWW -- $F tls www.example.test 443 -
it is_kept $WWW:443 -- $F tls www.example.test 443 -
it is_kept $WWW -- $F say www.example.test 80 'GET /hello HTTP/1.0\r\n\r\n'
it is_kept $WWW:80 -- $F say www.example.test 80 'GET /hello HTTP/1.0\r\n\r\n'
it is_kept $WWW -- $F tls www.example.test 443 example.test
it is_kept --allow v4.example.test -- $F say v4.example.test 80 "$(get second.example.test)"
it is_kept $WWW:80 -- $F say www.example.test 7 'hello\n'
}

done_testing
