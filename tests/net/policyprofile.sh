#!/bin/bash
# policyprofile.sh - a recorded run is held against a profile, and two profiles against each other.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
if [ -n "$WITH" ]; then
	skip all "says nothing about $WITH"
	done_testing
fi
DOCTOR=/srv/cf/bin/cf-doctor

doctor() { as_caller "$DOCTOR" "$@"; }
flow() {	# NAME IP PORT: as a run that reached it would have logged it
	printf '{"event":"dns_query","qname":"%s","protocol":"udp"}\n' "$1"
	printf '{"event":"connect_attempt","protocol":"tcp","remote_addr":"%s:%s","remote_ip":"%s","remote_port":%s,"names":["%s"],"via_proxy":false}\n' \
	    "$2" "$3" "$2" "$3" "$1"
}

what_a_profile_would_refuse_is_told() {
	flow a.test 192.0.2.9 443 >log
	cat >p.toml <<-'END'
		# also what makes no policy: it is checked, and nothing of it is done
		summary = true
		flow_log = "/nonexistent/log"
		command = ["false"]
		allow = ["a.test:443/tcp"]
	END
	same allowed "$(doctor policy-test p.toml log)" "0 of 1 flows and 0 of 1 names would be refused"
	doctor policy-test --profile p.toml log >out
	flow b.test 192.0.2.10 443 >>log
	status 1 doctor policy-test ./p.toml log >out
	like name "$(cat out)" 'dns b.test: blocked by'
	like sum "$(cat out)" '1 of 2 flows and 1 of 2 names would be refused'
	# an option replaces what the profile says about the same, and nothing else of it
	status 1 doctor policy-test --allow b.test p.toml log >out
	like replaced "$(cat out)" 'dns a.test: blocked by'
	doctor policy-test --default-policy allow p.toml log >out
	printf 'extends = "p.toml"\nallow = ["a.test", "b.test"]\n' >child.toml
	doctor policy-test child.toml log >out
}
it what_a_profile_would_refuse_is_told

a_profile_is_found_by_its_name() {
	mkdir -p .config/childflow
	flow a.test 192.0.2.9 443 >log
	echo 'deny = ["a.test"]' >.config/childflow/strict.toml
	status 1 doctor policy-test strict log >out
	status 1 doctor policy-diff strict /dev/null >out
	status 2 doctor policy-test nothere log 2>err
	like why "$(cat err)" 'there is no profile nothere'
}
it a_profile_is_found_by_its_name

what_is_wrong_with_a_profile_is_said_with_its_place() {
	: >log
	printf 'offline = true\nalow = ["x.test"]\n' >p.toml
	status 2 doctor policy-test p.toml log 2>err
	like place "$(cat err)" 'p.toml:2:1: alow: .*did you mean allow'
	printf 'deny = ["no rule!"]\n' >p.toml
	status 2 doctor policy-test p.toml log 2>err
	like rule "$(cat err)" 'p.toml:1:'
	status 2 doctor policy-diff p.toml p.toml 2>err
	printf 'dns = 5\n' >p.toml		# no policy, and wrong all the same
	status 2 doctor policy-test p.toml log 2>err
	like type "$(cat err)" 'p.toml:1:'
	status 2 doctor policy-test a b c 2>err
}
it what_is_wrong_with_a_profile_is_said_with_its_place

encrypted_dns_is_judged_as_in_a_run() {
	flow dns.google 192.0.2.53 443 >log
	doctor policy-test log >out
	status 1 doctor policy-test --block-encrypted-dns log >out
	like flow "$(cat out)" 'dns dns.google: blocked by .--block-encrypted-dns'
	printf 'block_encrypted_dns = true\n' >p.toml
	status 1 doctor policy-test p.toml log >out
	doctor policy-test --deny x.test log >out && return 1	# rules about names block it too
	doctor policy-test --deny x.test --allow-encrypted-dns log >out
	flow x.test 192.0.2.53 853 >log
	status 1 doctor policy-test p.toml log >out
	like port "$(cat out)" 'tcp 192.0.2.53:853'
}
it encrypted_dns_is_judged_as_in_a_run

a_port_of_the_host_and_a_proxy_are_of_a_profile() {
	flow x.test 192.0.0.3 5432 | tail -n 1 | sed 's/"x.test"//' >log
	printf 'default_policy = "deny"\nhost_port = "5432"\n' >p.toml
	doctor policy-test p.toml log >out
	status 1 doctor policy-test --host-port 5433 p.toml log >out
	printf 'proxy_only = true\n' >p.toml
	flow x.test 192.0.2.9 443 | tail -n 1 >log
	status 1 doctor policy-test p.toml log >out
	like only "$(cat out)" 'blocked by .--proxy-only'
	sed -i 's/"via_proxy":false/"via_proxy":true/' log
	doctor policy-test p.toml log >out
}
it a_port_of_the_host_and_a_proxy_are_of_a_profile

two_profiles_are_compared_by_what_they_judge() {
	cat >old.toml <<-'END'
		allow = ["example.com:443", "10.0.0.0/8"]
		summary = true
	END
	cat >new.toml <<-'END'
		default_policy = "deny"
		allow_domains_exact = ["example.com"]
		allow_cidrs = ["10.0.0.0/9", "10.128.0.0/9"]
	END
	status 1 doctor policy-diff old.toml new.toml >out
	same difference "$(cat out)" "newly allowed:
  example.com: tcp 1-442, tcp 444-65535, udp 1-442, udp 444-65535, icmp"
	echo example.com:443 >rules
	echo 10.0.0.0/8 >>rules
	printf 'allow_file = "rules"\n' >file.toml
	same same "$(doctor policy-diff old.toml file.toml)" ""
	same "profile and rules" "$(doctor policy-diff old.toml rules)" ""
	same "a pipe" "$(doctor policy-diff <(cat rules) rules)" ""
	printf 'extends = "old.toml"\nblock_private = true\n' >new.toml
	status 1 doctor policy-diff --format json old.toml new.toml >out
	same json "$(jq -c '[.allowed, .refused[0].what]' out)" '[[],"10.0.0.0-10.255.255.255"]'
	status 2 doctor policy-diff old.toml nothere.toml 2>err
	like why "$(cat err)" 'cannot read the profile .*nothere.toml'
}
it two_profiles_are_compared_by_what_they_judge
done_testing
