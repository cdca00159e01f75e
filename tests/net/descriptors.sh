#!/bin/bash
# descriptors.sh - what the command inherits: nothing that leads out of its namespaces.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
W=$BUILD/tests/net/ways

# held KIND [OPTION ...]: what the command finds of such a descriptor.
held() {
	local kind=$1
	shift
	cf_words
	as_caller timeout -k 5 "$LIMIT" "$W" hold "$kind" "${CF_WORDS[@]}" "$@" -- "$W" has 9
}
what_leads_out_is_closed() {
	only_cf
	local kind
	for kind in inet netlink unix unix-dgram tun netns pidfd epoll directory path proc ptmx; do
		same "$kind outside" "$(as_caller "$W" hold "$kind" "$W" has 9)" open
		same "$kind" "$(held "$kind")" EBADF
	done
}
it what_leads_out_is_closed

rings_and_fault_handlers_are_closed() {
	only_cf
	local kind
	for kind in io_uring userfaultfd; do
		as_caller "$W" hold "$kind" true || continue	# not in this kernel, or not for us
		same "$kind" "$(held "$kind")" EBADF
	done
}
it rings_and_fault_handlers_are_closed

what_leads_nowhere_passes() {
	only_cf
	local kind
	for kind in file pipe memfd eventfd timerfd null pty; do
		same "$kind" "$(held "$kind")" open
	done
}
it what_leads_nowhere_passes

keep_fd_passes_one() {
	only_cf
	same socket "$(held inet --keep-fd 9 2>err)" open
	same directory "$(held directory --keep-fd 9)" open
	same quiet "$(cat err)" ""
	held inet --keep-fd 9 -v >out 2>err
	like "-v" "$(cat err)" 'descriptor 9 \(a socket\) is passed on'
	held inet -v >out 2>err
	like "-v without" "$(cat err)" 'descriptor 9 is a socket: .*--keep-fd 9'
	held inet --keep-fd 9 --summary >out 2>err
	like summary "$(cat err)" 'keep-fd=9'
	status 125 cf --keep-fd 99 -- true 2>err
	like "not open" "$(cat err)" '--keep-fd.*99 is not open'
	status 125 cf --keep-fd 9 --status-fd 9 -- true 9>facts 2>err
	like "the status" "$(cat err)" 'that is --status-fd'
}
it keep_fd_passes_one

process_substitution_and_the_jobserver_work() {
	cf -- bash -c 'cat <(echo inside)' >out
	cf_words
	as_caller bash -c '"$@" -- cat /dev/fd/63 63< <(echo outside)' x "${CF_WORDS[@]}" >>out
	same text "$(cat out)" $'inside\noutside'
	[ -x "$(command -v make)" ] || return 0
	printf 'all: a b\na b:\n\t@echo $@\n' >inner.mk
	printf 'all:\n\t+@%s -- make -f inner.mk\n' "${CF_WORDS[*]}" >outer.mk
	as_caller make -s -j2 -f outer.mk >out 2>err
	same made "$(sort out | tr '\n' ' ')" "a b "
	unlike warning "$(cat err)" jobserver
}
it process_substitution_and_the_jobserver_work

# on_stdin KIND [OPTION ...]
on_stdin() {
	local kind=$1
	shift
	cf_words
	as_caller timeout -k 5 "$LIMIT" "$W" hold "$kind" \
	    bash -c 'exec "$@" <&9 9<&-' x "${CF_WORDS[@]}" "$@" -- readlink /proc/self/fd/0
}
sockets_as_standard_input() {
	only_cf
	like "inet" "$(on_stdin inet)" '^socket:'
	like "unix" "$(on_stdin unix)" '^socket:'
	like "unix, restricted" "$(on_stdin unix --block-private)" '^socket:'
	local kind
	for kind in inet netlink unix-dgram; do
		status 125 on_stdin "$kind" --block-private >out 2>err
		like "$kind, restricted" "$(cat err)" 'standard input is a socket.*--keep-fd 0'
		like "$kind, kept" "$(on_stdin "$kind" --block-private --keep-fd 0)" '^socket:'
	done
}
it sockets_as_standard_input

a_directory_as_standard_input_is_dev_null() {
	only_cf
	same path "$(on_stdin directory 2>err)" /dev/null
	like message "$(cat err)" 'standard input is a directory'
	same lines "$(wc -l <err)" 1
}
it a_directory_as_standard_input_is_dev_null

what_is_read_as_standard_input_passes() {
	same proc "$(cf -- head -c 10 </proc/version)" "Linux vers"
	same device "$(cf -- head -c 0 </dev/zero; echo $?)" 0
}
it what_is_read_as_standard_input_passes

closed_standard_descriptors_stay_closed() {
	only_cf
	same stdin "$(cf -- "$W" has 0 <&-)" EBADF
}
it closed_standard_descriptors_stay_closed

# ---- the working directory ----

the_working_directory_is_the_same() {
	mkdir -p sub
	same path "$(cd sub && cf -- pwd -P)" "$PWD/sub"
	same inode "$(cf -- stat -c %d:%i .)" "$(stat -c %d:%i .)"
}
it the_working_directory_is_the_same

no_look_below_a_cover_from_the_working_directory() {
	only_cf
	mkdir -p /run/nscd/in
	echo secret >/run/nscd/secret
	same covered "$(cd /run/nscd && cf -- ls -A . 2>&1)" ""
	same below "$(cd /run/nscd/in && cf -- sh -c 'ls -A ..; pwd -P' | grep -c 'secret')" 0
	same where "$(cd /run/nscd/in && cf -- pwd -P)" /
	rm -r /run/nscd
}
it no_look_below_a_cover_from_the_working_directory

done_testing
