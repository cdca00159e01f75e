#!/bin/bash
# dryrun.sh - --dry-run: the policy in force is printed, and nothing is started.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
if [ -n "$WITH" ]; then
	skip all "says nothing about $WITH"
	done_testing
fi

never() {
	cat <<-'END'
	  refused whatever the rules are (built in):
	    0.0.0.0/8               an unspecified address
	    ::/128                  the unspecified address
	    127.0.0.0/8             a loopback address
	    ::1/128                 the loopback address
	    224.0.0.0/4             a multicast address
	    ff00::/8                a multicast address
	    255.255.255.255/32      the broadcast address
	    fe80::/10               a link-local address
	    192.0.0.0/29            the tree's own network
	    2001:2:0:cf::/64        the tree's own network
	END
}
# policy_of OPTION ...: the part that tells of the policy.
policy_of() { cf --dry-run "$@" -- true | sed -n '/^policy:/,/^names:/p'; }

without_options_there_is_the_floor() {
	same policy "$(policy_of)" "policy: what no rule names is allowed (--default-policy allow)
  switches:
  rules: 0
$(never)
  encrypted DNS: as any other destination
names: asked at 203.0.113.53:53 (/etc/resolv.conf)"
}
it without_options_there_is_the_floor

each_rule_is_shown_with_its_origin() {
	printf '*.Debian.org:80,443/tcp\n# a comment\n10.20.0.0/16:5432\n' >allowed
	printf '.faß.example # a name\n' >denied
	same policy "$(policy_of --block-private --fail-on-leak --allow Example.COM.:443/tcp \
	    --allow-file allowed --deny '*:25' --deny-file denied --deny-cidr 192.0.2.7 \
	    -d 192.0.2.53)" \
	"policy: what no rule names is refused (--default-policy deny, as there is a list of what is allowed)
  switches: --block-private --fail-on-leak
  rules: 6; one that refuses beats those that allow
    allow   --allow example.com:443/tcp
    allow   --allow-file allowed:1: *.debian.org:80,443/tcp
    allow   --allow-file allowed:3: 10.20.0.0/16:5432
    refuse  --deny *:25
    refuse  --deny-file denied:1: .xn--fa-hia.example
    refuse  --deny-cidr 192.0.2.7/32
$(never)
  encrypted DNS: refused (there are rules about names)
names: asked at 192.0.2.53:53 (-d)"
}
it each_rule_is_shown_with_its_origin

switches_are_told() {
	like offline "$(policy_of --offline)" '^policy: nothing may leave \(--offline\)'
	like permissive "$(policy_of --permissive --offline)" 'is only told, and passes'
	like deny "$(policy_of --default-policy deny)" 'is refused \(--default-policy deny\)'
	like allow "$(policy_of --allow a.test --default-policy allow)" 'is allowed \(--default'
	like encdns "$(policy_of --allow-encrypted-dns --deny a.test)" 'other destination \(--allow-enc'
}
it switches_are_told

helpers_are_told_and_none_is_started() {
	local out
	out=$(cf --dry-run --deny 192.0.2.1 --status-fd 7 -c packets -- touch started 7>status)
	like command "$out" 'command: touch started'
	like dialler "$out" "cf-proxy \(dialler\) +in the host's network
    cf-proxy --dns-fd [0-9]+ .*--rules-fd [0-9]+ --resolver 203.0.113.53:53"
	like stage "$out" 'cf-proxy \(policy\) +in an empty network namespace
    cf-proxy --policy '
	like stack "$out" 'cf-netstack +in an empty network namespace'
	[ ! -e started ] && [ ! -e packets ] && [ ! -s status ] && nothing_runs
	cf --dry-run | grep -q '^policy:'
}
it helpers_are_told_and_none_is_started

a_rule_that_is_wrong_is_told_as_ever() {
	status 125 cf --dry-run --deny 'no such rule!' -- true 2>err
	like err "$(cat err)" 'column'
}
it a_rule_that_is_wrong_is_told_as_ever

# What the tree or a file chose must not drive the terminal.
nothing_odd_reaches_the_terminal() {
	unlike out "$(cf --dry-run -- printf $'\e[2Ja')" $'\e'
}
it nothing_odd_reaches_the_terminal

done_testing
