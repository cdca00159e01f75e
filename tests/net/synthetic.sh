#!/bin/bash
# synthetic.sh - names that reach the policy: --dns-mode synthetic, where each name has an
# address of its own, and real mode, where an address has the names that it was given for.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

# A name server with names that have several addresses, the first of them no good.
cat >"$T/several.conf" <<END
pid-file=
no-resolv
no-hosts
bind-interfaces
except-interface=lo
listen-address=203.0.113.20
local=/test/
address=/several.test/203.0.113.77
address=/several.test/203.0.113.78
address=/several.test/203.0.113.10
address=/bad.test/203.0.113.77
address=/loop.test/127.0.0.1
END
serve dnsmasq -k -C "$T/several.conf" --user=root --group=
must until_true 20 listening 203.0.113.20 53

made_up() { cf --dns-mode synthetic "$@"; }
fetch() { made_up "${@:2}" -- curl -sS -m 10 "$1"; }
# fails COMMAND ...: and it says nothing on standard output.
fails() {
	local out rc=0
	out=$("$@") || rc=$?
	if [ "$rc" -eq 0 ] || [ -n "$out" ]; then
		failed "status $rc and $(quoted "$out"), of: $*"
	fi
}
address() { made_up -- dig +short "$@"; }

# ---- what names resolve to ----

each_name_has_an_address_of_its_own() {
	only_cf
	# shellcheck disable=SC2016
	made_up -- sh -c 'for n in example.test www.example.test EXAMPLE.test example.test; do
		dig +short $n A; dig +short $n AAAA; done' >out
	same addresses "$(tr '\n' ' ' <out)" "198.18.0.1 2001:2:0:c612::1 198.18.0.2 \
2001:2:0:c612::2 198.18.0.1 2001:2:0:c612::1 198.18.0.1 2001:2:0:c612::1 "
}
it each_name_has_an_address_of_its_own

libc_finds_them() {
	only_cf
	same addresses "$(made_up -- getent ahostsv4 example.test | awk '{ print $1; exit }')" 198.18.0.1
	same addresses "$(made_up -- getent ahostsv6 example.test | awk '{ print $1; exit }')" \
	    2001:2:0:c612::1
	# Not last, as a unique local address would be (RFC 6724).
	same first "$(made_up -- getent ahosts example.test | awk '{ print $1; exit }')" 2001:2:0:c612::1
}
it libc_finds_them

what_is_not_is_not() {
	only_cf
	like "no name" "$(made_up -- dig nowhere.test A)" 'status: NXDOMAIN'
	like "no IPv6" "$(made_up -- dig v4.example.test AAAA)" 'status: NOERROR.*ANSWER: 0'
	same "no IPv4" "$(address v6.example.test A)" ""
	same "others" "$(address example.test MX)" "10 mail.example.test."
	same "alias" "$(address alias.example.test A)" 198.18.0.1
}
it what_is_not_is_not

the_address_knows_its_name() {	# FAMILY-OPTION ADDRESS
	only_cf
	same name "$(made_up -- sh -c "dig +short www.example.test $1 >/dev/null; dig +short -x $2")" \
	    www.example.test.
	like nobody "$(made_up -- dig -x 198.18.7.7)" 'status: NXDOMAIN'
	same asked "$(grep -c '18.198.in-addr.arpa\|2.0.0.0.1.0.0.2.ip6.arpa' "$T/dns.log")" 0
}
it the_address_knows_its_name A 198.18.0.1
it the_address_knows_its_name AAAA 2001:2:0:c612::1

# ---- where they lead ----

a_name_is_reached() {	# NAME CURL-OPTION ...
	only_cf
	same answer "$(made_up -- curl -sS -m 10 "${@:2}" "http://$1/hello")" hello
}
it a_name_is_reached example.test -4
it a_name_is_reached example.test -6
it a_name_is_reached v4.example.test
it a_name_is_reached v6.example.test
it a_name_is_reached alias.example.test

datagrams_reach_a_name() {	# UDP4|UDP6
	only_cf
	same echo "$(made_up -- sh -c "echo hello | socat -t 5 - $1:example.test:7")" hello
}
it datagrams_reach_a_name UDP4
it datagrams_reach_a_name UDP6

ping_reaches_a_name() {	# -4|-6
	only_cf
	made_up -- ping "$1" -c 1 -W 5 example.test >out
	like answer "$(cat out)" ' 0% packet loss'
}
it ping_reaches_a_name -4
it ping_reaches_a_name -6

# Which one comes first changes from answer to answer.
the_next_address_is_tried() {
	only_cf
	# shellcheck disable=SC2016
	made_up -d 203.0.113.20 -- sh -c 'for i in 1 2 3 4 5 6; do
		curl -sS -m 10 http://several.test/hello; done' >out
	same answers "$(grep -c hello out)" 6
}
it the_next_address_is_tried

the_last_error_is_the_childs() {
	only_cf
	like error "$(made_up -d 203.0.113.20 -- curl -sSv http://bad.test/ 2>&1)" 'No route to host'
}
it the_last_error_is_the_childs

# Nothing is kept of what another server says: the real address is asked of the system's.
the_real_address_is_asked_for_again() {
	only_cf
	: >"$T/dns.log"
	# shellcheck disable=SC2016
	same answer "$(made_up -- sh -c 'a=$(dig +short @203.0.113.20 several.test A | head -n 1)
		[ "$a" = 198.18.0.1 ] && curl -s -m 10 http://$a/hello; echo $?')" 7
	grep -q 'query\[A\] several.test' "$T/dns.log"
}
it the_real_address_is_asked_for_again

an_invented_address_leads_nowhere() {	# ADDRESS
	only_cf
	like error "$(made_up -- curl -sSv -m 10 "http://$1/" 2>&1)" 'No route to host'
}
it an_invented_address_leads_nowhere 198.18.0.1
it an_invented_address_leads_nowhere 198.19.255.255
it an_invented_address_leads_nowhere '[2001:2:0:c612::1]'
it an_invented_address_leads_nowhere '[2001:2:0:c612:1::1]'

what_no_option_allows_is_refused_under_a_name_too() {
	only_cf
	status 7 made_up -d 203.0.113.20 -- curl -s -m 10 http://loop.test/
}
it what_no_option_allows_is_refused_under_a_name_too

a_literal_address_goes_where_it_always_went() {
	only_cf
	same answer "$(fetch http://203.0.113.10/hello)" hello
}
it a_literal_address_goes_where_it_always_went

# ---- the policy ----

two_names_at_one_address_are_two_destinations() {
	only_cf
	same allowed "$(fetch http://www.example.test/hello --default-policy deny \
	    --allow-domain-exact www.example.test)" hello
	# The refused name has an address, and it is the same one; so has the address itself.
	for where in example.test 203.0.113.10; do
		# shellcheck disable=SC2016
		made_up --default-policy deny --allow-domain-exact www.example.test -- sh -c '
			curl -s -m 10 http://www.example.test/hello; curl -s -m 10 http://'$where'/hello
			curl -s -m 10 --connect-to ::198.18.0.2: http://www.example.test/hello
			true' >out
		same answers "$(cat out)" hello
	done
}
it two_names_at_one_address_are_two_destinations

rules_about_addresses_look_at_the_real_one() {
	only_cf
	fails fetch http://v4.example.test/hello --deny-cidr 203.0.113.10/32
	same "a test network is private, a name is not" \
	    "$(fetch http://v4.example.test/hello --block-private)" hello
	same "the next one" "$(fetch http://several.test/hello -d 203.0.113.20 \
	    --deny-cidr 203.0.113.64/26)" hello
}
it rules_about_addresses_look_at_the_real_one

# ---- real addresses ----

an_address_has_the_name_that_it_was_given_for() {
	only_cf
	cf -v -- curl -sS -m 10 http://www.example.test/hello 2>err >out
	same answer "$(cat out)" hello
	like line "$(cat err)" 'TCP  ALLOWED .*:80 \(www.example.test\)'
}
it an_address_has_the_name_that_it_was_given_for

a_name_that_is_allowed_opens_its_address() {
	only_cf
	same answer "$(cf --default-policy deny --allow-domain example.test -- \
	    curl -sS -m 10 http://www.example.test/hello)" hello
	fails cf --default-policy deny --allow-domain example.test -- curl -s -m 10 http://203.0.113.10/hello
}
it a_name_that_is_allowed_opens_its_address

# What a server says that the tree chose itself is the tree's own word.
a_name_counts_from_our_resolvers_only() {
	only_cf
	fails cf --default-policy deny --allow-domain several.test --allow '203.0.113.20:53' -- \
	    sh -c 'dig +short @203.0.113.20 several.test >/dev/null; curl -s -m 10 http://203.0.113.10/hello'
}
it a_name_counts_from_our_resolvers_only

the_hosts_file_counts() {
	only_cf
	echo '203.0.113.10 pinned.test' >hosts
	same answer "$(cf --hosts-file hosts --default-policy deny --allow-domain pinned.test -- \
	    curl -sS -m 10 http://pinned.test/hello)" hello
	fails cf --hosts-file hosts --default-policy deny --allow-domain other.test -- \
	    curl -s -m 10 http://pinned.test/hello
}
it the_hosts_file_counts

done_testing
