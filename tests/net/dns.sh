#!/bin/bash
# dns.sh - every name is answered: by the server that was asked, the system's, or that of -d.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

# A second name server, to see which of the two was asked.
second_server() {
	cat >"$T/second.conf" <<-END
	pid-file=
	no-resolv
	no-hosts
	bind-interfaces
	except-interface=lo
	listen-address=203.0.113.20
	listen-address=2001:db8::20
	port=$1
	local=/test/
	host-record=example.test,203.0.113.20,2001:db8::20
	END
	serve dnsmasq -k -C "$T/second.conf" --user=root --group=
	must until_true 20 listening 203.0.113.20 "$1"
}
second_server 53
second_server 5353

ask() { cf -- dig +time=5 +tries=2 "$@"; }

answers_as_it_would_outside() {	# DIG-ARGUMENTS
	local want got
	want=$(as_caller dig +noall +answer +comments +time=5 "$@" | grep -v '^;; Got\|^;; OPT\|^;; Trunc\|id:' | sort)
	got=$(ask +noall +answer +comments "$@" | grep -v '^;; Got\|^;; OPT\|^;; Trunc\|id:' | sort)
	[ -n "$want" ] || failed "the server outside is silent"
	same answer "$got" "$want"
}
it answers_as_it_would_outside example.test A
it answers_as_it_would_outside example.test AAAA
it answers_as_it_would_outside alias.example.test A
it answers_as_it_would_outside example.test MX
it answers_as_it_would_outside _http._tcp.example.test SRV
it answers_as_it_would_outside short.example.test TXT
it answers_as_it_would_outside -x 203.0.113.10
it answers_as_it_would_outside v4.example.test AAAA
it answers_as_it_would_outside +tcp example.test A
it answers_as_it_would_outside @203.0.113.53 example.test A
it answers_as_it_would_outside @2001:db8::53 example.test AAAA
it answers_as_it_would_outside +tcp @2001:db8::53 example.test A
it answers_as_it_would_outside @203.0.113.20 example.test A
it answers_as_it_would_outside +noedns example.test A
it answers_as_it_would_outside +tcp big.example.test TXT
it answers_as_it_would_outside +bufsize=512 big.example.test TXT
it answers_as_it_would_outside +bufsize=16384 big.example.test TXT

a_name_that_is_not_is_nxdomain() {
	like header "$(ask nowhere.test)" 'status: NXDOMAIN'
}
it a_name_that_is_not_is_nxdomain

an_answer_too_long_for_udp_says_so() {
	local out
	out=$(ask +noedns +ignore +notcp big.example.test TXT)
	like flags "$out" 'flags: [a-z ]*tc'
	[ "$(sed -n 's/.*rcvd: //p' <<<"$out")" -le 512 ]
}
it an_answer_too_long_for_udp_says_so

libc_finds_names() {	# NAME
	same addresses "$(cf -- getent ahosts "$1")" "$(as_caller getent ahosts "$1")"
}
it libc_finds_names example.test
it libc_finds_names v6.example.test
it libc_finds_names alias.example.test

libc_says_when_there_is_none() {
	status 2 cf -- getent hosts nowhere.test
}
it libc_says_when_there_is_none

several_queries_on_one_tcp_connection() {
	only_cf
	printf '%s\n' '+keepopen +tcp example.test A' '+keepopen +tcp v4.example.test A' \
	    '+keepopen +tcp example.test MX' >queries
	same answers "$(cf -- dig +short -f queries | sort | tr '\n' ' ')" \
	    "10 mail.example.test. 203.0.113.10 203.0.113.10 "
}
it several_queries_on_one_tcp_connection

two_hundred_queries_at_once() {
	# shellcheck disable=SC2016
	cf -- sh -c 'seq 200 | xargs -P 50 -I{} dig +short +time=10 v4.example.test A' >out
	same answers "$(grep -c '^203.0.113.10$' out)" 200
}
it two_hundred_queries_at_once

# Who forges answers has to guess both (RFC 5452).
each_query_has_a_port_and_an_id_of_its_own() {
	only_cf
	serve /usr/bin/python3 "$T/resolver.py" 203.0.113.20 5454 "$T/asked"
	until_true 20 grep -qs ready "$T/asked" || failed "the name server does not start"
	# shellcheck disable=SC2016
	cf -d 203.0.113.20:5454 -- sh -c '
		for i in $(seq 50); do dig +short +tries=1 n$i.test A; done
		seq 50 | xargs -P 8 -I{} dig +short +tries=1 m{}.test A' >out
	same answers "$(grep -c '^203.0.113.20$' out)" 100
	same queries "$(grep -cv ready "$T/asked")" 100
	same "ports of the first" "$(sed -n 2,51p "$T/asked" | cut -d" " -f1 | sort -u | wc -l)" 50
	# The kernel may give a port again, and chance an id.
	[ "$(sed 1d "$T/asked" | cut -d" " -f1 | sort -u | wc -l)" -ge 90 ] || failed "ports repeat"
	[ "$(sed 1d "$T/asked" | cut -d" " -f2 | sort -u | wc -l)" -ge 98 ] || failed "ids repeat"
}
it each_query_has_a_port_and_an_id_of_its_own

# ---- -d ----

d_names_the_server() {	# SERVER
	only_cf
	same answer "$(cf -d "$1" -- dig +short example.test A)" 203.0.113.20
	same "of libc" "$(cf -d "$1" -- getent ahostsv4 example.test | awk '{print $1; exit}')" 203.0.113.20
}
it d_names_the_server 203.0.113.20
it d_names_the_server 203.0.113.20:5353
it d_names_the_server 2001:db8::20
it d_names_the_server '[2001:db8::20]:5353'

d_holds_for_queries_to_other_servers() {
	only_cf
	same udp "$(cf -d 203.0.113.20 -- dig +short @203.0.113.53 example.test A)" 203.0.113.20
	same tcp "$(cf -d 203.0.113.20 -- dig +short +tcp @203.0.113.53 example.test A)" 203.0.113.20
	same nobody "$(cf -d 203.0.113.20 -- dig +short @203.0.113.66 example.test A)" 203.0.113.20
}
it d_holds_for_queries_to_other_servers

a_second_d_is_asked_when_the_first_is_silent() {
	only_cf
	same answer "$(cf -d 203.0.113.66 -d 203.0.113.53 -- dig +short +time=30 +tries=1 v4.example.test A)" \
	    203.0.113.10
}
it a_second_d_is_asked_when_the_first_is_silent

# ---- servers that do not answer ----

a_silent_server_gives_servfail_in_time() {	# OPTION ...
	only_cf
	local start out
	start=$(ms_now)
	out=$(cf "$@" -- dig +time=30 +tries=1 example.test A)
	like answer "$out" 'status: SERVFAIL'
	[ $(($(ms_now) - start)) -lt 20000 ] || failed "took $(($(ms_now) - start)) ms"
}
it a_silent_server_gives_servfail_in_time -d 203.0.113.66
it a_silent_server_gives_servfail_in_time -d 203.0.113.77

a_server_that_refuses_gives_servfail_at_once() {
	only_cf
	local start out
	start=$(ms_now)
	out=$(cf -d 203.0.113.10 -- dig +time=30 +tries=1 example.test A)
	like answer "$out" 'status: SERVFAIL'
	[ $(($(ms_now) - start)) -lt 5000 ] || failed "took $(($(ms_now) - start)) ms"
}
it a_server_that_refuses_gives_servfail_at_once

a_silent_server_asked_by_hand_gives_servfail() {
	only_cf
	like answer "$(cf -- dig +time=30 +tries=1 @203.0.113.66 example.test A)" 'status: SERVFAIL'
}
it a_silent_server_asked_by_hand_gives_servfail

a_silent_server_does_not_delay_another() {
	only_cf
	# shellcheck disable=SC2016
	cf -- sh -c '
		for i in 1 2 3 4 5 6 7 8 9 10; do
			dig +time=20 +tries=1 @203.0.113.66 n$i.test >/dev/null &
		done
		dig +short +time=2 +tries=1 v4.example.test A >out
		kill $(jobs -p) 2>/dev/null; wait'
	same answer "$(cat out)" 203.0.113.10
}
it a_silent_server_does_not_delay_another

garbage_to_port_53_is_survived() {
	only_cf
	# shellcheck disable=SC2016
	cf -- bash -c '
		for n in 0 1 2 11 12 13 100 1400; do
			head -c $n /dev/urandom >/dev/udp/192.0.0.1/53
			{ printf "\\x00\\x05"; head -c $n /dev/urandom; } >/dev/tcp/192.0.0.1/53
			head -c $n /dev/urandom >/dev/tcp/203.0.113.53/53
		done
		exec dig +short v4.example.test A' >out
	same answer "$(cat out)" 203.0.113.10
}
it garbage_to_port_53_is_survived

# ---- resolv.conf ----

resolves() {
	same answer "$(cf "$@" -- getent ahostsv4 example.test | awk '{print $1; exit}')" 203.0.113.10
}

the_tree_sees_its_own_resolv_conf() {
	only_cf
	printf 'search example.test\noptions ndots:2\nnameserver 203.0.113.53\n' >/etc/resolv.conf
	cf -- cat /etc/resolv.conf >seen
	same nameservers "$(grep -c ^nameserver seen)" 1
	like nameserver "$(cat seen)" 'nameserver 192.0.0.1'
	like search "$(cat seen)" 'search example.test'
	like options "$(cat seen)" 'options ndots:2'
	same "a short name" "$(cf -- getent ahostsv4 v4 | awk '{print $1; exit}')" 203.0.113.10
	like "the host's own" "$(cat /etc/resolv.conf)" 'nameserver 203.0.113.53'
}
it the_tree_sees_its_own_resolv_conf

resolv_conf_may_be_a_symlink_into_run() {	# TARGET LINK-TEXT
	local target=$1
	mkdir -p "$(dirname "$target")"
	printf 'nameserver 203.0.113.53\n' >"$target"
	ln -sf "$2" /etc/resolv.conf
	resolves
	only_cf
	like inside "$(cf -- cat /etc/resolv.conf)" 'nameserver 192.0.0.1'
	like outside "$(cat /etc/resolv.conf)" 'nameserver 203.0.113.53'
	same "still a link" "$(readlink /etc/resolv.conf)" "$2"
}
plain_resolv_conf() {
	rm -f /etc/resolv.conf
	printf 'nameserver 203.0.113.53\n' >/etc/resolv.conf
}
it resolv_conf_may_be_a_symlink_into_run /run/resolvconf/resolv.conf ../run/resolvconf/resolv.conf
it resolv_conf_may_be_a_symlink_into_run /run/systemd/resolve/stub-resolv.conf \
    ../run/systemd/resolve/stub-resolv.conf
it resolv_conf_may_be_a_symlink_into_run /run/NetworkManager/resolv.conf /run/NetworkManager/resolv.conf
plain_resolv_conf

a_dead_first_nameserver_is_got_over() {
	printf 'nameserver 203.0.113.66\nnameserver 203.0.113.53\n' >/etc/resolv.conf
	resolves
}
it a_dead_first_nameserver_is_got_over

an_ipv6_nameserver_is_enough() {
	printf 'nameserver 2001:db8::53\n' >/etc/resolv.conf
	resolves
}
it an_ipv6_nameserver_is_enough
plain_resolv_conf

# Without a resolv.conf there is nothing to put ours over; addresses go on working.
no_resolv_conf_is_said_and_survived() {	# COMMAND THAT LEAVES NONE
	only_cf
	rm -f /etc/resolv.conf
	"$@"
	same body "$(cf -- curl -sS http://203.0.113.10/hello 2>err)" hello
	like stderr "$(cat err)" '^cf-spawn: .*resolv.conf'
	same lines "$(wc -l <err)" 1
	same "with -d" "$(cf -d 203.0.113.53 -- dig +short @192.0.0.1 v4.example.test A 2>err)" 203.0.113.10
}
it no_resolv_conf_is_said_and_survived true
it no_resolv_conf_is_said_and_survived ln -s /run/nowhere/resolv.conf /etc/resolv.conf
plain_resolv_conf

an_empty_resolv_conf_is_enough_for_d() {
	only_cf
	: >/etc/resolv.conf
	resolves -d 203.0.113.53
}
it an_empty_resolv_conf_is_enough_for_d
plain_resolv_conf

# Name services with a socket on the host (nscd, resolved) cannot be asked past us.
sockets_of_name_services_are_covered() {
	only_cf
	mkdir -p /run/nscd /run/systemd/resolve
	echo secret >/run/nscd/socket
	echo secret >/run/systemd/resolve/io.systemd.Resolve
	same inside "$(cf -- find /run/nscd/ /run/systemd/resolve/ -type f)" ""
	rm -r /run/nscd /run/systemd
}
it sockets_of_name_services_are_covered

# ---- --hosts-file ----

hosts_file_pins_names() {
	only_cf
	printf '203.0.113.20 pinned.test\n2001:db8::20 pinned6.test\n203.0.113.20 example.test # a note\n' >hosts
	echo '203.0.113.1 example.test fromhost' >>/etc/hosts
	echo '203.0.113.2 other' >>/etc/hosts
	same pinned "$(cf --hosts-file hosts -- getent hosts pinned.test | awk '{print $1}')" 203.0.113.20
	same v6 "$(cf --hosts-file hosts -- getent hosts pinned6.test | awk '{print $1}')" 2001:db8::20
	same overridden "$(cf --hosts-file hosts -- getent ahostsv4 example.test | awk '{print $1}' | sort -u)" \
	    203.0.113.20
	same "the host's" "$(cf --hosts-file hosts -- getent hosts other | awk '{print $1}')" 203.0.113.2
	like localhost "$(cf --hosts-file hosts -- getent hosts localhost)" '^(::1|127.0.0.1) '
	same "used by curl" "$(cf --hosts-file hosts -- curl -sS http://pinned.test/whoami)" \
	    "198.51.100.2 pinned.test"
	unlike "the host's file" "$(cat /etc/hosts)" pinned
}
it hosts_file_pins_names
printf '127.0.0.1 localhost\n::1 localhost\n' >/etc/hosts

done_testing
