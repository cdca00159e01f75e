#!/bin/bash
# attach.sh - a network for namespaces that others made: unshare, bubblewrap, ip netns.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

# made_by WORDS ...: a process in a network namespace of its own; INSIDE is its pid.
made_by() {
	only_cf
	rm -f hold
	mkfifo hold
	as_caller "$@" bash -c 'echo $$ >inside; read -r x || :' <hold &
	exec 7>hold
	MAKER=$!
	until_true 20 test -s inside
	INSIDE=$(cat inside)
}
made_by_unshare() { made_by unshare -Urn --; }
end_inside() {
	exec 7>&-
	wait "$MAKER"
}
inside() { nsenter -t "$INSIDE" -U -n --preserve-credentials -- "$@"; }

# attach WHAT [OPTION ...]: until its network is up; RUN is the process to wait for.  EXIT: a FIFO
# for its descriptor 6, of which 4 is our end.
attach() {
	rm -f ready
	as_caller timeout -k 5 60 "$CF" --attach "$@" --ready-fd 5 5>ready 2>err 6<"${EXIT:-/dev/null}" \
	    7>&- &
	RUN=$!
	[ -z "${EXIT:-}" ] || exec 4>"$EXIT"
	until_true 20 test -s ready || failed "$(cat err)"
}
spawn_pid() { pids cf-spawn | head -n 1; }

# All that could be left in there.
state_inside() {
	inside sh -c 'ip -o link; ip -o addr; ip route show table all; ip -6 route show table all
		ip rule; ip -6 rule; nft list ruleset; cat /proc/sys/net/ipv4/ping_group_range' |
	    sed 's/qdisc [a-z]* //; s/ expires [^ ]*//'
}

it_has_a_network_and_names() {
	made_by_unshare
	attach "$INSIDE"
	same ready "$(cat ready)" 1
	like said "$(cat err)" "^cf-spawn: attached to $INSIDE; its nameserver is 192.0.0.1 or 2001:2:0:cf::1"
	same IPv4 "$(inside curl -sS http://203.0.113.10/whoami)" "198.51.100.2 203.0.113.10"
	same IPv6 "$(inside curl -sS 'http://[2001:db8::10]/whoami')" "2001:db8:1::2 [2001:db8::10]"
	like name "$(inside dig +short +tries=1 @192.0.0.1 v4.example.test)" 203.0.113.10
	end_inside
	status 0 wait "$RUN"
	until_true 5 nothing_runs
}
it it_has_a_network_and_names

the_policy_holds_and_is_recorded() {
	made_by_unshare
	attach "$INSIDE" --deny-cidr 203.0.113.20/32 --flow-log flow.jsonl --summary --name one
	inside curl -sS -o /dev/null http://203.0.113.10/
	status 7 inside curl -sS -o /dev/null http://203.0.113.20/
	same listed "$(as_caller "$CF" --list --list-format json | jq -c '.[] | [.name, .command,
	    .counters.denials > 0]')" '["one",[],true]'
	status 125 as_caller "$CF" --join one -- true 2>joined
	like join "$(cat joined)" 'a namespace that is not its own'
	end_inside
	status 0 wait "$RUN"
	same ends "$(jq -r 'select(.event == "flow_end") | "\(.remote_ip):\(.remote_port)"' flow.jsonl | head -n 1)" \
	    203.0.113.10:80
	like summary "$(cat err)" "attach=$INSIDE"
}
it the_policy_holds_and_is_recorded

# how it ends: TERM, INT, KILL, exit-fd
nothing_is_left_after() {
	local before
	made_by_unshare
	before=$(state_inside)
	attach "$INSIDE"
	inside curl -sS -o /dev/null http://203.0.113.10/
	[ "$(state_inside)" != "$before" ] || failed "nothing was there"
	kill "-$1" "$(spawn_pid)"
	case $1 in
	KILL) wait "$RUN" || : ;;
	*)    status 0 wait "$RUN" ;;
	esac
	until_true 10 nothing_runs
	until_true 10 test -z "$(pids cf-attach)"
	left_as_it_was "$before"
	end_inside
}
is_as_it_was() { [ "$(state_inside)" = "$1" ]; }
left_as_it_was() {
	until_true 10 is_as_it_was "$1" || failed "$(diff <(echo "$1") <(state_inside))"
}
it nothing_is_left_after TERM
it nothing_is_left_after INT
it nothing_is_left_after KILL

it_ends_with_the_exit_descriptor_and_can_be_attached_again() {
	local before i
	made_by_unshare
	before=$(state_inside)
	for i in 1 2; do
		rm -f stop
		mkfifo stop
		EXIT=stop attach "$INSIDE" --exit-fd 6
		same page "$(inside curl -sS http://203.0.113.10/whoami)" "198.51.100.2 203.0.113.10"
		exec 4>&-
		status 0 wait "$RUN"
		until_true 10 nothing_runs
		left_as_it_was "$before"
		rm -f ready
	done
	end_inside
}
it it_ends_with_the_exit_descriptor_and_can_be_attached_again

a_bubblewrap_gets_a_network() {
	only_cf
	command -v bwrap >/dev/null || cannot "there is no bwrap"
	as_caller bwrap --unshare-user --unshare-net --dev-bind / / true || cannot "bwrap does not work"
	echo "nameserver 192.0.0.1" >resolv.conf
	rm -f info go said
	mkfifo info go
	as_caller bwrap --unshare-user --unshare-net --dev-bind / / \
	    --ro-bind resolv.conf /etc/resolv.conf --info-fd 5 --block-fd 6 -- \
	    curl -sS http://v4.example.test/whoami >said 2>curl 5>info 6<go &
	MAKER=$!
	exec 4<info
	exec 7>go
	INSIDE=$(sed -n '/child-pid/{s/[^0-9]//gp;q}' <&4)	# 4 stays open: bwrap goes on writing
	attach "$INSIDE" -d 203.0.113.53
	echo >&7
	exec 7>&-
	status 0 wait "$MAKER"
	exec 4<&-
	same said "$(cat said)" "198.51.100.2 v4.example.test"
	status 0 wait "$RUN"
}
it a_bubblewrap_gets_a_network

a_named_namespace_gets_a_network() {
	only_for root
	only_cf
	ip netns add blue || cannot "ip netns cannot make one here"
	mkdir -p /etc/netns/blue
	echo "nameserver 192.0.0.1" >/etc/netns/blue/resolv.conf
	attach /run/netns/blue -d 203.0.113.53
	same page "$(ip netns exec blue curl -sS http://v4.example.test/whoami)" \
	    "198.51.100.2 v4.example.test"
	kill "$(spawn_pid)"
	status 0 wait "$RUN"
	same left "$(ip netns exec blue ip -o link | wc -l)" 1
	like "lo is" "$(ip netns exec blue ip -o link)" 'lo: <LOOPBACK> .*state DOWN'
	ip netns del blue
}
it a_named_namespace_gets_a_network

# is_refused REGEX WHAT ...
is_refused() {
	local why=$1
	shift
	status 125 as_caller timeout -k 5 20 "$CF" --attach "$@" 2>err
	like why "$(cat err)" "$why"
	same lines "$(wc -l <err)" 1
}
what_cannot_be_attached_to_is_125() {
	only_cf
	# shellcheck disable=SC2016
	status 125 as_caller sh -c 'exec "$0" --attach $$' "$CF" 2>err
	like why "$(cat err)" 'that is the network that we are in'
	is_refused 'cannot find the process' 99999999
	is_refused 'cannot open no/such' no/such
	is_refused 'no network namespace' /etc/passwd
	is_refused 'no network namespace' "/proc/self/ns/user"
	is_refused 'leave the command out' $$ -- true
	is_refused '--strict has no sense with --attach' $$ --strict
	is_refused '--user has no sense with --attach' $$ --user root
	is_refused '--tcp-path has no sense with --attach' $$ --tcp-path kernel
}
it what_cannot_be_attached_to_is_125

a_namespace_with_a_network_is_left_alone() {
	local before
	made_by_unshare
	inside ip link add v0 type veth peer name v1 || cannot "no second interface can be made"
	inside ip link set v0 up
	inside ip route add default dev v0
	before=$(state_inside)
	is_refused 'cannot set the IPv4 route: File exists' "$INSIDE"
	left_as_it_was "$before"
	end_inside
}
it a_namespace_with_a_network_is_left_alone

another_users_namespace_is_not_entered() {
	only_for root
	[ "$ROOTLESS" = 0:0 ] || cannot "there is one user only"
	made_by_unshare
	# shellcheck disable=SC2086
	status 125 $BECOME_USER timeout 20 "$CF" --attach "$INSIDE" 2>err
	like why "$(cat err)" 'Permission denied|Operation not permitted'
	end_inside
}
it another_users_namespace_is_not_entered

done_testing
