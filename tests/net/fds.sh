#!/bin/bash
# fds.sh - descriptors for scripts and supervisors: ready, status, exit.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

# shellcheck disable=SC2016
a_byte_says_that_the_network_is_up() {
	only_cf
	same byte "$(cf --ready-fd 5 -- sh -c 'cat ready; [ ! -e /proc/self/fd/5 ]' 5>ready)" 1
	# The reader of a pipe sees the end at once, and not with the run's.
	mkfifo -m 666 pipe
	cf_words
	{ cat pipe >piped; touch go; } &
	# The shell of this test must not hold it open.
	as_caller timeout -k 5 "$LIMIT" sh -c 'exec "$@" 5>pipe' sh "${CF_WORDS[@]}" --ready-fd 5 -- \
	    sh -c 'until [ -e go ]; do sleep 0.02; done'
	same "through a pipe" "$(cat piped)" 1
	cf --ready-fd 1 -- echo said >out
	same "standard output" "$(cat out)" "1said"
}
it a_byte_says_that_the_network_is_up

no_byte_comes_where_it_is_not() {
	only_cf
	status 125 cf --ready-fd 5 --name 'a b' -- true 5>ready
	same bytes "$(wc -c <ready)" 0
	cf --name one -- sh -c 'until [ -e go ]; do sleep 0.02; done' &
	until_true 20 eval 'as_caller "$CF" --list | grep -qw one'
	taken
	same bytes "$(wc -c <ready)" 0
	touch go
	wait $!
	status 125 cf --ready-fd 77 -- true 2>err
	like why "$(cat err)" 'descriptor 77 is not open'
}
taken() { ! cf --name one --ready-fd 5 -- true 5>ready 2>err && grep -q 'has this name' err; }
it no_byte_comes_where_it_is_not

the_status_tells_ready_started_exit() {
	only_cf
	cf --name one --status-fd 5 --wait -- sh -c 'exit 3' 5>status || :
	same events "$(jq -r .event status | tr '\n' ' ')" "ready started exit "
	same name "$(jq -r 'select(.event == "ready").name' status)" one
	same helpers "$(jq -r 'select(.event == "ready").helpers[] | select(.pid > 1) | .name' status |
	    sort | tr '\n' ,)" "cf-dns,cf-netstack,cf-proxy (dialler),cf-proxy (policy),"
}
it the_status_tells_ready_started_exit

# with_exit WORDS ...: run them with --exit-fd 6, on whose other end is descriptor 9.
with_exit() {
	only_cf
	rm -f stop
	mkfifo stop
	[ "$1" = --wait ] || set -- -- "$@"
	cf --exit-fd 6 --status-fd 8 "$@" 6<stop 8>status &
	RUN=$!
	exec 9>stop
}

a_run_ends_with_the_exit_descriptor() {
	with_exit sh -c '[ ! -e /proc/self/fd/6 ] && echo up >up; exec sleep 90'
	until_true 20 test -s up
	echo "no end" >&9
	same state "$(kill -0 "$RUN" && echo lives)" lives
	exec 9>&-
	status 143 wait "$RUN"
	same reason "$(jq -r 'select(.event == "exit").reason' status)" signal
}
it a_run_ends_with_the_exit_descriptor

the_command_may_end_in_its_own_way() {
	# shellcheck disable=SC2016
	with_exit bash -c 'trap "curl -sS -o /dev/null http://203.0.113.10/ && exit 4" TERM
		echo up >up; while :; do sleep 0.02; done'
	until_true 20 test -s up
	exec 9>&-
	status 4 wait "$RUN"
}
it the_command_may_end_in_its_own_way

a_command_that_does_not_want_to_end_is_killed() {
	# shellcheck disable=SC2016
	with_exit bash -c 'trap "" TERM; echo up >up; while :; do sleep 0.02; done'
	until_true 20 test -s up
	exec 9>&-
	status 137 wait "$RUN"
}
it a_command_that_does_not_want_to_end_is_killed

it_also_ends_the_wait_for_the_tree() {
	only_cf
	rm -f stop
	mkfifo stop
	# shellcheck disable=SC2016
	cf --wait --exit-fd 6 -- sh -c 'sleep 90 & echo $$ >up' 6<stop >out 2>err &
	RUN=$!
	exec 9>stop
	until_true 20 test -s up
	until_true 20 gone "$(cat up)"
	exec 9>&-
	status 0 wait "$RUN"
	rm up				# and where the command is still there
	with_exit --wait -- sh -c 'sleep 90 & echo up >up; exec sleep 91'
	until_true 20 test -s up
	exec 9>&-
	status 143 wait "$RUN"
}
it it_also_ends_the_wait_for_the_tree

an_end_that_is_there_already_counts() {
	only_cf
	status 143 cf --exit-fd 6 -- sleep 90 6</dev/null
}
it an_end_that_is_there_already_counts

a_standard_descriptor_is_no_exit_descriptor() {
	only_cf
	status 125 cf --exit-fd 0 -- true 2>err
	like why "$(cat err)" '--exit-fd'
	status 125 cf --exit-fd 77 -- true 2>err
	like why "$(cat err)" 'descriptor 77 is not open'
}
it a_standard_descriptor_is_no_exit_descriptor

done_testing
