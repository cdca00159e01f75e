#!/bin/bash
# standalone_dns.sh - cf-dns --listen is a name server of its own, for those who may ask.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
[ -z "$WITH" ] || { skip "all" "says nothing about $WITH"; done_testing; }

DNS=/srv/cf/bin/cf-dns
BECOME=
[ "$PASS" = root ] || BECOME=$BECOME_USER
must sv ip addr add 203.0.113.54/32 dev lo

# dns [OPTION ...]: in the background, until end_dns; in $DNS_PID, its words in $T/said.
dns() {
	: >"$T/said"
	chmod 666 "$T/said"
	# shellcheck disable=SC2086
	exec -- $BECOME "$DNS" -v "$@" </dev/null >>"$T/said" 2>&1 &
	DNS_PID=$!
	until_true 20 dns_ready || failed "it does not start: $(cat "$T/said")"
}
dns_ready() { grep -q 'listening on' "$T/said" || ! kill -0 "$DNS_PID"; }
no_dns() { [ -z "$(pids cf-dns cf-proxy)" ]; }
end_dns() {
	local rc=0
	kill -"${1:-TERM}" "$DNS_PID"
	wait "$DNS_PID" || rc=$?
	same status "$rc" 0
	until_true 5 no_dns || failed "a process is left: $(pids cf-dns cf-proxy)"
	no_warnings
}
# Its lines with -v begin with what happened; what else it says is a complaint.
no_warnings() {
	same complaints "$(grep -v '^\[childflow\] ..:..:.. DNS  \|: listening on\|: ends on signal\|is no client of ours' "$T/said")" ""
}
at() {	# PORT DIG-ARGUMENTS
	local port=$1
	shift
	dig -p "$port" +time=5 +tries=2 "$@"
}
asker() { as_caller /usr/bin/python3 "$T/asker.py" "$@"; }

# ---- as a forwarder ----

answers_as_its_resolver_does() {	# DIG-ARGUMENTS
	local server want got
	for server in 127.0.0.1 ::1; do
		want=$(dig @203.0.113.53 +noall +answer +comments "$@" | sort)
		got=$(at 5353 "@$server" +noall +answer +comments "$@" | sort)
		[ -n "$want" ] || failed "the resolver is silent"
		same "answer of $server" "$(sieve "$got")" "$(sieve "$want")"
	done
}
sieve() { grep -v '^;; Got\|^;; OPT\|^;; Trunc\|id:\|EDNS:' <<<"$1"; }
forwards() {
	dns --listen 127.0.0.1:5353 --listen '[::1]:5353'
	answers_as_its_resolver_does example.test A
	answers_as_its_resolver_does example.test AAAA
	answers_as_its_resolver_does +tcp example.test A
	answers_as_its_resolver_does +noedns alias.example.test A
	answers_as_its_resolver_does example.test MX
	answers_as_its_resolver_does _http._tcp.example.test SRV
	answers_as_its_resolver_does nowhere.test A
	answers_as_its_resolver_does +tcp big.example.test TXT
	answers_as_its_resolver_does +bufsize=1232 big.example.test TXT
	same reverse "$(at 5353 @127.0.0.1 +short -x 203.0.113.10)" example.test.
	end_dns
}
it forwards

libc_and_python_use_it() {
	[ "$PASS" = root ] || cannot "port 53 needs root"
	dns --listen 127.0.0.53 --resolver 203.0.113.53
	echo 'nameserver 127.0.0.53' >/etc/resolv.conf
	same libc "$(getent ahostsv4 example.test | awk '{ print $1; exit }')" 203.0.113.10
	same "libc, IPv6" "$(getent ahostsv6 v6.example.test | awk '{ print $1; exit }')" 2001:db8::10
	status 2 getent hosts nowhere.test
	same python "$(/usr/bin/python3 -c 'import socket
print(socket.getaddrinfo("v4.example.test", 80, type=1)[0][4][0])')" 203.0.113.10
	end_dns
}
it libc_and_python_use_it
echo 'nameserver 203.0.113.53' >/etc/resolv.conf

a_hundred_clients_at_once() {
	dns --listen 127.0.0.1:5353
	seq 200 | xargs -P 25 -I{} dig -p 5353 @127.0.0.1 +short +time=10 v4.example.test A >out
	seq 200 | xargs -P 25 -I{} dig -p 5353 @127.0.0.1 +tcp +short +time=10 v4.example.test A >>out
	same answers "$(grep -c '^203.0.113.10$' out)" 400
	end_dns
}
it a_hundred_clients_at_once

many_queries_a_second() {	# udp|tcp
	command -v dnsperf >/dev/null || cannot "dnsperf is not installed"
	dns --listen 127.0.0.1:5353 --resolver 203.0.113.53
	echo 'v4.example.test A' >names
	dnsperf -m "$1" -s 127.0.0.1 -p 5353 -d names -l 1 -c 8 -q 100 >out
	same lost "$(awk '/Queries lost:/ { print $3 }' out)" 0
	same codes "$(awk '/Response codes:/ { print $3 }' out)" NOERROR
	end_dns
}
it many_queries_a_second udp
it many_queries_a_second tcp

the_next_resolver_is_asked() {
	dns --listen 127.0.0.1:5353 --resolver 203.0.113.53:5 --resolver 203.0.113.53
	same answer "$(at 5353 @127.0.0.1 +short v4.example.test)" 203.0.113.10
	end_dns
}
it the_next_resolver_is_asked

a_silent_resolver_is_servfail() {
	dns --listen 127.0.0.1:5353 --resolver 203.0.113.66
	like udp "$(at 5353 @127.0.0.1 example.test)" 'status: SERVFAIL'
	like tcp "$(at 5353 @127.0.0.1 +tcp example.test)" 'status: SERVFAIL'
	end_dns
}
it a_silent_resolver_is_servfail

# A resolver that caches and checks, as another kind of peer.
unbound_may_be_behind_it() {
	command -v unbound >/dev/null || cannot "unbound is not installed"
	cat >"$T/unbound.conf" <<-END
	server:
		interface: 203.0.113.54
		access-control: 0.0.0.0/0 allow
		chroot: ""
		username: ""
		pidfile: "$T/unbound.pid"
		directory: "$T"
		use-syslog: no
		do-daemonize: no
		local-zone: "unbound.test." static
		local-data: "www.unbound.test. A 203.0.113.20"
		local-data: 'long.unbound.test. TXT "$(printf %0200d 1)"'
		local-data: 'long.unbound.test. TXT "$(printf %0201d 2)"'
		local-data: 'long.unbound.test. TXT "$(printf %0202d 3)"'
		local-data: 'long.unbound.test. TXT "$(printf %0203d 4)"'
	remote-control:
		control-enable: no
	END
	serve unbound -c "$T/unbound.conf"
	until_true 20 listening 203.0.113.54 53
	dns --listen 127.0.0.1:5353 --resolver 203.0.113.54
	same answer "$(at 5353 @127.0.0.1 +short www.unbound.test)" 203.0.113.20
	like none "$(at 5353 @127.0.0.1 nowhere.unbound.test)" 'status: NXDOMAIN'
	same records "$(at 5353 @127.0.0.1 +noedns +short long.unbound.test TXT | grep -c 0000)" 4
	like truncated "$(at 5353 @127.0.0.1 +noedns +ignore long.unbound.test TXT)" 'flags: [a-z ]*tc'
	end_dns
}
it unbound_may_be_behind_it

events_are_written() {
	exec 3>events
	dns --listen 127.0.0.1:5353 --log-fd 3
	at 5353 @127.0.0.1 +short example.test >out
	same event "$(jq -c 'select(.event == "dns_answer") | [.qname, .protocol, .answer_ips, .server]' events)" \
	    '["example.test","udp",["203.0.113.10"],"203.0.113.53:53"]'
	end_dns
}
it events_are_written

# ---- clients that want too much ----

hostile() {	# WHAT WANTED
	same "$1" "$(asker 127.0.0.1 5353 "$1" | tr '\n' ' ')" "$2"
}
with_a_server() {
	dns --listen 127.0.0.1:5353
	"$@"
	same "still there" "$(at 5353 @127.0.0.1 +short v4.example.test)" 203.0.113.10
	end_dns
}
it with_a_server hostile silence '2 '
it with_a_server hostile size 'True True '
it with_a_server hostile pipelined 'True '
it with_a_server hostile half_closed "[1, 2] b'' "
it with_a_server hostile garbage 'at once at once at once '
it with_a_server hostile idle '[True, True] '
it with_a_server hostile deaf 'closed '
it with_a_server hostile bulky '480 '
it with_a_server hostile crowd '128 7 '

resolver_of_ours() {	# mute|lazy
	sv /usr/bin/python3 "$T/asker.py" 203.0.113.20 5454 "$1" >"$T/resolver" 2>&1 </dev/null &
	until_true 20 grep -q ready "$T/resolver" || failed "the name server does not start"
}
connections_beyond_the_share_wait() {
	resolver_of_ours lazy
	dns --listen 127.0.0.1:5353 --resolver 203.0.113.20:5454
	same "connections with all answers" "$(asker 127.0.0.1 5353 stalled)" 10
	same "most at once" "$(sed 1d "$T/resolver" | sort -n | tail -1)" 256
	end_dns
}
it connections_beyond_the_share_wait

# Names that begin with "silent" are never answered there; the rest are, at once.
a_flood_does_not_starve_others() {
	local served
	resolver_of_ours mute
	dns --listen 127.0.0.1:5353 --resolver 203.0.113.20:5454
	served=$(asker 127.0.0.1 5353 flood)
	[ "$served" -ge 95 ] || failed "$served of 100 are served"
	kill "$DNS_PID"
	wait "$DNS_PID"
	like said "$(cat "$T/said")" 'its share of the 512 queries under way'
}
it a_flood_does_not_starve_others

memory_is_bounded() {
	[[ $BUILD != */debug ]] || cannot "the sanitizers have memory of their own"
	local pid askers=()
	dns --listen 127.0.0.1:5353
	for _ in 1 2 3 4 5 6; do
		asker 127.0.0.1 5353 deaf >out &
		askers+=($!)
	done
	wait "${askers[@]}"
	for pid in $(pids cf-dns); do
		[ "$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status")" -lt 65536 ] ||
			failed "$(grep VmHWM "/proc/$pid/status")"
	done
	same "still there" "$(at 5353 @127.0.0.1 +short v4.example.test)" 203.0.113.10
	end_dns
}
it memory_is_bounded

# ---- who may ask ----

only_clients_are_answered() {
	dns --listen 198.51.100.2:5353 --client 198.51.100.2 --client 2001:db8:1::/64 \
	    --listen '[2001:db8:1::2]:5353'
	same "this host" "$(at 5353 @198.51.100.2 +short v4.example.test)" 203.0.113.10
	same "a network" "$(sv dig -p 5353 @2001:db8:1::2 -b 2001:db8:1::1 +short v4.example.test)" 203.0.113.10
	same stranger "$(sv /usr/bin/python3 "$T/asker.py" 198.51.100.2 5353 stranger | tr '\n' ' ')" "silent closed "
	like said "$(cat "$T/said")" '198.51.100.1 is no client of ours'
	end_dns
}
it only_clients_are_answered

# ---- rules ----

rules_hold() {
	printf '# for a child\nexample.test\n*.example.test\n' >list
	dns --listen 127.0.0.1:5353 "$@"
	same allowed "$(at 5353 @127.0.0.1 +short v4.example.test)" 203.0.113.10
	same "over TCP" "$(at 5353 @127.0.0.1 +tcp +short v4.example.test)" 203.0.113.10
	: >"$T/dns.log"
	like denied "$(at 5353 @127.0.0.1 second.test)" 'status: NOERROR.*ANSWER: 0,'
	like "over TCP, another type" "$(at 5353 @127.0.0.1 +tcp second.test TXT)" 'status: NOERROR.*ANSWER: 0,'
	same "asked upstream" "$(grep -c 'second.test' "$T/dns.log")" 0
	like "the line about it" "$(cat "$T/said")" 'second\.test'
	kill "$DNS_PID"
	wait "$DNS_PID"
}
it rules_hold --deny-domain second.test
it rules_hold --allow-domain example.test --default-policy deny
it rules_hold --allow-file list
denied_names_may_be_nxdomain() {
	dns --listen 127.0.0.1:5353 --deny-domain second.test --deny-answer nxdomain
	like udp "$(at 5353 @127.0.0.1 www.second.test)" 'status: NXDOMAIN'
	kill "$DNS_PID"
	wait "$DNS_PID"
}
it denied_names_may_be_nxdomain

addresses_behind_a_rule_are_not_told() {
	dns --listen 127.0.0.1:5353 --deny-cidr 203.0.113.10
	like denied "$(at 5353 @127.0.0.1 v4.example.test)" 'status: NOERROR.*ANSWER: 0,'
	same other "$(at 5353 @127.0.0.1 +short second.example.test)" 203.0.113.20
	kill "$DNS_PID"
	wait "$DNS_PID"
}
it addresses_behind_a_rule_are_not_told

# ---- the command line ----

refuses() {	# STATUS REGEX OPTION ...
	local want=$1 regex=$2
	shift 2
	status "$want" as_caller timeout 10 "$DNS" "$@" 2>out
	like message "$(cat out)" "$regex"
	no_dns || failed "a process is left"
}
it refuses 2 'say who may ask \(--client NETWORK\)' --listen 198.51.100.2:5353
it refuses 2 'every address of this host' --listen 0.0.0.0:5353 --client 192.0.2.0/24
it refuses 2 'every address of this host' --listen '[::]:5353'
it refuses 2 'not an address' --listen 127.0.0.1:0
it refuses 2 'it is there twice' --listen 127.0.0.1:5353 --listen 127.0.0.1:5353
it refuses 2 'not an address' --listen localhost:53
it refuses 2 'client 192.168.1.1/16: ' --listen 127.0.0.1:5353 --client 192.168.1.1/16
it refuses 2 'are for --listen' --client 127.0.0.1 --dial-fd 3
it refuses 2 'or --listen ADDR' -v
it refuses 2 'are for --listen' --deny-domain example.test --dial-fd 3
it refuses 2 'nonsense' --listen 127.0.0.1:5353 --deny 'nonsense:port'
it refuses 2 'nowhere' --listen 127.0.0.1:5353 --deny-file nowhere
it refuses 1 'cannot listen on 203.0.113.1:5353' --listen 203.0.113.1:5353 --client 127.0.0.1
it refuses 1 'so it would ask itself' --listen 127.0.0.1:5353 --resolver 127.0.0.1:5353

a_port_that_is_taken_is_said() {
	dns --listen 127.0.0.1:5353
	status 1 as_caller timeout 10 "$DNS" --listen 127.0.0.1:5353 2>out
	like message "$(cat out)" 'cannot listen on 127.0.0.1:5353 \(udp\): another program does'
	end_dns
}
it a_port_that_is_taken_is_said

a_port_below_1024_needs_root() {
	only_for user
	[ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 53 ] || cannot "not on this host"
	refuses 1 'a port below 1024 needs root' --listen 127.0.0.1
}
it a_port_below_1024_needs_root

no_resolver_is_said() {
	echo '# none' >/etc/resolv.conf
	refuses 1 'no resolver is in /etc/resolv.conf' --listen 127.0.0.1:5353
}
it no_resolver_is_said
echo 'nameserver 203.0.113.53' >/etc/resolv.conf

# ---- what it is, and what is left of it ----

it_has_no_power_left() {
	local pid
	dns --listen 127.0.0.1:5353
	same processes "$(pids cf-dns cf-proxy | wc -l)" 3
	for pid in $(pids cf-dns cf-proxy); do
		same "seccomp of $pid" "$(awk '/^Seccomp:/ { print $2 }' "/proc/$pid/status")" 2
		same "powers of $pid" "$(awk '/^Cap(Prm|Eff|Amb)/ { print $2 }' "/proc/$pid/status" | sort -u)" \
		    0000000000000000
		same "its NoNewPrivs" "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$pid/status")" 1
		[ "$ROOTLESS" != 0:0 ] || unlike "uid of $pid" "$(awk '/^Uid/ { print $2 }' "/proc/$pid/status")" '^0$'
	done
	end_dns
}
it it_has_no_power_left

root_becomes_who_is_named() {
	only_for root
	[ "$ROOTLESS" = 0:0 ] || cannot "the suite is not run as root"
	dns --listen 127.0.0.1:53 --user cftest
	same uid "$(awk '/^Uid/ { print $2, $3, $4 }' "/proc/$DNS_PID/status")" "61717 61717 61717"
	same groups "$(awk '/^Groups/ { $1 = ""; print }' "/proc/$DNS_PID/status" | tr -d ' ')" ""
	same answer "$(dig @127.0.0.1 +short v4.example.test)" 203.0.113.10
	end_dns
}
it root_becomes_who_is_named

signals_end_it_and_nothing_is_left() {
	local before signal
	before=$(host_state)
	for signal in TERM HUP; do
		dns --listen 127.0.0.1:5353
		at 5353 @127.0.0.1 +short +tcp v4.example.test >/dev/null
		end_dns "$signal"
	done
	same "the host" "$(host_state)" "$before"
}
it signals_end_it_and_nothing_is_left

done_testing
