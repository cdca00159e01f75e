#!/bin/bash
# leaks.sh - cf-doctor leaks finds what is open, and nothing else.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
DOCTOR=/srv/cf/bin/cf-doctor
LIMIT=60
# Strangers that it asks answer at once, and there is no link-local address, which nobody
# answers inside: nothing has to be waited for.
must ip -6 addr del fe80::2/64 dev veth0
for address in 1.1.1.1/32 8.8.8.8/32 10.0.0.1/32 192.168.1.1/32 169.254.169.254/32 \
    2606:4700:4700::1111/128 fd00:ec2::254/128; do
	must sv ip addr add "$address" dev lo
done

# leaks STATUS [OPTION ...] [-- OPTION OF CF-SPAWN ...]: the table is in leaks.json.
leaks() {
	local want=$1 words=() own=()
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	if [ $# -gt 0 ]; then
		[ "$PASS" = user ] || own=(--run-as-root)
		words+=(-- "${own[@]}" "${@:2}")
	fi
	status "$want" as_caller timeout -k 5 "$LIMIT" "$DOCTOR" leaks --format json "${words[@]}" \
	    >"$T/leaks.json" 2>"$T/leaks.err"
	same "its errors" "$(cat "$T/leaks.err")" ""
}
open_ways() { jq -r '.ways[] | select(.outcome == "open") | .way' "$T/leaks.json" | sort -u | tr '\n' ';'; }
outcome() { jq -r --arg way "$1" '.ways[] | select(.way == $way) | .outcome' "$T/leaks.json" | sort -u; }
why() { jq -r --arg tried "$1" '.ways[] | select(.tried | startswith($tried)) | .outcome + ": " + .why' "$T/leaks.json"; }

# A socket of the host that lends something, as there may be.
serve_docker() {
	mkdir -p /run/docker
	socat UNIX-LISTEN:/run/docker.sock,fork,mode=666,unlink-early /dev/null >/dev/null 2>&1 &
	until_true 10 grep -q '00010000 .* /run/docker.sock$' /proc/net/unix
}

all_is_closed_with_strict() {
	only_cf
	local before
	serve_docker
	before=$(host_state)
	leaks 0 -- --strict
	same "what is open" "$(open_ways)" ""
	until_true 10 nothing_runs
	same "what changed" "$(diff <(echo "$before") <(host_state))" ""
	# What can be tried at all on this host, or the test says nothing.
	local way
	for way in "loopback of the host" "multicast, SSDP" broadcast "abstract socket" "unix socket" \
	    "late unix socket" "services by sockets" "inherited descriptors" ptrace setns \
	    "connections in /proc" netlink "raw IPv4"; do
		same "$way" "$(outcome "$way")" closed
	done
}
it all_is_closed_with_strict

what_is_left_open_on_purpose_is_said() {
	only_cf
	serve_docker
	leaks 1 -- --wait
	same "without a restriction" "$(open_ways)" \
	    "connections in /proc;late unix socket;services by sockets;session keys;unix socket;"
	same "its own addresses" "$(why "tcp 198.51.100.2:")" \
	    "closed: it went through the sandbox, which allows and notes it"
	leaks 0 --accept "connections in /proc" --accept "late unix socket" \
	    --accept "session keys" -- --block-private
	same "with one" "$(open_ways)" "connections in /proc;late unix socket;session keys;"
	same accepted "$(jq .accepted "$T/leaks.json")" 3
	like docker "$(why 'unix sockets on which')" '^closed: '
}
it what_is_left_open_on_purpose_is_said

what_is_refused_does_not_get_out() {
	only_cf
	leaks 0 -- --strict --deny-cidr 198.51.100.2 --block-metadata --block-encrypted-dns
	same "the host, tcp" "$(why "tcp 198.51.100.2:")" 'closed: refused by the policy'
	same "the host, udp" "$(why "udp 198.51.100.2:")" 'closed: refused by the policy'
	same metadata "$(why "tcp 169.254.169.254:")" 'closed: refused by the policy'
	same "over TLS" "$(why "tcp 1.1.1.1:853")" 'closed: refused by the policy'
	same "over HTTPS" "$(why "tcp 1.1.1.1:443")" 'closed: refused by the policy'
	like "what is not" "$(why "tcp [2001:db8:1::2]:")" '^closed: it went through'
	like "what is not" "$(why "tcp 10.0.0.1:")" '^(closed: it went through|not testable)'
}
it what_is_refused_does_not_get_out

options_that_open_something_are_seen() {
	only_cf
	serve_docker
	leaks 1 -- --strict --keep-fd 20 --allow-socket /run/docker.sock --cap-net-raw \
	    --host-port 1024-65535
	same "what is open" "$(open_ways)" "inherited descriptors;services by sockets;"
	like "a socket" "$(why 'sockets, directories')" 'arrived outside .*20 is a socket'
	like docker "$(why 'unix sockets on which')" 'connected to /run/docker.sock'
	like raw "$(why 'a packet socket')" '^closed: it is of the tree'
	like "its ports" "$(why 'tcp 192.0.0.3:')" '^closed: it went through the sandbox'
	like "beside them" "$(why 'tcp 127.0.0.1:')" '^closed: '
}
it options_that_open_something_are_seen

what_is_no_sandbox_is_open() {
	only_for root
	leaks 1 --runner env
	local way
	for way in "loopback of the host" "unspecified" "broadcast" "multicast, mDNS" \
	    "address of the host" netlink "inherited descriptors" "abstract socket" "unix socket" \
	    "late unix socket" ptrace "process_vm_readv" "memory in /proc" "descriptors in /proc" \
	    "environment in /proc" "pidfd_getfd" "connections in /proc"; do
		like "$way" "$(outcome "$way")" '(^|'$'\n'')open'
	done
	unlike "what got out" "$(jq -r '.ways[] | select(.why | startswith("it arrived")) | .outcome' \
	    "$T/leaks.json")" closed
}
it what_is_no_sandbox_is_open

a_user_namespace_alone_is_none() {
	only_for user
	leaks 1 --runner 'unshare -Ur'
	local way
	for way in "loopback of the host" "address of the host" netlink "inherited descriptors" \
	    "abstract socket" "unix socket" "connections in /proc"; do
		like "$way" "$(outcome "$way")" '(^|'$'\n'')open'
	done
	same ptrace "$(outcome ptrace)" closed
}
it a_user_namespace_alone_is_none

wrong_words_are_refused() {
	status 2 as_caller "$DOCTOR" leaks -- --no-such-option 2>err
	status 2 as_caller "$DOCTOR" leaks -- --offline -- true 2>err
	like "a command" "$(cat err)" 'no command is needed'
	status 2 as_caller "$DOCTOR" leaks -- --help 2>err
	status 2 as_caller "$DOCTOR" leaks --accept nothing 2>err
	status 1 as_caller "$DOCTOR" leaks --runner false >out 2>err
	like "no run" "$(cat err)" 'the probe did not run to its end inside'
}
it wrong_words_are_refused

done_testing
