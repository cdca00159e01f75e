#!/bin/bash
# askers.sh - who asks, whom, and what they may not do to each other: clients, servers, liars, floods.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

# ---- clients and servers ----

cat >"$T/unbound.conf" <<END
server:
	username: ""
	chroot: ""
	directory: "$T"
	pidfile: ""
	use-syslog: no
	interface: 203.0.113.20
	access-control: 0.0.0.0/0 allow
	do-ip6: no
	module-config: "iterator"
	local-zone: "test." static
	local-data: "example.test. A 203.0.113.10"
	local-data: "v4.example.test. A 203.0.113.10"
	local-data: "example.test. AAAA 2001:db8::10"
	local-data: "example.test. TXT text"
remote-control:
	control-enable: no
END
serve unbound -d -c "$T/unbound.conf"
must until_true 20 listening 203.0.113.20 53
serve /usr/bin/python3 "$T/liar.py" 203.0.113.20 5300
must until_true 20 listening 203.0.113.20 5300

by_getent() { getent ahostsv4 "$1" | awk '{ print $1; exit }'; }
by_dig() { dig +short "$1" A; }
by_host() { host -t A "$1" | awk '{ print $NF }'; }
by_nslookup() { nslookup -type=A "$1" | awk '/^Address/ { a = $2 } END { print a }'; }
by_python() { python3 -c 'import socket, sys; print(socket.getaddrinfo(sys.argv[1], 80, socket.AF_INET)[0][4][0])' "$1"; }
by_busybox() { busybox nslookup -type=a "$1" | awk '/^Address/ { a = $2 } END { print a }'; }
by_node() { node -e 'require("dns").resolve4(process.argv[1], (e, a) => console.log(e || a[0]))' "$1"; }
by_node_libc() { node -e 'require("dns").lookup(process.argv[1], 4, (e, a) => console.log(e || a))' "$1"; }
export -f by_getent by_dig by_host by_nslookup by_python by_busybox by_node by_node_libc

names_are_found() {	# CLIENT OPTION ...
	local client=$1
	shift
	if [[ $client == by_node* ]] && ! command -v node >/dev/null; then
		cannot "there is no node"
	fi
	same address "$(cf "$@" -- bash -c "$client v4.example.test")" 203.0.113.10
}
for client in by_getent by_dig by_host by_nslookup by_python by_busybox by_node by_node_libc; do
	it names_are_found $client
	it names_are_found $client -d 203.0.113.20
	it names_are_found $client --dns-cache 10 -d 203.0.113.20
done

# ---- a server that lies ----

lies_are_not_taken_for_the_answer() {	# KIND
	only_cf
	same answer "$(cf -d 203.0.113.20:5300 -- dig +short +tries=1 +time=10 "$1.test" A)" 203.0.113.20
}
lies_alone_are_no_answer() {	# KIND ...
	only_cf
	local kind
	for kind; do echo "+tries=1 +time=10 only-$kind.test A"; done >asked
	cf -d 203.0.113.20:5300 -- sh -c 'xargs -P 10 -L 1 dig +comments <asked' >out
	same "SERVFAIL" "$(grep -c 'status: SERVFAIL' out)" $#
	unlike "a lie" "$(cat out)" '203\.0\.113\.66'
}
for kind in id name case type query opcode garbage short unasked slow; do
	it lies_are_not_taken_for_the_answer $kind
done
it lies_alone_are_no_answer id name case type query opcode garbage short unasked

# What answers the question is the asker's to judge; here it may do no harm.
answers_that_make_no_sense_do_no_harm() {	# KIND ...
	only_cf
	local kind
	for kind; do
		# shellcheck disable=SC2016
		cf -v --dns-cache 100 -d 203.0.113.20:5300 -- sh -c '
			dig +tries=1 +time=5 +ignore "$1.test" A >out 2>&1
			dig +tries=1 +time=5 +tcp "$1.test" A >tcp 2>&1
			dig +short +tries=1 +time=5 honest.test A' sh "$kind" >honest 2>err
		same "$kind: the next" "$(cat honest)" 203.0.113.20
		unlike "$kind: stderr" "$(cat err)" 'garbage|signal|ended'
	done
}
it answers_that_make_no_sense_do_no_harm loop cname cut count long

# ---- TCP ----

answers_on_one_connection_come_as_they_are_ready() {
	only_cf
	local names=(slow.test) i
	for i in $(seq 60); do names+=("n$i.test"); done
	cf -d 203.0.113.20:5300 -- /usr/bin/python3 "$T/queries.py" pipeline 192.0.0.1 "${names[@]}" >out
	same answers "$(sort out | md5sum)" "$(printf '%s\n' "${names[@]}" | sort | md5sum)"
	same "the last" "$(tail -n 1 out)" slow.test
}
it answers_on_one_connection_come_as_they_are_ready

# ---- floods ----

peak_kib() {	# PROGRAM: the most memory that it ever had
	awk '/^VmHWM/ { print $2 }' "/proc/$(pids "$1" | head -n 1)/status"
}

a_flood_is_bounded_and_others_are_served() {	# SERVER QUERIES
	only_cf
	local run dns stack
	# shellcheck disable=SC2016
	cf --dns-cache 1000 -- sh -c '
		/usr/bin/python3 "$1/queries.py" flood "$2" "$3" >flooded & flood=$!
		n=0
		while kill -0 $flood 2>/dev/null; do
			dig +short +tries=3 +time=3 v4.example.test A >>served
			n=$((n + 1))
		done
		echo $n >asked
		until [ -e looked ]; do sleep 0.05; done' sh "$T" "$1" "$2" 2>err &
	run=$!
	until_true 60 test -e asked || failed "the flood does not end: $(cat err)"
	dns=$(peak_kib cf-dns) stack=$(peak_kib cf-netstack)
	touch looked
	wait $run
	echo "cf-dns $dns KiB, cf-netstack $stack KiB, $(cat flooded) answers, $(cat asked) beside them"
	[ "$dns" -lt 65536 ] || failed "cf-dns had $dns KiB"
	[ "$stack" -lt 65536 ] || failed "cf-netstack had $stack KiB"
	same "served beside it" "$(grep -c '^203.0.113.10$' served)" "$(cat asked)"
}
it a_flood_is_bounded_and_others_are_served 192.0.0.1 100000
it a_flood_is_bounded_and_others_are_served 203.0.113.66 100000

done_testing
