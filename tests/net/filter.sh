#!/bin/bash
# filter.sh - kinds of sockets and calls that a network namespace does not contain, from inside.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
W=$BUILD/tests/net/ways
in_cf() { cf -- "$W" "$@"; }
out() { as_caller "$W" "$@"; }

only_families_of_the_namespace() {
	only_cf
	local family kept=" 0 1 2 10 16 17 38 "
	# One process tries them all, as 60 runs would take long.
	# shellcheck disable=SC2016
	cf -- bash -c 'for f in {0..63}; do echo $f $("$0" family $f) \
	    $("$0" i386-socket $f); done' "$W" >seen
	for family in {0..63}; do
		[[ $kept == *" $family "* ]] || {
			like "family $family" "$(grep "^$family " seen)" " EAFNOSUPPORT (EAFNOSUPPORT|ENOSYS)$"
		}
	done
	for family in 1 2 10 16; do
		like "family $family" "$(grep "^$family " seen)" "^$family open"
	done
}
it only_families_of_the_namespace

vsock_is_there_outside_and_not_inside() {
	only_cf
	same inside "$(in_cf family 40)" EAFNOSUPPORT
	[ "$(out family 40)" = open ] || cannot "this kernel has no vsock (refused inside all the same)"
}
it vsock_is_there_outside_and_not_inside

upper_halves_of_arguments_do_not_matter() {
	only_cf
	same "AF_VSOCK + 2^32" "$(in_cf family 4294967336)" EAFNOSUPPORT
	same TIOCSTI "$(in_cf tiocsti)" EPERM
	same "TIOCSTI + 2^32" "$(in_cf tiocsti upper)" EPERM
	same TIOCLINUX "$(in_cf tioclinux)" EPERM
	same "outside" "$(out tiocsti)" ENOTTY	# it came as far as the file
}
it upper_halves_of_arguments_do_not_matter

no_io_uring() {
	only_cf
	same inside "$(in_cf io_uring)" ENOSYS
	same i386 "$(in_cf i386-io_uring)" ENOSYS
	[ "$(out io_uring)" = open ] || cannot "this kernel has none outside either"
}
it no_io_uring

no_other_table_of_numbers() {
	only_cf
	[ "$(uname -m)" = x86_64 ] || cannot "x86_64 only"
	same x32 "$(in_cf x32-socket 2)" ENOSYS
	same socketcall "$(in_cf i386-socketcall 40)" ENOSYS
	[ "$(out i386-socketcall 2)" = open ] || cannot "this kernel has no i386"
	same "AF_INET by i386" "$(in_cf i386-socket 2)" open
}
it no_other_table_of_numbers

no_upcall_for_keys() {
	only_cf
	same with "$(in_cf request_key callout)" ENOKEY
	same without "$(in_cf request_key)" ENOKEY	# the kernel's own word: there is none
}
it no_upcall_for_keys

packet_sockets_see_the_trees_interfaces_only() {
	only_cf
	same "without a capability" "$(in_cf family 17)" EPERM
	same "with it" "$(cf --cap-net-raw -- "$W" family 17)" open
	same "interfaces" "$(cf --cap-net-raw -- sh -c 'ls /proc/self/net/dev_snmp6 | sort | tr "\n" " "')" "lo tun0 "
}
it packet_sockets_see_the_trees_interfaces_only

nested_namespaces_stay_inside() {
	only_cf
	same made "$(in_cf nested)" open
	[ "$PASS" = user ] || return 0	# uid 0 without a capability cannot be mapped again
	# Root of a namespace inside ours: a network that leads nowhere, and covers that stay.
	mkdir -p /run/nscd
	echo secret >/run/nscd/secret
	cf -- unshare -Urnm --propagation unchanged bash -c '
		curl -sS -m 3 http://203.0.113.10/hello >page 2>&1; echo "curl $?"
		umount /run/nscd 2>/dev/null; umount -l /run 2>/dev/null; ls -A /run/nscd
		nsenter -t '$$' -n true 2>/dev/null && echo entered
		mkdir -p low; mount --bind /run low 2>/dev/null && ls low/nscd
		true' >seen
	rm -r /run/nscd
	same seen "$(cat seen)" "curl 7"
}
it nested_namespaces_stay_inside

abstract_sockets_of_the_host_are_not_there() {
	only_cf
	serve_here=$(socat ABSTRACT-LISTEN:cf-test,fork /dev/null >/dev/null 2>&1 & echo $!)
	until_true 5 eval '[ "$(out abstract cf-test)" = open ]'
	same inside "$(in_cf abstract cf-test)" ECONNREFUSED
	kill "$serve_here"
}
it abstract_sockets_of_the_host_are_not_there

# ---- processes outside ----

attach_to() {	# PID
	# shellcheck disable=SC2016
	cf -- bash -c '
		w=$0 p=$1
		for way in ptrace vm_read pidfd_getfd; do echo "$way $("$w" $way $p)"; done
		for f in mem environ auxv maps; do echo "$f $("$w" open /proc/$p/$f)"; done
		for l in fd/0 cwd root exe ns/net; do echo "$l $("$w" link /proc/$p/$l)"; done
		echo "setns $("$w" setns /proc/$p/ns/net)"' "$W" "$1"
}
no_attach_to_a_process_outside() {
	only_cf
	as_caller sleep 60 &
	local job=$! pid
	until_true 5 eval 'pid=$(pgrep -n -x sleep) && [ "$(out link /proc/$pid/exe)" = open ]'
	pid=$(pgrep -n -x sleep)
	attach_to "$pid" >seen
	unlike seen "$(cat seen)" open
	same refused "$(grep -cE 'EPERM|EACCES' seen)" "$(wc -l <seen)"
	kill "$pid"
	wait "$job" || :
}
it no_attach_to_a_process_outside

no_attach_to_cf_spawn_or_a_helper() {
	only_cf
	# shellcheck disable=SC2016
	cf -- bash -c '
		w=$0
		for d in /proc/[0-9]*; do
			p=${d#/proc/}
			read -r name <$d/comm || continue
			case $name in cf-*) ;; *) continue ;; esac
			for way in ptrace vm_read pidfd_getfd; do echo "$name $way $("$w" $way $p)"; done
			for f in mem environ auxv; do echo "$name $f $("$w" open $d/$f)"; done
			for l in fd/0 cwd root exe ns/net; do echo "$name $l $("$w" link $d/$l)"; done
			echo "$name setns $("$w" setns $d/ns/net)"
		done' "$W" >seen
	same programs "$(cut -d' ' -f1 seen | sort -u | tr '\n' ' ')" "cf-dns cf-netstack cf-proxy cf-spawn "
	same "not refused" "$(grep -vE ' (EPERM|EACCES|ESRCH)$' seen)" ""
}
it no_attach_to_cf_spawn_or_a_helper

# The tree of an ordinary user may signal what is his; then nothing is left of its network.
killing_a_helper_fails_closed() {
	only_cf
	local name result
	for name in cf-netstack cf-dns cf-proxy; do
		result=0
		# shellcheck disable=SC2016
		cf -- bash -c '
			trap "" TERM
			for d in /proc/[0-9]*; do
				read -r name <$d/comm && [ "$name" = "$1" ] || continue
				echo "$name $("$0" kill ${d#/proc/})"
			done
			curl -sS -m 2 http://203.0.113.10/hello' "$W" "$name" >seen 2>err || result=$?
		if grep -q open seen; then
			same "status, $name" "$result" 125
			unlike page "$(cat seen)" hello
			like message "$(cat err)" "$name.* was killed by signal 9.*network is gone"
		else
			like "$name" "$(cat seen)" "$name EPERM"
			like page "$(cat seen)" hello
			same status "$result" 0
		fi
	done
}
it killing_a_helper_fails_closed

killing_cf_spawn_takes_the_network_along() {
	only_cf
	# shellcheck disable=SC2016
	cf -- bash -c '
		echo "$("$0" kill $PPID)" >killed
		curl -sS -m 2 http://203.0.113.10/hello >page 2>&1
		echo $? >after' "$W" >out 2>err || :
	until_true 20 test -s after
	if [ "$(cat killed)" = open ]; then
		unlike "curl" "$(cat after)" '^0$'
		unlike page "$(cat page)" hello
	else
		same killed "$(cat killed)" EPERM
	fi
	until_true 5 nothing_runs
}
it killing_cf_spawn_takes_the_network_along

done_testing
