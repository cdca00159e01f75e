#!/bin/bash
# names.sh - names under rules: what is never asked, what is answered, and what is taken out.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

# A server with names that lead where they should not, and one with the other addresses.
names_server() {
	cat >"$T/names.conf" <<-END
	pid-file=
	no-resolv
	no-hosts
	bind-interfaces
	except-interface=lo
	listen-address=203.0.113.20
	listen-address=2001:db8::20
	local=/test/
	log-queries
	log-facility=$T/names.log
	host-record=fine.test,203.0.113.10,2001:db8::10
	host-record=www.fine.test,203.0.113.10
	host-record=xn--bcher-kva.test,203.0.113.10
	host-record=_odd_.fine.test,203.0.113.10
	host-record=target.elsewhere.test,203.0.113.10,2001:db8::10
	cname=chain.fine.test,middle.elsewhere.test
	cname=middle.elsewhere.test,target.elsewhere.test
	host-record=private.test,10.9.8.7,fd00:9::7
	host-record=both.test,10.9.8.7
	host-record=both.test,203.0.113.10
	host-record=mapped.test,::ffff:10.9.8.7
	host-record=loop.test,127.0.0.1
	host-record=nowhere.test,0.0.0.0
	host-record=metadata.test,169.254.169.254
	host-record=use-application-dns.net,203.0.113.10
	host-record=mask.icloud.com,203.0.113.10
	host-record=mozilla.cloudflare-dns.com,203.0.113.10
	dns-rr=hidden.test,65,0001000001000302683200040004cb00710a00050005000301020300060010fd000009000000000000000000000007
	END
	serve dnsmasq -k -C "$T/names.conf" --user=root --group=
	must until_true 20 listening 203.0.113.20 53
}
names_server
printf 'nameserver 203.0.113.20\n' >/etc/resolv.conf
# Servers of encrypted DNS, as far as addresses go: nginx listens on 443 of all.
must sv ip addr add 1.1.1.1/32 dev lo
must sv ip addr add 2606:4700:4700::1111/128 dev lo
serve socat TCP6-LISTEN:853,ipv6-v6only=0,fork,reuseaddr EXEC:cat
serve socat UDP4-RECVFROM:853,bind=203.0.113.10,fork EXEC:cat
must until_true 20 listening 203.0.113.10 853

asked() { grep -c 'query\[' "$T/names.log"; }
short() { cf "$@" 2>err | sort | tr '\n' ' '; }	# OPTION ... -- COMMAND ...

# ---- what is asked ----

is_asked() {	# OPTION ... -- DIG-ARGUMENT ...
	local options=() before
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	before=$(asked)
	cf "${options[@]}" -- dig +time=3 +tries=1 "$@" >out 2>err || :
	[ "$(asked)" -gt "$before" ]
}
LIST=(--default-policy deny --allow-domain fine.test --allow-domain bücher.test)

an_allowed_name_is_asked() { is_asked "${LIST[@]}" -- "$@" || failed "not asked: $*"; }
it an_allowed_name_is_asked fine.test
it an_allowed_name_is_asked WWW.Fine.TEST. AAAA
it an_allowed_name_is_asked fine.test ANY
it an_allowed_name_is_asked _odd_.fine.test
it an_allowed_name_is_asked xn--bcher-kva.test
it an_allowed_name_is_asked +tcp fine.test MX

a_name_without_a_rule_is_not_asked() {
	! is_asked "${LIST[@]}" -- "$@" || failed "asked: $*"
}
it a_name_without_a_rule_is_not_asked private.test
it a_name_without_a_rule_is_not_asked private.test AAAA
it a_name_without_a_rule_is_not_asked +tcp private.test
it a_name_without_a_rule_is_not_asked private.test ANY
it a_name_without_a_rule_is_not_asked private.test TYPE65280
it a_name_without_a_rule_is_not_asked private.test AXFR
it a_name_without_a_rule_is_not_asked private.test IXFR=1
it a_name_without_a_rule_is_not_asked -x 203.0.113.10
it a_name_without_a_rule_is_not_asked . NS
it a_name_without_a_rule_is_not_asked version.bind CH TXT
it a_name_without_a_rule_is_not_asked @203.0.113.53 private.test
it a_name_without_a_rule_is_not_asked @2001:db8::20 private.test
it a_name_without_a_rule_is_not_asked 'fine\.test'
it a_name_without_a_rule_is_not_asked 'a\.fine.test.private.test'
it a_name_without_a_rule_is_not_asked +opcode=update fine.test
it a_name_without_a_rule_is_not_asked +opcode=notify fine.test
it a_name_without_a_rule_is_not_asked +header-only fine.test

a_chain_counts_as_the_name_that_was_asked() {
	same chain "$(short "${LIST[@]}" -- dig +short chain.fine.test)" \
	    "203.0.113.10 middle.elsewhere.test. target.elsewhere.test. "
	same itself "$(short "${LIST[@]}" -- dig +short target.elsewhere.test)" ""
}
it a_chain_counts_as_the_name_that_was_asked

# ---- what is answered ----

a_denied_name_is_answered_as_chosen() {	# KIND STATUS
	local out options=()
	[ "$1" = default ] || options=(--deny-answer "$1")
	out=$(cf "${options[@]}" --deny-domain fine.test -- dig +time=3 +tries=1 www.fine.test 2>err)
	like status "$out" "status: $2"
	like "extended error" "$out" 'EDE: 15 \(Blocked\): \(blocked by --deny-domain\)'
	like flags "$out" 'flags: qr rd ra; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1'
	same message "$(cat err)" "cf-dns: dns www.fine.test: blocked by \`--deny-domain fine.test\`; a rule \
that refuses beats those that allow: take it away"
}
it a_denied_name_is_answered_as_chosen default NOERROR
it a_denied_name_is_answered_as_chosen empty NOERROR
it a_denied_name_is_answered_as_chosen nxdomain NXDOMAIN
it a_denied_name_is_answered_as_chosen refused REFUSED

without_edns_there_is_no_extended_error() {
	local out
	out=$(cf --deny-domain fine.test -- dig +noedns +time=3 +tries=1 fine.test)
	like flags "$out" 'ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 0'
}
it without_edns_there_is_no_extended_error

libc_says_at_once_that_there_is_none() {
	local start
	start=$(ms_now)
	status 2 cf --deny-domain fine.test -- getent ahosts fine.test
	[ $(($(ms_now) - start)) -lt 2500 ] || failed "it took $(($(ms_now) - start)) ms"
}
it libc_says_at_once_that_there_is_none

a_bad_kind_of_answer_is_an_error() {
	status 125 cf --deny-answer lies -- true 2>err
	like message "$(cat err)" 'one of empty, nxdomain and refused'
}
it a_bad_kind_of_answer_is_an_error

with_rules_the_systems_resolver_is_asked_whomever_the_tree_asks() {
	# 203.0.113.53 knows example.test, the system's resolver does not.
	like without "$(cf -- dig +short @203.0.113.53 v4.example.test)" '^203.0.113.10$'
	like with "$(cf --deny-domain other.test -- dig @203.0.113.53 v4.example.test)" NXDOMAIN
}
it with_rules_the_systems_resolver_is_asked_whomever_the_tree_asks

# ---- encrypted DNS ----

ON=(--deny-domain other.test)

a_question_for_encrypted_dns_gets_a_no() {	# STATUS DIG-ARGUMENT ...
	local want=$1 out
	shift
	! is_asked "${ON[@]}" -- "$@" || failed "asked: $*"
	like status "$(cat out)" "status: $want"
	same message "$(cat err)" ""
	! is_asked --block-encrypted-dns -- "$@" || failed "asked: $*"
	is_asked -- "$@" || failed "not asked without rules: $*"
	is_asked "${ON[@]}" --allow-encrypted-dns -- "$@" || failed "not asked: $*"
}
it a_question_for_encrypted_dns_gets_a_no NXDOMAIN use-application-dns.net
it a_question_for_encrypted_dns_gets_a_no NXDOMAIN use-application-dns.net AAAA
it a_question_for_encrypted_dns_gets_a_no NXDOMAIN mask.icloud.com
it a_question_for_encrypted_dns_gets_a_no NOERROR _dns.resolver.arpa SVCB

a_server_of_encrypted_dns_has_no_address() {
	local out
	out=$(cf "${ON[@]}" -- dig mozilla.cloudflare-dns.com 2>err)
	like "extended error" "$out" 'EDE: 17 \(Filtered\)'
	like answer "$out" 'ANSWER: 0'
	# shellcheck disable=SC2016
	like message "$(cat err)" '^cf-dns: dns mozilla.cloudflare-dns.com: blocked by `--block-encrypted-dns` .*; --allow-encrypted-dns would allow it$'
	same allowed "$(cf "${ON[@]}" --allow-encrypted-dns -- dig +short mozilla.cloudflare-dns.com)" \
	    203.0.113.10
}
it a_server_of_encrypted_dns_has_no_address

connects() { cf "$@" >/dev/null 2>err; }	# OPTION ... -- COMMAND ...

encrypted_dns_is_refused_by_port_and_address() {	# COMMAND ...
	connects -- "$@" || failed "$(cat err) not without rules: $*"
	! connects "${ON[@]}" -- "$@" || failed "with rules: $*"
	# shellcheck disable=SC2016
	like message "$(cat err)" '^cf-proxy: (tcp|udp) .*: blocked by `--block-encrypted-dns` .*--allow-encrypted-dns would allow it'
	! connects --block-encrypted-dns -- "$@" || failed "with --block-encrypted-dns: $*"
	connects "${ON[@]}" --allow-encrypted-dns -- "$@" || failed "with --allow-encrypted-dns: $*"
	connects --deny-cidr 192.0.2.0/24 -- "$@" || failed "with rules about addresses: $*"
}
it encrypted_dns_is_refused_by_port_and_address curl -sk https://1.1.1.1/hello
it encrypted_dns_is_refused_by_port_and_address curl -skg 'https://[2606:4700:4700::1111]/hello'
it encrypted_dns_is_refused_by_port_and_address nc -zw5 203.0.113.10 853
it encrypted_dns_is_refused_by_port_and_address nc -zw5 2001:db8::10 853
dns_over_quic_is_refused_by_port() {	# as a program would: a datagram, and one back
	encrypted_dns_is_refused_by_port_and_address /usr/bin/python3 -c 'if True:
		import socket
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.settimeout(5)
		s.connect(("203.0.113.10", 853))
		s.send(b"x")
		s.recv(9)'
}
it dns_over_quic_is_refused_by_port

other_ports_of_these_addresses_stay_open() {
	same page "$(cf "${ON[@]}" -- curl -s http://1.1.1.1/hello)" hello
}
it other_ports_of_these_addresses_stay_open

# ---- answers ----

a_private_address_is_told_unless_a_rule_blocks_it() {
	same without "$(short -- dig +short private.test)" "10.9.8.7 "
	same otherwise "$(short --deny-cidr 192.0.2.0/24 -- dig +short private.test)" "10.9.8.7 "
	same private "$(short --block-private -- dig +short private.test)" ""
	# shellcheck disable=SC2016
	like message "$(cat err)" '^cf-dns: dns private.test -> 10.9.8.7: blocked by `--block-private`; '
	same v6 "$(short --block-private -- dig +short private.test AAAA)" ""
	same mapped "$(short --block-private -- dig +short mapped.test AAAA)" ""
	same cidr "$(short --deny-cidr 10.0.0.0/8 -- dig +short private.test)" ""
	same metadata "$(short --block-metadata -- dig +short metadata.test)" ""
	same loopback "$(short --block-metadata -- dig +short loop.test)" ""
	same one "$(short --block-private -- dig +short both.test)" "203.0.113.10 "
}
it a_private_address_is_told_unless_a_rule_blocks_it

a_blocklists_null_address_is_taken_out_without_a_word() {
	same answer "$(short --block-private --fail-on-leak -- dig +short nowhere.test)" ""
	same message "$(cat err)" ""
}
it a_blocklists_null_address_is_taken_out_without_a_word

names_of_the_hosts_file_are_their_owners_wish() {
	echo '10.9.8.7 pinned.test' >hosts
	same answer "$(cf --block-private --hosts-file hosts -- getent hosts pinned.test | tr -s ' ')" \
	    "10.9.8.7 pinned.test"
}
it names_of_the_hosts_file_are_their_owners_wish

https_records_lose_what_hides_names() {
	local out
	out=$(cf -- dig +short hidden.test HTTPS)
	like without "$out" 'alpn="h2" ipv4hint=203.0.113.10 ech=.* ipv6hint=fd00:9::7'
	out=$(cf "${ON[@]}" -- dig +short hidden.test HTTPS)
	like names "$out" '^1 . alpn="h2" ipv4hint=203.0.113.10 ipv6hint=fd00:9::7$'
	out=$(cf --block-private -- dig +short hidden.test HTTPS 2>err)
	like private "$out" '^1 . alpn="h2" ipv4hint=203.0.113.10 ech=AAMBAgM=$'
}
it https_records_lose_what_hides_names

a_denial_is_counted_in_the_summary_and_as_a_leak() {
	local rc=0
	cf --deny-domain fine.test --fail-on-leak --summary -- dig fine.test >out 2>err || rc=$?
	same status "$rc" 1
	like summary "$(cat err)" 'deny_domain'
}
it a_denial_is_counted_in_the_summary_and_as_a_leak

done_testing
