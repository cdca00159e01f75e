#!/bin/bash
# resolvers.sh - which servers names are asked at: the host's, whatever becomes of its resolv.conf.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

# Says that example.test has the address that it listens on.
second_conf() {	# ADDRESS
	cat <<-END
	pid-file=
	no-resolv
	no-hosts
	bind-interfaces
	listen-address=$1
	local=/test/
	host-record=example.test,203.0.113.20
	host-record=one.a.test,203.0.113.1
	host-record=one.b.test,203.0.113.2
	host-record=two.b.test,203.0.113.3
	END
}
second_conf 203.0.113.20 >"$T/second.conf"
serve dnsmasq -k -C "$T/second.conf" --user=root --group=
must until_true 20 listening 203.0.113.20 53

plain_resolv_conf() {
	rm -f /etc/resolv.conf
	printf 'nameserver 203.0.113.53\n' >/etc/resolv.conf
}
address_of() {	# NAME OPTION ...: as libc has it
	local name=$1
	shift
	cf "$@" -- getent ahostsv4 "$name" | awk '{ print $1; exit }'
}

# ---- resolv.conf changes while a command runs ----

# A run that writes `first` with the first answer, and `second` once that is 203.0.113.20.
# shellcheck disable=SC2016
ASKING='
	dig +short v4.example.test A @192.0.0.1 >first.tmp && mv first.tmp first
	until [ "$(dig +short +time=2 +tries=1 example.test A @192.0.0.1)" = 203.0.113.20 ]; do
		sleep 0.05
		[ ! -e stop ] || exit 3
	done
	echo 203.0.113.20 >second'

in_place() { printf 'nameserver 203.0.113.20\n' >/etc/resolv.conf; }
by_rename() {
	printf 'nameserver 203.0.113.20\n' >/etc/resolv.conf.new
	mv /etc/resolv.conf.new /etc/resolv.conf
}
anew() {
	rm /etc/resolv.conf
	printf 'search test\nnameserver 203.0.113.20\nnameserver 203.0.113.66\n' >/etc/resolv.conf
}
by_a_link_elsewhere() {
	mkdir -p /run/vpn
	printf 'nameserver 203.0.113.20\n' >/run/vpn/resolv.conf
	ln -sf ../run/vpn/resolv.conf /etc/resolv.conf
}
where_the_link_leads() { printf 'nameserver 203.0.113.20\n' >/run/other/resolv.conf; }
where_the_link_leads_by_rename() {
	printf 'nameserver 203.0.113.20\n' >/run/other/new
	mv /run/other/new /run/other/resolv.conf
}
twice() { by_a_link_elsewhere; rm /run/vpn/resolv.conf; where_the_link_leads_by_rename; ln -sf /run/other/resolv.conf /etc/resolv.conf; }
link_to_run() {
	mkdir -p /run/other
	printf 'nameserver 203.0.113.53\n' >/run/other/resolv.conf
	ln -sf ../run/other/resolv.conf /etc/resolv.conf
}

a_new_resolv_conf_is_followed() {	# HOW [BEFORE]
	only_cf
	plain_resolv_conf
	[ $# -lt 2 ] || "$2"
	cf -v -- sh -c "$ASKING" 2>err &
	until_true 20 test -e first || failed "the command does not start: $(cat err)"
	same "before" "$(cat first)" 203.0.113.10
	"$1"
	until_true 20 test -e second || failed "not followed: $(grep -v ' dns ' err)"
	wait $!
	like "what is said" "$(cat err)" 'cf-spawn: /etc/resolv.conf has changed: names are asked at 203.0.113.20:53'
	unlike errors "$(cat err)" 'garbage|warning'
}
it a_new_resolv_conf_is_followed in_place
it a_new_resolv_conf_is_followed by_rename
it a_new_resolv_conf_is_followed anew
it a_new_resolv_conf_is_followed by_a_link_elsewhere
it a_new_resolv_conf_is_followed where_the_link_leads link_to_run
it a_new_resolv_conf_is_followed where_the_link_leads_by_rename link_to_run
it a_new_resolv_conf_is_followed twice link_to_run
plain_resolv_conf

said() { grep -q "$1" err; }

a_resolv_conf_of_no_use_leaves_things_as_they_were() {	# COMMAND THAT MAKES ONE; WHAT IS SAID
	only_cf
	plain_resolv_conf
	cf -- sh -c "$ASKING" 2>err &
	until_true 20 test -e first || failed "the command does not start: $(cat err)"
	"$1"
	until_true 20 said "$2" || failed "nothing is said of it: $(cat err)"
	by_rename	# and what is mended is followed
	until_true 20 test -e second || failed "not followed afterwards: $(cat err)"
	wait $!
	same lines "$(grep -c 'resolv.conf has changed, but' err)" 1
}
emptied() { : >/etc/resolv.conf; }
without_servers() { printf 'search test\n' >/etc/resolv.conf; }
to_nowhere() { ln -sf /run/nowhere/resolv.conf /etc/resolv.conf; }
it a_resolv_conf_of_no_use_leaves_things_as_they_were emptied 'names no server'
it a_resolv_conf_of_no_use_leaves_things_as_they_were without_servers 'names no server'
it a_resolv_conf_of_no_use_leaves_things_as_they_were to_nowhere 'No such file'
plain_resolv_conf

many_changes_end_at_the_last() {
	only_cf
	plain_resolv_conf
	cf -- sh -c "$ASKING" 2>err &
	until_true 20 test -e first || failed "the command does not start: $(cat err)"
	for i in $(seq 200); do
		printf 'nameserver 203.0.113.%d\n' $((50 + i % 9)) >/etc/resolv.conf
	done
	in_place
	until_true 20 test -e second || failed "not followed: $(cat err)"
	wait $!
	same "messages" "$(cat err)" ""
}
it many_changes_end_at_the_last
plain_resolv_conf

d_is_not_changed_by_resolv_conf() {
	only_cf
	cf -v -d 203.0.113.53 -- sh -c "$ASKING" 2>err &
	until_true 20 test -e first || failed "the command does not start: $(cat err)"
	in_place
	# Once this run follows, the other would have too.
	same "of a run from now" "$(cf -- dig +short example.test A)" 203.0.113.20
	touch stop
	wait $! || same "its end" $? 3
	[ ! -e second ] || failed "-d was given up"
	unlike "what is said" "$(cat err)" 'has changed'
}
it d_is_not_changed_by_resolv_conf
plain_resolv_conf

# ---- resolvers on the host's own loopback: systemd-resolved, dnsmasq, unbound ----

second_conf 127.0.0.53 >"$T/stub.conf"
dnsmasq -k -C "$T/stub.conf" --user=root --group= >>"$T/servers.log" 2>&1 </dev/null &
must until_true 20 listening 127.0.0.53 53

a_stub_on_the_hosts_loopback_is_asked() {
	only_cf
	mkdir -p /run/systemd/resolve
	printf 'nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n' >/run/systemd/resolve/stub-resolv.conf
	ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
	same address "$(address_of example.test)" 203.0.113.20
	same "over TCP" "$(cf -- dig +short +tcp example.test A)" 203.0.113.20
	same "the file" "$(cf -- cat /etc/resolv.conf | head -n 1)" "nameserver 192.0.0.1"
}
it a_stub_on_the_hosts_loopback_is_asked
plain_resolv_conf

the_hosts_loopback_is_no_server_for_the_tree() {
	only_cf
	printf 'nameserver 127.0.0.53\n' >/etc/resolv.conf
	same "its own loopback" "$(cf -- dig +short +time=1 +tries=1 @127.0.0.53 example.test A | grep -c 203.0.113)" 0
	status 7 cf -- curl -sS --max-time 5 http://127.0.0.53:53/
}
it the_hosts_loopback_is_no_server_for_the_tree
plain_resolv_conf

# ---- what is kept of resolv.conf ----

search_and_options_are_kept() {
	only_cf
	local i search=
	for i in $(seq 20); do search="$search none$i.test"; done
	printf 'search a.test%s b.test\noptions ndots:2 rotate edns0 trust-ad\nnameserver 203.0.113.20\n' \
	    "$search" >/etc/resolv.conf
	same "libc, first" "$(address_of one)" 203.0.113.1
	same "libc, last" "$(address_of two)" 203.0.113.3
	same "dig" "$(cf -- dig +search +short one A)" 203.0.113.1
	# shellcheck disable=SC2016
	same "python" "$(cf -- python3 -c 'import socket; print(socket.gethostbyname("two"))')" 203.0.113.3
	printf 'search test\noptions ndots:3\nnameserver 203.0.113.20\n' >/etc/resolv.conf
	same "ndots" "$(address_of one.a)" 203.0.113.1
	printf 'domain b.test\nnameserver 203.0.113.20\n' >/etc/resolv.conf
	same "domain" "$(address_of one)" 203.0.113.2
}
it search_and_options_are_kept
plain_resolv_conf

# ---- several servers ----

dead_servers_cost_the_first_query_time_and_no_other() {	# DEAD
	only_cf
	# shellcheck disable=SC2016
	cf -d "$1" -d 203.0.113.53 -- sh -c '
		dig +short +time=20 +tries=1 v4.example.test A >out
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			dig +noall +answer +stats +time=20 +tries=1 v4.example.test A
		done >all'
	same first "$(cat out)" 203.0.113.10
	same answers "$(grep -c '203.0.113.10$' all)" 20
	# One of them may be the one that tries it again.
	[ "$(awk '/Query time:/ && $4 >= 1000' all | wc -l)" -le 1 ] || failed "slow: $(grep time: all)"
}
it dead_servers_cost_the_first_query_time_and_no_other 203.0.113.66
it dead_servers_cost_the_first_query_time_and_no_other 203.0.113.77
it dead_servers_cost_the_first_query_time_and_no_other '[2001:db8::66]:5353'

# ---- --dns-cache ----

queries() { grep -c "query\[A\] $1 " "$T/dns.log"; }

the_cache_asks_once_and_only_when_it_is_wanted() {
	only_cf
	local n
	n=$(queries v4.example.test || :)
	# shellcheck disable=SC2016
	cf --dns-cache 100 -- sh -c '
		for i in 1 2 3 4 5; do dig +short +tries=1 v4.example.test A; done' >out
	same answers "$(sort -u out)" 203.0.113.10
	# dnsmasq gives its own records with a TTL of 0, which must not be kept.
	same "asked for what may not be kept" "$(($(queries v4.example.test) - n))" 5
	serve /usr/bin/python3 "$T/resolver.py" 203.0.113.20 5456 "$T/cached-$PASS" 300
	until_true 20 grep -qs ready "$T/cached-$PASS" || failed "the name server does not start"
	# shellcheck disable=SC2016
	cf --dns-cache 100 -d 203.0.113.20:5456 -- sh -c '
		for i in 1 2 3 4 5; do dig +short +tries=1 n.test A; dig +short +tries=1 N.test A; done
		getent ahostsv4 n.test' >out
	same addresses "$(grep -o '203[0-9.]*' out | sort -u)" 203.0.113.20
	# With a cookie and without EDNS: dig and the C library ask two questions.
	[ "$(grep -cv ready "$T/cached-$PASS")" -le 2 ] || failed "asked: $(cat "$T/cached-$PASS")"
	cf -d 203.0.113.20:5456 -- sh -c '
		for i in 1 2 3 4 5; do dig +short +tries=1 n.test A; done' >out
	[ "$(grep -cv ready "$T/cached-$PASS")" -ge 6 ] || failed "kept without --dns-cache"
}
it the_cache_asks_once_and_only_when_it_is_wanted

# ---- --add-host ----

added_hosts_are_pinned() {
	only_cf
	local add=(--add-host new.test:203.0.113.20 --add-host new.test:2001:db8::20
	    --add-host "bracket.test:[2001:db8::20]" --add-host example.test:203.0.113.20)
	printf '203.0.113.1 example.test\n203.0.113.2 file.test\n' >hosts
	same address "$(address_of new.test "${add[@]}")" 203.0.113.20
	same "its IPv6" "$(cf "${add[@]}" -- getent ahostsv6 new.test | awk '{ print $1; exit }')" 2001:db8::20
	same brackets "$(cf "${add[@]}" -- getent hosts bracket.test | awk '{ print $1 }')" 2001:db8::20
	same "before a file" "$(cf "${add[@]}" --hosts-file hosts -- getent ahostsv4 example.test |
	    awk '{ print $1 }' | sort -u)" 203.0.113.20
	same "with a file" "$(address_of file.test "${add[@]}" --hosts-file hosts)" 203.0.113.2
	same "used by curl" "$(cf "${add[@]}" -- curl -sS http://new.test/hello)" hello
	unlike "the host's file" "$(cat /etc/hosts)" new.test
	status 125 cf --add-host nonsense -- true
	status 125 cf --add-host name:nonsense -- true
}
it added_hosts_are_pinned

# ---- sockets of the host's name services are no way around ----

# A service that would answer whoever can connect.
name_service() {	# SOCKET
	mkdir -p "$(dirname "$1")"
	echo secret >secret
	socat -U "UNIX-LISTEN:$1,fork,mode=666" "OPEN:$PWD/secret,rdonly" >/dev/null 2>&1 &
	until_true 10 grep -q "00010000 .* $1\$" /proc/net/unix	# it listens
}

name_services_of_the_host_cannot_be_asked() {	# SOCKET
	only_cf
	name_service "$1"
	like "outside" "$(as_caller socat -u "UNIX-CONNECT:$1" -)" secret
	same "inside" "$(cf -- socat -u "UNIX-CONNECT:$1" - 2>/dev/null || :)" ""
	same "by another name" "$(cf -- sh -c "cd / && socat -u UNIX-CONNECT:.$1 -" 2>/dev/null || :)" ""
	same "names" "$(address_of v4.example.test)" 203.0.113.10
	rm -rf "$(dirname "$1")"
}
it name_services_of_the_host_cannot_be_asked /run/nscd/socket
it name_services_of_the_host_cannot_be_asked /run/systemd/resolve/io.systemd.Resolve
it name_services_of_the_host_cannot_be_asked /run/avahi-daemon/socket

a_name_service_that_starts_later_cannot_be_asked_either() {
	only_cf
	local run
	mkdir -p /run/nscd
	# shellcheck disable=SC2016
	cf -- sh -c 'touch up; until [ -e later ]; do sleep 0.05; done
		socat -u UNIX-CONNECT:/run/nscd/socket - 2>/dev/null' >out &
	run=$!
	until_true 20 test -e up || failed "the command does not start"
	name_service /run/nscd/socket
	touch later
	wait $run || :
	same inside "$(cat out)" ""
	rm -rf /run/nscd
}
it a_name_service_that_starts_later_cannot_be_asked_either

done_testing
