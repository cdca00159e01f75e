#!/bin/bash
# policy.sh - what the rules let leave, and what a program and a person see of what they do not.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
if [ -n "$WITH" ]; then
	skip all "says nothing about $WITH"
	done_testing
fi

# Beside the public addresses of the world: private ones, and a cloud's metadata service.
for a in 10.9.8.7/32 169.254.169.254/32 fd00:9::7/128 fd00:ec2::254/128; do
	must sv ip addr add "$a" dev lo
done
serve socat UDP4-RECVFROM:7,bind=10.9.8.7,fork EXEC:cat
serve socat 'UDP6-RECVFROM:7,bind=[fd00:9::7],fork' EXEC:cat
serve socat UDP4-RECVFROM:7,bind=169.254.169.254,fork EXEC:cat
serve socat 'UDP6-RECVFROM:7,bind=[fd00:ec2::254],fork' EXEC:cat

HOST="203.0.113.10 2001:db8::10"
PRIVATE="10.9.8.7 fd00:9::7"
METADATA="169.254.169.254 fd00:ec2::254"

probe() { /usr/bin/python3 "$T/probe.py" "$@"; }

# What a program sees of a refusal: by way, and by who ends the tree's TCP.
NO_4=EHOSTUNREACH NO_6=EACCES
case $(cf --status-fd 1 -- true | jq -r 'select(.event == "started") | .tcp_path // "tun"') in
kernel)	NO_TCP4=$NO_4 NO_TCP6=$NO_6 ;;
*)	NO_TCP4=ECONNREFUSED NO_TCP6=ECONNREFUSED ;;
esac

# lets WAYS "ADDRESSES" OPTION ...: of the six ways to these addresses just WAYS are open, and the
# others fail as refused.
lets() {
	local open=" $1 " addresses=$2 way got want=
	shift 2
	for way in tcp4 tcp6 udp4 udp6 icmp4 icmp6; do
		case "$open" in
		*" all "* | *" $way "*) want+=" $way=OK" ;;
		*) case $way in
			tcp4)	want+=" $way=$NO_TCP4" ;;
			tcp6)	want+=" $way=$NO_TCP6" ;;
			*4)	want+=" $way=$NO_4" ;;
			*6)	want+=" $way=$NO_6" ;;
			esac ;;
		esac
	done
	# shellcheck disable=SC2086
	got=$(cf "$@" -- /usr/bin/python3 "$T/reach.py" $addresses 2>err)
	[ "$got" = "${want# }" ] || cat err
	same "with $*" "$got" "${want# }"
}
none=""

it lets all "$HOST" --default-policy allow
it lets "$none" "$HOST" --offline
it lets "$none" "$HOST" --default-policy deny
if cf --help | grep -q -e --tcp-path; then
	(NO_TCP4=ECONNREFUSED NO_TCP6=ECONNREFUSED
	it lets "$none" "$HOST" --tcp-path tun --default-policy deny
	it lets "tcp4 udp4 icmp4" "$HOST" --tcp-path tun --allow 203.0.113.10)
fi

# addresses
it lets "tcp6 udp6 icmp6" "$HOST" --deny-cidr 203.0.113.0/24
it lets "tcp4 udp4 icmp4" "$HOST" --deny-cidr 2001:db8::/64
it lets all "$HOST" --deny-cidr 203.0.113.11 --deny-cidr 2001:db8::20/124
it lets all "$HOST" --allow-cidr 192.0.2.1
it lets "tcp4 udp4 icmp4" "$HOST" --allow-cidr 203.0.113.10 --default-policy deny
it lets "tcp6 udp6 icmp6" "$HOST" --allow-cidr 2001:db8::/32 --default-policy deny

# ports and protocols
it lets tcp4 "$HOST" --allow 203.0.113.10:80/tcp
it lets "tcp4 udp4 icmp4" "$HOST" --allow 203.0.113.0/24
it lets udp6 "$HOST" --allow '[2001:db8::10]:7'
it lets "tcp4 tcp6" "$HOST" --allow '*:80,443'
it lets "icmp4 icmp6" "$HOST" --allow '*/icmp'
it lets "udp4 udp6 icmp4 icmp6" "$HOST" --deny '*:1-1023/tcp'
it lets "tcp4 tcp6 icmp4 icmp6" "$HOST" --deny '*:7'
it lets "tcp4 tcp6 udp4 udp6 icmp6" "$HOST" --deny 203.0.113.10/icmp
it lets all "$HOST" --allow 192.0.2.1 --default-policy allow

# what is private, and what clouds tell
it lets all "$PRIVATE" --block-metadata
it lets "$none" "$PRIVATE" --block-private
it lets all "$HOST" --block-private --block-metadata
it lets "$none" "$METADATA" --block-metadata
it lets "$none" "$METADATA" --block-private

# a refusal beats a permission
it lets "$none" "$HOST" --allow 203.0.113.10 --allow 2001:db8::10 --deny 203.0.113.0/24 \
    --deny ::/0
it lets "$none" "$PRIVATE" --block-private --allow-cidr 10.9.8.7 --allow-cidr fd00:9::7
it lets "udp4 icmp4" "$HOST" --allow 203.0.113.10 --deny '*:80'
it lets "$none" "$HOST" --offline --allow '*'

rules_from_files_count() {
	printf '# a list\n\n203.0.113.10:80/tcp   # web\r\n*/icmp\n' >allowed
	printf '2001:db8::/32/icmp\n' >denied
	lets "tcp4 icmp4" "$HOST" --allow-file allowed --deny-file denied
	like message "$(cat err)" 'blocked by `--deny-file denied`, line 1: `2001:db8::/32/icmp`'
}
it rules_from_files_count

# An address is refused in each form that it can be written in.
forms_of_a_refused_address_are_refused() {	# OPTION VALUE FORM ...
	local how=("$1" "$2") form
	[ -n "$2" ] || how=("$1")
	shift 2
	for form in "$@"; do
		like "$form" "$(cf "${how[@]}" -- /usr/bin/python3 "$T/probe.py" tcp "$form" 80 5 2>err)" \
		    "^($NO_TCP4|$NO_TCP6) "
		like "message for $form" "$(cat err)" "blocked by \`${how[0]}"
	done
}
it forms_of_a_refused_address_are_refused --deny-cidr 203.0.113.10 ::ffff:203.0.113.10 \
    ::203.0.113.10 64:ff9b::203.0.113.10 2002:cb00:710a::1 64:ff9b:1::cb00:710a
it forms_of_a_refused_address_are_refused --block-metadata '' ::ffff:169.254.169.254 \
    64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1
it forms_of_a_refused_address_are_refused --block-private '' ::ffff:10.9.8.7 64:ff9b::10.9.8.7

# A permission is for the address itself: not for what somebody else makes of the same bits.
forms_of_an_allowed_address_are_not_allowed() {
	like nat64 "$(cf --allow 203.0.113.10 -- /usr/bin/python3 "$T/probe.py" tcp 64:ff9b::203.0.113.10 \
	    80 5 2>err)" "^$NO_TCP6 "
	like mapped "$(cf --allow 203.0.113.10 -- /usr/bin/python3 "$T/probe.py" tcp ::ffff:203.0.113.10 \
	    80 5 2>err)" '^OK '
}
it forms_of_an_allowed_address_are_not_allowed

# ---- names ----

# resolves NAME OPTION ...: prints the addresses; nobody asks for the name when it is denied.
resolves() {
	local name=$1
	shift
	cf "$@" -- dig +short +timeout=3 +tries=1 "$name" A 2>err
}
is_asked_for() { grep -q "query\[A\] $1 " "$T/dns.log"; }

a_name_resolves() {	# NAME OPTION ...
	: >"$T/dns.log"
	same "with ${*:2}" "$(resolves "$@")" 203.0.113.10
	is_asked_for "$1" || failed "the resolver was not asked for $1"
}
a_name_is_denied() {	# PATTERN NAME OPTION ...
	: >"$T/dns.log"
	same "with ${*:3}" "$(resolves "${@:2}")" ""
	! is_asked_for "$2" || failed "the resolver was asked for $2"
	like message "$(cat err)" "^cf-dns: dns ${2,,}: $1"
}
it a_name_resolves www.example.test --deny-domain-exact example.test
it a_name_resolves example.test --deny '*.example.test'
it a_name_resolves v4.example.test --allow .example.test:443
it a_name_resolves v4.example.test --deny v4.example.test:443
it a_name_resolves v4.example.test --allow-domain a.test
it a_name_is_denied 'blocked by `--deny-domain example.test`' v4.example.test --deny-domain Example.TEST.
it a_name_is_denied 'blocked by `--deny-domain-exact v4.example.test`' v4.example.test \
    --deny-domain-exact v4.example.test --allow v4.example.test
it a_name_is_denied 'blocked by `--deny \*\.example\.test`' v4.example.test --deny '*.example.test'
it a_name_is_denied 'blocked by `--default-policy deny`; --allow v4.example.test would' \
    v4.example.test --allow example.test
it a_name_is_denied 'blocked by `--default-policy deny`' v4.example.test --allow 203.0.113.10
it a_name_is_denied 'blocked by `--offline`' v4.example.test --offline
it a_name_is_denied 'blocked by `--block-metadata`' metadata.google.internal --block-metadata

# ---- flows to addresses that were given for names ----

# lets_names WAYS NAME OPTION ...: as lets, for the addresses that NAME has.
lets_names() {
	lets "$1" "$2 $2" "${@:3}"
}
it lets_names all www.example.test --allow .example.test
it lets_names all www.example.test --allow www.example.test
it lets_names all www.example.test --allow-domain example.test --default-policy deny
it lets_names all alias.example.test --allow alias.example.test
it lets_names tcp4 www.example.test --allow www.example.test:80/tcp --deny '[2001:db8::10]:80'
it lets_names "udp4 udp6" www.example.test --allow '*.example.test:7'
it lets_names "icmp4 icmp6" www.example.test --allow www.example.test/icmp
it lets_names "icmp4 icmp6" www.example.test --deny www.example.test:1-65535
it lets_names "tcp4 tcp6" www.example.test --allow www.example.test --deny '.example.test:7' \
    --deny .example.test/icmp
it lets_names "$none" www.example.test --allow www.example.test --deny 0.0.0.0/0:7,80 \
    --deny '[::/0]:7,80' --deny 0.0.0.0/0/icmp --deny ::/0/icmp
it lets_names "$none" www.example.test --allow www.example.test:1

web() { curl -s -o /dev/null -m 5 "$1" && echo yes || echo no; }
export -f web

# And for that name only: a request for the address itself names nobody.
an_address_is_open_once_it_was_given() {
	same "what is open" "$(cf --allow www.example.test:80 -- bash -c '
		echo before $(web http://203.0.113.10/)
		echo by name $(web http://www.example.test/)
		echo after $(web http://203.0.113.10/)
		echo by its Host $(curl -s -m 5 -H "Host: www.example.test" http://203.0.113.10/hello)
		echo other port $(web http://203.0.113.10:5201/)' 2>/dev/null)" \
	    "before no
by name yes
after no
by its Host hello
other port no"
}
it an_address_is_open_once_it_was_given

# What was asked for counts, not what it is an alias of.
an_alias_is_a_name_of_its_own() {
	same alias "$(cf --allow alias.example.test -- bash -c 'web http://alias.example.test/')" yes
	same target "$(cf --allow example.test -- bash -c 'web http://alias.example.test/' 2>err)" no
	like message "$(cat err)" '^cf-dns: dns alias.example.test: blocked by `--default-policy deny`'
}
it an_alias_is_a_name_of_its_own

a_denied_name_closes_its_address() {
	same "what is open" "$(cf --deny www.example.test:80 -- bash -c '
		echo before $(web http://203.0.113.10/)
		echo by name $(web http://www.example.test/)
		echo after $(web http://203.0.113.10/)' 2>err)" \
	    "before yes
by name no
after no"
	like message "$(cat err)" \
	    'cf-proxy: tcp 203.0.113.10:80 \(www.example.test\): blocked by `--deny www.example.test:80`'
}
it a_denied_name_closes_its_address

the_hint_for_a_name_is_true() {
	local option
	cf --allow www.example.test:1 -- bash -c 'web http://www.example.test/' >out 2>err
	same before "$(cat out)" no
	option=$(sed -n 's|.*tcp 203.*; --allow \(.*\) would allow it|\1|p' err)
	same option "$option" www.example.test:80/tcp
	same after "$(cf --allow "$option" -- bash -c 'web http://www.example.test/')" yes
}
it the_hint_for_a_name_is_true

# ---- what programs see ----

clients_fail_at_once() {
	local start
	start=$(ms_now)
	# shellcheck disable=SC2016
	cf --default-policy deny -- bash -c '
		curl -sS -m 10 http://203.0.113.10/hello; echo "curl $?"
		curl -6 -sS -m 10 "http://[2001:db8::10]/hello"; echo "curl6 $?"
		openssl s_client -connect 203.0.113.10:443 </dev/null >/dev/null 2>&1; echo "openssl $?"
		nc -w 5 203.0.113.10 80 </dev/null; echo "nc $?"
		(: >/dev/tcp/203.0.113.10/80) 2>/dev/null; echo "bash $?"
		ping -c 1 -W 5 203.0.113.10; echo "ping $?"
		ping -c 1 -W 5 2001:db8::10; echo "ping6 $?"
		' >out 2>&1 || :
	[ $(($(ms_now) - start)) -lt 4000 ] || failed "it took $(($(ms_now) - start)) ms"
	for line in 'curl 7' 'curl6 7' 'openssl 1' 'nc 1' 'bash 1' 'ping 1' 'ping6 1'; do
		grep -qx "$line" out || failed "no \"$line\" in: $(cat out)"
	done
	like ping "$(cat out)" 'Packet filtered'
	like ping6 "$(cat out)" 'Administratively prohibited'
}
it clients_fail_at_once

many_refusals_leave_what_is_allowed_alone() {
	# shellcheck disable=SC2016
	cf --allow 203.0.113.10:80 -- bash -c '
		for i in {1..300}; do (: >/dev/tcp/203.0.113.10/$i) 2>/dev/null; done
		curl -sS http://203.0.113.10/hello' >out 2>err
	same text "$(cat out)" hello
	[ "$(wc -l <err)" -lt 90 ] || failed "$(wc -l <err) lines on stderr"
	like "the rest" "$(cat err)" 'not said: [0-9]+ more refusals'
}
it many_refusals_leave_what_is_allowed_alone

# ---- what people see ----

a_refusal_is_one_line_and_repeats_are_counted() {
	cf --deny 203.0.113.10:80 -- bash -c '
		for i in 1 2 3; do (: >/dev/tcp/203.0.113.10/80); done; :' >/dev/null 2>err
	same "lines" "$(grep -c '^cf-proxy: ' err)" 2
	like "what, rule, way out" "$(cat err)" \
	    'cf-proxy: tcp 203.0.113.10:80: blocked by `--deny 203.0.113.10:80`; '
	like count "$(cat err)" 'cf-proxy: tcp 203.0.113.10:80: refused 3 times'
}
it a_refusal_is_one_line_and_repeats_are_counted

# The option that the message names does allow it.
the_hint_is_true() {	# WAY HOST
	local option
	cf --allow 192.0.2.1 -- /usr/bin/python3 "$T/reach.py" "${@:2}" >out 2>err
	unlike before "$(cat out)" "$1=OK"
	option=$(sed -n "s|.*: ${1%[46]}[v46]* .*; --allow \(.*\) would allow it|\1|p" err)
	[ -n "$option" ] || failed "no hint in: $(cat err)"
	cf --allow "$option" -- /usr/bin/python3 "$T/reach.py" "${@:2}" >out 2>err
	like "with --allow $option" "$(cat out)" "$1=OK"
	same "what else is open" "$(grep -o =OK out | wc -l)" 1
}
it the_hint_is_true tcp4 203.0.113.10 -
it the_hint_is_true tcp6 - 2001:db8::10
it the_hint_is_true udp4 203.0.113.10 -
it the_hint_is_true udp6 - 2001:db8::10
it the_hint_is_true icmp4 203.0.113.10 -
it the_hint_is_true icmp6 - 2001:db8::10

the_summary_counts_denials() {
	cf --deny-cidr 203.0.113.10 --block-private --summary -- bash -c '
		for i in 1 2; do (: >/dev/tcp/203.0.113.10/80); done
		(: >/dev/tcp/10.9.8.7/80); :' >/dev/null 2>err
	like controls "$(cat err)" 'sandbox controls: block-private, deny-cidr=203.0.113.10'
	like reasons "$(cat err)" 'flow-log policy violations: deny_cidr=2, private=1'
	like options "$(cat err)" 'flow-log policy controls: --deny-cidr=2, --block-private=1'
	like destinations "$(cat err)" 'denied: tcp 203.0.113.10:80=2, tcp 10.9.8.7:80=1'
}
it the_summary_counts_denials

# ---- wrong rules ----

a_wrong_rule_starts_nothing() {	# PATTERN OPTION ...
	local pattern=$1 how
	shift
	for how in "" -n; do
		# shellcheck disable=SC2086
		status 125 cf $how --status-fd 9 "$@" -- touch started 9>status 2>err
		like message "$(cat err)" "$pattern"
		same lines "$(wc -l <err)" 1
		[ ! -e started ] || failed "the command ran"
		same "--status-fd" "$(cat status)" ""
	done
}
printf 'a.test\nb..test\n' >"$T/wrong"
it a_wrong_rule_starts_nothing 'did you mean 10.0.0.0/8' --deny-cidr 10.0.0.1/8
it a_wrong_rule_starts_nothing "'a.test:http', column 8: " --allow a.test:http
it a_wrong_rule_starts_nothing 'neither allow nor deny' --default-policy maybe
it a_wrong_rule_starts_nothing 'cannot read --deny-file /nonexistent' --deny-file /nonexistent
it a_wrong_rule_starts_nothing 'wrong:2:3: ' --allow a.test --allow-file "$T/wrong"

check_shows_the_policy() {
	cf -n --allow 203.0.113.10 --block-private --fail-on-leak -- true >out
	same policy "$(grep ^policy: out)" "policy: block-private
policy: default-policy=deny
policy: allow=203.0.113.10
policy: fail-on-leak"
}
it check_shows_the_policy

# ---- --fail-on-leak ----

a_leak_is_a_failure() {	# COMMAND ...
	status 1 cf --default-policy deny --fail-on-leak --status-fd 9 -- bash -c "$* || :" 9>status 2>err
	like message "$(cat err)" 'cf-spawn: --fail-on-leak: [0-9]+ times? the command tree tried'
	same reason "$(jq -r 'select(.event == "exit") | "\(.code) \(.reason)"' status)" "1 leak"
	jq -e 'select(.event == "exit") | .violations >= 1' status >/dev/null || failed "$(cat status)"
}
it a_leak_is_a_failure ': >/dev/tcp/203.0.113.10/80'
it a_leak_is_a_failure ': >/dev/tcp/2001:db8::10/80'
it a_leak_is_a_failure 'echo x >/dev/udp/203.0.113.10/7; sleep 0.1'
it a_leak_is_a_failure 'ping -c 1 -W 1 203.0.113.10'
it a_leak_is_a_failure 'ping -c 1 -W 1 2001:db8::10'
it a_leak_is_a_failure 'dig +timeout=2 +tries=1 example.test'

a_leak_does_not_hide_the_commands_own_status() {
	status 3 cf --default-policy deny --fail-on-leak --status-fd 9 -- \
	    bash -c '(: >/dev/tcp/203.0.113.10/80); exit 3' 9>status 2>err
	same reason "$(jq -r 'select(.event == "exit") | "\(.reason) \(.violations)"' status)" "command 1"
}
it a_leak_does_not_hide_the_commands_own_status

# The kernel of the tree's network announces groups and asks for routers by itself.
what_the_kernel_sends_is_no_leak() {
	status 0 cf --default-policy deny --fail-on-leak --status-fd 9 -- /usr/bin/python3 -c '
import socket, struct, time
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
a.setsockopt(0, 35, socket.inet_aton("239.1.2.3") + socket.inet_aton("192.0.0.2"))
b = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
b.setsockopt(41, 20, socket.inet_pton(socket.AF_INET6, "ff02::1234") + struct.pack("i", 0))
time.sleep(1.5)' 9>status 2>err
	same stderr "$(cat err)" ""
	same violations "$(jq -r 'select(.event == "exit") | .violations' status)" 0
}
it what_the_kernel_sends_is_no_leak

what_is_allowed_is_no_leak() {
	status 0 cf --allow 203.0.113.10:80 --fail-on-leak -- curl -sS -o out http://203.0.113.10/hello
	same text "$(cat out)" hello
}
it what_is_allowed_is_no_leak

# ---- what rules cost ----

arguments_of() {	# NAME: of all that run, one word a line
	local pid
	for pid in $(pids "$1"); do
		tr '\0' '\n' <"/proc/$pid/cmdline"
	done
}

without_rules_there_are_none() {	# WANTED OPTION ...
	local want=$1
	shift
	mkfifo go
	cf "$@" -- sh -c 'read -r x <go' &
	until_true 10 eval '[ "$(pids cf-proxy | wc -w)" = 2 ]'
	same "descriptors" "$({ arguments_of cf-proxy; arguments_of cf-dns; } |
	    grep -c -e --rules-fd)" "$want"
	until_true 10 eval 'echo >go'
	wait $!
}
it without_rules_there_are_none 0
it without_rules_there_are_none 3 --deny-cidr 192.0.2.1

the_tree_has_no_hold_of_the_rules() {
	# shellcheck disable=SC2012
	cf --deny-cidr 192.0.2.1 --fail-on-leak -- ls -l /proc/self/fd >out
	unlike descriptors "$(cat out)" 'memfd|eventfd'
}
it the_tree_has_no_hold_of_the_rules

# median_ms N COMMAND ...: how long it takes, of N times.
median_ms() {
	local n=$1 i start
	shift
	for ((i = 0; i < n; i++)); do
		start=$(ms_now)
		"$@"
		echo $(($(ms_now) - start))
	done | sort -n | sed -n "$((n / 2 + 1))p"
}

fifty_thousand_rules_start_fast() {
	local with without
	awk 'BEGIN { for (i = 0; i < 25000; i++) {
		printf "10.%d.%d.0/24:443/tcp\n", i / 256, i % 256
		printf "*.host%d.blocked.test\n", i } }' >many
	echo 203.0.113.10:80 >>many
	without=$(median_ms 5 cf -- true)
	with=$(median_ms 5 cf --deny-file many -- true)
	echo "$with ms, without rules $without ms" >"$T/times"
	[ $((with - without)) -lt 900 ] || failed "$with ms, without rules $without ms"
	lets "tcp6 udp4 udp6 icmp4 icmp6" "$HOST" --deny-file many
}
it fifty_thousand_rules_start_fast
[ ! -e "$T/times" ] || echo "note $PASS: start and end with 50001 rules: $(cat "$T/times")"

done_testing
