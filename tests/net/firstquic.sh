#!/bin/bash
# firstquic.sh - UDP where a rule is about names: QUIC is refused, or has to name one (--quic).
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
if [ -n "$WITH" ]; then
	skip all "says nothing about $WITH"
	done_testing
fi

mkdir "$T/h3"
echo hello >"$T/h3/small"
bound() {	# HOST PORT
	local host=$1
	[[ $1 != *:* ]] || host="[$1]"
	[ -n "$(sv ss -Hlun "src $host and sport = :$2")" ]
}
for host in 203.0.113.10 2001:db8::10; do
	for port in 443 4433; do
		serve gtlsserver -q -d "$T/h3" "$host" "$port" "$T/server.key" "$T/server.pem"
		must until_true 10 bound "$host" "$port"
	done
done

# get NAME PORT OPTION ...: a page by HTTP/3; messages are in err.
get() {
	local name=$1 port=$2
	shift 2
	rm -rf got
	mkdir got
	chmod 777 got
	cf "$@" -- timeout 8 gtlsclient -q --exit-on-all-streams-close --download="$PWD/got" \
	    "$name" "$port" "https://$name:$port/small" >out 2>err || :
	[ -e got/small ]
}
passes() {
	get "$@" || failed "$* did not pass: $(cat err)"
	unlike messages "$(cat err)" 'blocked'
}
refused() {	# REASON NAME PORT OPTION ...
	! get "${@:2}" || failed "${*:2} passed"
	like message "$(cat err)" "$1"
}
quic_is_refused_by_default() {	# NAME
	refused 'blocked by `--quic block`.*--quic check would' "$1" 443 --allow "$1"
	refused 'blocked by `--quic block`' "$1" 4433 --allow "$1"
	refused 'blocked by `--quic block`' "$1" 443 --deny-domain evil.test
	refused 'blocked by `--quic block`' "$1" 4433 --deny-domain evil.test
}
it quic_is_refused_by_default v4.example.test
it quic_is_refused_by_default v6.example.test

the_refusal_is_an_error() {	# HOST ERRNO
	same errno "$(cf --allow "$1" -- /usr/bin/python3 "$T/flight.py" udp "$1" 443 hello 2>err)" "$2"
	like reason "$(cat err)" '--quic block'
}
it the_refusal_is_an_error v4.example.test EHOSTUNREACH
it the_refusal_is_an_error v6.example.test EACCES

without_rules_about_names_it_is_not_touched() {
	passes v4.example.test 443
	passes v4.example.test 443 --deny-cidr 203.0.113.20 --block-metadata --quic block
	passes v4.example.test 4433 --allow 203.0.113.10 --allow '*:53' --deny-cidr 203.0.113.20
}
it without_rules_about_names_it_is_not_touched

a_name_can_be_checked() {	# NAME PORT
	passes "$1" "$2" --allow "$1" --quic check
	passes "$1" "$2" --deny-domain evil.test --quic check
}
# hello NAME: what a real client says first to that name, in the file of its name.
hello() {
	[ ! -e "$T/$1" ] || return 0
	serve /usr/bin/python3 "$T/flight.py" keep 203.0.113.20 4434 "$T/$1.new"
	must until_true 10 bound 203.0.113.20 4434
	cp /etc/hosts "$T/hosts"
	echo "203.0.113.20 $1" >>/etc/hosts
	timeout 5 gtlsclient -q "$1" 4434 "https://$1:4434/" >out 2>&1 &
	until_true 10 test -s "$T/$1.new" || failed "no hello: $(cat out)"
	cat "$T/hosts" >/etc/hosts
	mv "$T/$1.new" "$T/$1"
}
said() {	# NAME OPTION ...: what becomes of that hello, where v4.example.test is
	hello "$1"
	cf --quic check "${@:2}" -- /usr/bin/python3 "$T/flight.py" send \
	    @v4.example.test/203.0.113.10 443 "$T/$1" 2>err
}
other_names_are_refused() {
	same right "$(said v4.example.test --allow v4.example.test)" answered
	same other "$(said www.example.test --allow v4.example.test)" EHOSTUNREACH
	like message "$(cat err)" 'names www.example.test; --allow www.example.test:443/udp would'
	same denied "$(said www.example.test --deny-domain www.example.test)" EHOSTUNREACH
	like message "$(cat err)" 'by .--deny-domain www.example.test.: its first flight names www'
	same neither "$(said v6.example.test --deny-domain www.example.test)" answered
}
it_goes_where_the_name_is() {	# which is .20, where a server is too
	local both=(--allow v4.example.test --allow second.example.test)
	serve gtlsserver -q -d "$T/h3" 203.0.113.20 443 "$T/server.key" "$T/server.pem"
	until_true 10 bound 203.0.113.20 443 || failed "no server"
	same there "$(said second.example.test -v "${both[@]}")" answered
	like events "$(cat err)" 'UDP  ALLOWED  203.0.113.20:443 \(second.example.test\)'
	same "without a rule" "$(said second.example.test --allow v4.example.test)" EHOSTUNREACH
}
allowed_is_not_looked_at() {
	passes "$1" 443 --allow "$1" --quic allow
	passes "$1" 4433 --deny-domain evil.test --quic allow
}
it a_name_can_be_checked v4.example.test 443
it a_name_can_be_checked v6.example.test 4433
it other_names_are_refused
it it_goes_where_the_name_is
it allowed_is_not_looked_at v4.example.test

other_datagrams_pass() {	# NAME
	for quic in block check; do
		same "answers with $quic" "$(cf --allow "$1" --quic "$quic" -- /usr/bin/python3 \
		    "$T/flight.py" udp "$1" 7 first 2>err)" "first second"
		same "answers with $quic" "$(cf --deny-domain evil.test --quic "$quic" -- \
		    /usr/bin/python3 "$T/flight.py" udp "$1" 7 first 2>>err)" "first second"
	done
	same messages "$(cat err)" ""
}
it other_datagrams_pass v4.example.test
it other_datagrams_pass v6.example.test

done_testing
