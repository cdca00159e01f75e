#!/bin/bash
# kernelpath.sh - TCP by the tree's own kernel: set up, chosen, and done without.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
must cp "$BUILD/tests/net/refuse" "$T"

V4=http://203.0.113.10/hello
V6='http://[2001:db8::10]/hello'
both_answer() {	# COMMAND ...: in front of curl
	same answers "$("$@" curl -sS -m 10 "$V4" "$V6")" $'hello\nhello'
}
# lacking WHAT [OPTION ...] -- COMMAND ...: as cf, on a kernel that lacks something.
lacking() {
	local what=$1
	shift
	cf_words
	as_caller timeout -k 5 "$LIMIT" "$T/refuse" "$what" "${CF_WORDS[@]}" "$@"
}
# What the tree sees of the rules and routes.
# shellcheck disable=SC2016
ROUTING='ip rule; ip -6 rule; ip route show table 100; ip -6 route show table 100
	ip route show table 200; ip -6 route show table 200; true'
nothing_is_left() {	# ROUTING's output
	unlike "rules and routes" "$1" 'fwmark|lookup (100|200)|ipproto|local default|suppress|default dev'
}

both_families_go_by_the_kernel() {
	only_cf
	both_answer cf -v --tcp-path kernel -- 2>err
	like "what it says" "$(cat err)" 'cf-spawn: TCP: kernel path'$'\n'
}
it both_families_go_by_the_kernel

the_default_takes_it_where_it_works() {
	only_cf
	cf --status-fd 7 --summary -- true 7>story 2>err
	same path "$(jq -r 'select(.event=="started").tcp_path' story)" kernel
	like summary "$(cat err)" $'\n''tcp path: kernel'$'\n'
	cf --status-fd 7 --summary --tcp-path tun -- true 7>story 2>err
	same path "$(jq -r 'select(.event=="started").tcp_path' story)" tun
	like summary "$(cat err)" $'\n''tcp path: tun'$'\n''tcp path why: --tcp-path tun'
}
it the_default_takes_it_where_it_works

rules_are_those_of_the_source_and_no_others() {
	only_cf
	local run pid rules
	mkfifo go
	cf --tcp-path kernel -- sh -c 'echo $$ >pid; read -r line <go' &
	run=$!
	until_true 10 test -s pid
	pid=$(pids sh | while read -r p; do grep -q tun0 "/proc/$p/net/dev" && echo "$p"; done | head -n 1)
	rules=$(nsenter -t "$pid" -n nft list ruleset)
	same tables "$(grep -c '^table' <<<"$rules")" 2
	like rules "$rules" 'table ip childflow'
	like rules "$rules" 'table ip6 childflow'
	like rules "$rules" 'tproxy to 192.0.0.1:1'
	like rules "$rules" 'tproxy to \[2001:2:0:cf::1\]:1'
	same "marking rules" "$(grep -c 'oifname "lo" meta mark set 0x00000002' <<<"$rules")" 2
	echo >go
	wait "$run"
}
it rules_are_those_of_the_source_and_no_others

the_tree_cannot_change_them() {
	only_cf
	# shellcheck disable=SC2016
	both_answer cf --tcp-path kernel -- sh -c '
		for u in "" "unshare -r"; do
			for c in "nft flush ruleset" "nft add table ip x" "ip rule del pref 110" \
			    "ip rule add pref 1 lookup main" "ip -6 rule del pref 110" \
			    "ip route flush table 100" "ip link set tun0 down"; do
				$u $c 2>/dev/null && echo "could: $u $c"
			done
		done
		exec "$@"' sh
}
it the_tree_cannot_change_them

bound_and_raw_syns_carry_the_bit() {
	only_cf
	same "kind and bit" "$(cf --cap-net-raw --tcp-path kernel -- python3 "$T/synbit.py")" \
$'v4 plain 0
v4 bound 1
v4 names 1
v6 plain 0
v6 bound 1
v6 names 1
v4 raw 1 whole'
}
it bound_and_raw_syns_carry_the_bit

sockets_of_the_device_and_raw_ones_work() {
	only_cf
	same answers "$(cf --tcp-path kernel -- curl -sS -m 10 --interface tun0 "$V4" "$V6")" \
	    $'hello\nhello'
	like hop "$(cf --cap-net-raw --tcp-path kernel -- traceroute -n -T -p 80 203.0.113.10)" \
	    ' 203\.113|203\.0\.113\.10 .* ms'
	like scan "$(cf --cap-net-raw --tcp-path kernel -- nmap --privileged -n -Pn -sS -p 80,81 203.0.113.10)" \
	    '80/tcp +open.*81/tcp +closed'
}
it sockets_of_the_device_and_raw_ones_work

names_over_tcp_are_answered() {
	only_cf
	local at
	for at in 203.0.113.53 192.0.0.1 2001:db8::53; do
		same "asked $at" "$(cf --tcp-path kernel -- dig +tcp +short "@$at" example.test)" \
		    203.0.113.10
	done
}
it names_over_tcp_are_answered

the_trees_own_addresses_stay_its_own() {
	only_cf
	# shellcheck disable=SC2016
	cf --tcp-path kernel -- bash -c '
		for a in 127.0.0.1 192.0.0.2 ::1 2001:2:0:cf::2; do
			nc -z -w 5 "$a" 1 && echo "port 1 of $a is open"
			nc -N -l "$a" 8000 <<<"from $a" &
			until [ -n "$(ss -Hltn sport = 8000)" ]; do sleep 0.02; done
			nc -w 5 "$a" 8000 </dev/null
			wait
		done' >out
	same answers "$(cat out)" $'from 127.0.0.1\nfrom 192.0.0.2\nfrom ::1\nfrom 2001:2:0:cf::2'
}
it the_trees_own_addresses_stay_its_own

nobody_reaches_the_listener() {
	only_cf
	local at
	for at in 192.0.0.1 '[2001:2:0:cf::1]' 127.0.0.1 '[::1]'; do
		status 7 cf --tcp-path kernel -- curl -sS -m 5 "http://$at:1/" 2>err
	done
}
it nobody_reaches_the_listener

a_run_inside_a_run_works() {
	only_cf
	cf_words
	if [ "$PASS" = root ]; then
		status 125 cf -- "${CF_WORDS[@]}" -- true 2>err
		like why "$(cat err)" "root without capabilities"
		return
	fi
	both_answer cf --tcp-path kernel -- "${CF_WORDS[@]}" --tcp-path kernel --
	both_answer cf --tcp-path kernel -- "${CF_WORDS[@]}" --tcp-path tun --
}
it a_run_inside_a_run_works

# More than may be held at once; each is told no, and what comes after them is served.
a_scan_of_thousands_ends() {
	cf --tcp-path kernel -- /usr/bin/python3 -c 'import errno, select, socket
seen, now = {}, []
for port in range(20000, 32000):
	s = socket.socket()
	s.setblocking(False)
	if s.connect_ex(("203.0.113.10", port)) != errno.EINPROGRESS:
		raise SystemExit("no")
	now.append(s)
	if len(now) == 400:
		ready = select.poll()
		for s in now:
			ready.register(s, select.POLLOUT)
		while now:
			for fd, _ in ready.poll():
				s = next(s for s in now if s.fileno() == fd)
				e = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
				seen[e] = seen.get(e, 0) + 1
				ready.unregister(fd)
				now.remove(s)
				s.close()
print(seen == {errno.ECONNREFUSED: 12000} or seen)
s = socket.create_connection(("203.0.113.10", 80), 10)
s.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
print(b"hello" in s.makefile("rb").read())' >out
	same said "$(cat out)" $'True\nTrue'
}
it a_scan_of_thousands_ends

nothing_paces() {
	only_cf
	like "congestion control" "$(cf --tcp-path kernel -- \
	    cat /proc/sys/net/ipv4/tcp_congestion_control)" '^(cubic|reno)$'
	# shellcheck disable=SC2016
	like "of a connection" "$(cf --tcp-path kernel -- bash -c '
		exec 5<>/dev/tcp/203.0.113.10/7; ss -Htin state established dport = 7')" ' (cubic|reno) '
}
it nothing_paces

without_nf_tables_it_is_own_tcp() {
	only_cf
	lacking nf_tables -v -- sh -c "$ROUTING" >out 2>err
	like "what it says" "$(cat err)" 'TCP: own stack \(IPv4: cannot open a netlink socket: Protocol'
	nothing_is_left "$(cat out)"
	both_answer lacking nf_tables --
}
it without_nf_tables_it_is_own_tcp

what_does_not_work_is_taken_down() {
	only_cf
	lacking accept -v -- sh -c "$ROUTING" >out 2>err
	like "what it says" "$(cat err)" 'TCP: own stack \(IPv4: cannot accept the connection: '
	nothing_is_left "$(cat out)"
	both_answer lacking accept --
}
it what_does_not_work_is_taken_down

one_family_can_go_alone() {
	only_cf
	lacking tproxy6 --status-fd 7 -v -- sh -c 'ip -6 rule; ip rule' >out 2>err 7>story
	like "what it says" "$(cat err)" 'TCP: kernel path, own stack for the other family \(IPv6: '
	same path "$(jq -r 'select(.event=="started").tcp_path' story)" mixed
	same "rules for TCP" "$(grep -c 'ipproto tcp lookup 100' out)" 1
	both_answer lacking tproxy6 --
}
it one_family_can_go_alone

asked_for_and_missing_is_an_error() {
	only_cf
	local what
	for what in nf_tables accept tproxy6; do
		status 125 lacking "$what" --tcp-path kernel -- touch started 2>err
		like message "$(cat err)" 'kernel path for TCP is not there: .*cf-doctor tcp-path'
		[ ! -e started ] || failed "the command was started"
	done
}
it asked_for_and_missing_is_an_error

a_captured_run_is_own_tcp() {
	only_cf
	cf -v -c run.pcapng -- curl -sS "$V4" >out 2>err
	like "what it says" "$(cat err)" 'TCP: own stack \(--capture'
	like packets "$(tshark -r run.pcapng -Y http -T fields -e http.response.code 2>/dev/null)" 200
	status 125 cf -c run2.pcapng --tcp-path kernel -- touch started 2>err
	like message "$(cat err)" '--capture'
	[ ! -e started ] || failed "the command was started"
	[ ! -e run2.pcapng ] || failed "a file was made"
}
it a_captured_run_is_own_tcp

an_unknown_path_is_refused() {
	only_cf
	status 125 cf --tcp-path userspace -- true 2>err
	like message "$(cat err)" 'auto, kernel or tun'
}
it an_unknown_path_is_refused

doctor_tries_it() {
	only_cf
	like finding "$(as_caller /srv/cf/bin/cf-doctor tcp-path)" 'connected through it \(IPv4, IPv6\)'
	like finding "$(as_caller "$T/refuse" nf_tables /srv/cf/bin/cf-doctor tcp-path)" \
	    'IPv4: cannot open a netlink socket.*nft_tproxy'
}
it doctor_tries_it

done_testing
