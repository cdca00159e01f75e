#!/bin/bash
# plan.sh - what --print-plan says is enough to do the same by hand.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

print_plan() {
	only_cf
	cf --print-plan "$@" >plan.json
}
replay() { as_caller timeout -k 5 60 python3 "$T/replay.py" plan.json "$@"; }

the_plan_has_what_a_dry_run_has() {
	print_plan --deny-cidr 203.0.113.20/32
	cf --dry-run --deny-cidr 203.0.113.20/32 >dry
	jq -r '.helpers[] | .argv | join(" ")' plan.json | sort >planned
	sed -n '/^helpers:/,$ { /^    /s/^ *//p }' dry | sort >shown
	same helpers "$(cat planned)" "$(cat shown)"
	# Each channel has two ends, of different programs.
	jq -e '. as $p | [.descriptors | to_entries[] | select(.value.kind == "socketpair") | .key] |
	    all(. as $k | [$p.helpers[].fds, $p["cf-spawn"]] |
		map(to_entries | map(.value) | unique | map(select(.[0] == $k))) | flatten(1) |
		sort == [[$k, 0], [$k, 1]])' plan.json
	no_helper
}
it the_plan_has_what_a_dry_run_has

by_hand_it_is_the_same_network() {
	print_plan -d 203.0.113.53 --deny-cidr 203.0.113.20/32
	same IPv4 "$(replay curl -sS http://203.0.113.10/whoami)" "198.51.100.2 203.0.113.10"
	same IPv6 "$(replay curl -sS 'http://[2001:db8::10]/whoami')" "2001:db8:1::2 [2001:db8::10]"
	same name "$(replay dig +short +tries=1 @192.0.0.1 v4.example.test)" 203.0.113.10
	status 7 replay curl -sS http://203.0.113.20/ 2>err
	like refused "$(cat err)" 'blocked by'
	until_true 10 no_helper
}
it by_hand_it_is_the_same_network

it_needs_no_command_and_starts_nothing() {
	print_plan -- no-such-command
	print_plan
	same version "$(jq .version plan.json)" 1
	status 125 cf --print-plan --deny-cidr nonsense >out 2>err
	same lines "$(wc -l <err)" 1
}
it it_needs_no_command_and_starts_nothing

done_testing
