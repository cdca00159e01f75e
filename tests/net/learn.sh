#!/bin/bash
# learn.sh - what a run needs becomes a profile, and what a run did is judged by other rules.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
if [ -n "$WITH" ]; then
	skip all "says nothing about $WITH"
	done_testing
fi
DOCTOR=/srv/cf/bin/cf-doctor
GOLDEN=$SOURCE/tests/golden

# allowed PROFILE: the rules of its allow list, one a line; whoever reads TOML reads it.
allowed() {
	/usr/bin/python3 -c '
import sys, tomllib
profile = tomllib.load(open(sys.argv[1], "rb"))
assert set(profile) == {"default_policy", "allow"}, profile
assert profile["default_policy"] == "deny"
print(*profile["allow"], sep="\n")' "$1"
}

# The name comes last: a flow to an address counts for the name that was asked for before.
fetch_some() {
	cat <<-'END'
		set -e
		curl -sS -o /dev/null http://203.0.113.20/hello
		ping -c 1 -W 5 203.0.113.10 >/dev/null
		echo hello | socat -t 5 - UDP4:203.0.113.10:7 >/dev/null
		curl -sS -o /dev/null http://example.test/hello
	END
}

a_learned_profile_is_enough_and_no_more() {
	as_caller touch learned
	cf --learn learned -- sh -c "$(fetch_some)" 2>err
	same quiet "$(cat err)" ""
	allowed learned >rules
	same rules "$(sort rules | tr '\n' ' ')" \
	    "203.0.113.10/icmp 203.0.113.10:7/udp 203.0.113.20:80/tcp example.test:80/tcp "
	cf --allow-file rules --fail-on-leak -- sh -c "$(fetch_some)"
	# and what was not learned does not pass
	status 1 cf --allow-file rules --fail-on-leak -- sh -c 'curl -sS http://203.0.113.10/hello || :' 2>err
	status 1 cf --allow-file rules --fail-on-leak -- sh -c 'dig +tries=1 other.test || :' 2>err
}
it a_learned_profile_is_enough_and_no_more

a_look_up_alone_is_learned() {
	cf --learn learned -- dig +short example.test A >out
	same rules "$(allowed learned)" "example.test:53/udp"
	like comment "$(cat learned)" '# only looked up'
	allowed learned >rules
	cf --allow-file rules --fail-on-leak -- dig +short example.test A >out2
	cmp out out2
	cf --allow-file rules -- sh -c 'curl -sS -m 5 http://example.test/hello || echo refused' >out 2>err
	same "it opens nothing else" "$(cat out)" refused
}
it a_look_up_alone_is_learned

a_run_that_does_not_start_keeps_the_profile() {
	as_caller sh -c 'echo "# of yesterday" >learned'
	status 127 cf --learn learned -- /nonexistent 2>err
	like "a run that did nothing" "$(cat learned)" 'allow = \['
	as_caller sh -c 'echo "# of yesterday" >learned'
	status 125 cf --learn learned --user nobody-at-all -- true 2>err
	same kept "$(cat learned)" "# of yesterday"
	status 125 cf --learn learned --deny-cidr 192.0.2.1 -- true 2>err
	like why "$(cat err)" 'leave the options that refuse'
	status 125 cf --learn /nonexistent/x -- true 2>err
	like why "$(cat err)" 'cannot write --learn /nonexistent/x: No such file'
}
it a_run_that_does_not_start_keeps_the_profile

summary_and_profile_come_together() {
	cf --learn learned --summary -- sh -c "$(fetch_some)" 2>err
	like summary "$(cat err)" 'childflow summary'
	same rules "$(allowed learned | wc -l)" 4
}
it summary_and_profile_come_together

# learn_from <LOG [OPTION ...]: the profile that cf-doctor writes of these events.
learn_from() {
	echo '{"backend":"b","command":["x\ny","\u001b[31m"],"exit_code":0}' >facts
	"$DOCTOR" summary --facts-fd 7 --learn-fd 8 --no-summary "$@" 7<facts 8>learned
}
attempt() { printf '{"event":"connect_attempt","names":["%s"],"protocol":"%s","remote_ip":"192.0.2.1","remote_port":%s,"comm":"%s"}\n' "$@"; }

siblings_become_a_wildcard_from_the_threshold_on() {
	for i in 1 2 3 4; do attempt "n$i.cdn.example" tcp 443 curl; done >log
	learn_from --learn-threshold 5 <log
	same below "$(allowed learned | wc -l)" 4
	learn_from --learn-threshold 4 <log
	same reached "$(allowed learned)" "*.cdn.example:443/tcp"
	like comment "$(cat learned)" '4 connections by curl.*# 4 names: n1.cdn.example, n2.cdn.example'
	learn_from --learn-threshold 0 <log
	same never "$(allowed learned | wc -l)" 4
	# other ports are no siblings
	attempt n5.cdn.example tcp 80 curl >>log
	learn_from --learn-threshold 4 <log
	same rules "$(allowed learned | sort | tr '\n' ' ')" "*.cdn.example:443/tcp n5.cdn.example:80/tcp "
	# and nobody gets all of a country
	for i in 1 2 3 4; do attempt "n$i.co.uk" tcp 443 curl; done >log
	learn_from --learn-threshold 2 <log
	same country "$(allowed learned | wc -l)" 4
}
it siblings_become_a_wildcard_from_the_threshold_on

ports_and_protocols_are_joined() {
	{ attempt a.test tcp 443 x; attempt a.test tcp 80 x; attempt a.test tcp 443 x
	attempt b.test udp 443 y; attempt b.test tcp 443 z; } >log
	learn_from <log
	same rules "$(allowed learned | tr '\n' ' ')" "a.test:80,443/tcp b.test:443 "
}
it ports_and_protocols_are_joined

strings_stay_in_their_comments() {
	{ attempt 'a\",\"*' tcp 443 'x\n\"*\",\n#'; attempt 'ok.test' tcp 443 'x\n]\nallow = [ \"*\" ]\n#\u001b[31m'
	echo '{"event":"dns_query","qname":"q\"\n,\"*.test"}'
	echo '{"event":"dns_answer","qname":"127.1","answer_ips":["192.0.2.1"]}'; } >log
	learn_from <log
	same rules "$(allowed learned | tr '\n' ' ')" "ok.test:443/tcp 192.0.2.1:443/tcp "
	status 1 grep -q "$(printf '\033')" learned
}
it strings_stay_in_their_comments

# ---- policy-test ----

policy_test() { (cd "$GOLDEN" && as_caller "$DOCTOR" policy-test "$@"); }

a_policy_is_tried_on_a_recorded_run() {
	policy_test flowlog.jsonl >out
	same nothing "$(cat out)" "0 of 11 flows and 0 of 4 names would be refused"
	status 1 policy_test --deny-domain example.org flowlog.jsonl >out
	like name "$(cat out)" 'dns tracker.example.org: blocked by `--deny-domain example.org`'
	like flow "$(cat out)" 'tcp 192.0.2.66:443 \(tracker.example.org\): blocked by'
	like sum "$(cat out)" '1 of 11 flows and 1 of 4 names would be refused'
	status 1 policy_test --format json --default-policy deny --allow .example.com flowlog.jsonl >out
	same json "$(jq -c '[.refused_flows, .refused_names, (.refusals | length)]' out)" '[9,2,11]'
	echo .example.org >deny
	status 1 policy_test --deny-file "$PWD/deny" flowlog.jsonl >out
	like origin "$(cat out)" "$PWD/deny:1"
}
it a_policy_is_tried_on_a_recorded_run

what_was_learned_would_have_passed() {
	grep -v policy_violation "$GOLDEN/flowlog.jsonl" >log
	learn_from <log
	allowed learned >rules
	as_caller "$DOCTOR" policy-test --allow-file rules log
}
it what_was_learned_would_have_passed

names_of_a_childflow_log_are_those_of_its_answers() {
	cat >log <<-'END'
		{"event":"dns_query","qname":"a.test","protocol":"udp"}
		{"event":"dns_answer","qname":"a.test","answer_ips":["192.0.2.9"]}
		{"event":"connect_attempt","protocol":"tcp","remote_addr":"192.0.2.9:443","remote_ip":"192.0.2.9","remote_port":443,"via_proxy":false}
	END
	as_caller "$DOCTOR" policy-test --allow a.test:443 log
	status 1 as_caller "$DOCTOR" policy-test --allow b.test:443 log >out
	like named "$(cat out)" 'tcp 192.0.2.9:443 \(a.test\)'
}
it names_of_a_childflow_log_are_those_of_its_answers

trouble_is_2() {
	status 2 policy_test /nonexistent 2>err
	status 2 policy_test 2>err
	status 2 policy_test --deny 'no rule!' flowlog.jsonl 2>err
	status 2 policy_test --deny-file /nonexistent flowlog.jsonl 2>err
	echo x | status 2 policy_test - 2>err
	like why "$(cat err)" 'this is no line of a flow log'
	echo x | policy_test --lenient - >out
}
it trouble_is_2

# ---- policy-diff ----

differ() {	# STATUS: of the files old and new; what it says is in out
	status "$1" as_caller "$DOCTOR" policy-diff "${@:2}" old new >out
}

two_policies_are_compared_by_what_they_judge() {
	printf '%s\n' 10.0.0.0/8 example.com:443 .foo.test '*:22' >old
	# the same in other words
	printf '%s\n' 10.0.0.0/9 10.128.0.0/9 example.com:443/udp example.com:443/tcp foo.test '*.foo.test' \
	    .foo.test:1-9 '*:22/tcp' '*:22/udp' >new
	differ 0
	same nothing "$(cat out)" ""
	printf '%s\n' 10.0.0.0/9 example.com:443/tcp example.com:80/tcp .foo.test '*:22' '2001:db8::/32:53/udp' >new
	differ 1
	same difference "$(cat out)" "newly allowed:
  example.com: tcp 80
  2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff: udp 53
newly refused:
  example.com: udp 443
  10.128.0.0-10.255.255.255: tcp 1-21, tcp 23-65535, udp 1-21, udp 23-65535, icmp"
	differ 1 --format json
	same json "$(jq -c '[(.allowed | length), .refused[0]]' out)" '[2,{"what":"example.com","ports":"udp 443"}]'
	differ 1 --deny
	like "the other way" "$(cat out)" 'newly allowed:.*example.com: udp 443.*newly refused:.*example.com: tcp 80'
}
it two_policies_are_compared_by_what_they_judge

what_is_never_allowed_is_no_difference() {
	: >old
	echo '*' >new
	differ 1
	like all "$(cat out)" 'anything else: tcp, udp, icmp'
	unlike loopback "$(cat out)" '127\.'
	status 2 as_caller "$DOCTOR" policy-diff old /nonexistent 2>err
	echo 'no rule!' >new
	status 2 as_caller "$DOCTOR" policy-diff old new 2>err
	like where "$(cat err)" 'new:1:'
}
it what_is_never_allowed_is_no_difference
done_testing
