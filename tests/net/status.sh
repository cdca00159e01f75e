#!/bin/bash
# status.sh - what a script sees of cf-spawn: statuses, signals, descriptors, refusals.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

the_commands_status_is_returned() {
	local n
	for n in 0 1 2 3 42 64 77 124 125 126 127 128 129 143 200 254 255; do
		status "$n" cf -- sh -c "exit $n"
	done
}
it the_commands_status_is_returned

death_by_signal_n_is_128_plus_n() {
	only_cf
	local n
	for n in 1 2 3 6 9 10 11 13 14 15; do
		# shellcheck disable=SC2016
		status $((128 + n)) cf -- sh -c 'ulimit -c 0; kill -$1 $$' sh "$n"
	done
}
it death_by_signal_n_is_128_plus_n

a_command_that_is_not_is_127() {
	status 127 cf -- no-such-command 2>err
	only_cf
	like message "$(cat err)" '^cf-spawn: .*no-such-command'
	same lines "$(wc -l <err)" 1
	status 127 cf -- /no/such/command
	status 127 cf -- ''
}
it a_command_that_is_not_is_127

a_command_that_cannot_be_executed_is_126() {
	only_cf
	echo text >text
	status 126 cf -- ./text 2>err
	like message "$(cat err)" '^cf-spawn: .*text'
	same lines "$(wc -l <err)" 1
	status 126 cf -- /etc
}
it a_command_that_cannot_be_executed_is_126

# ---- signals ----

# start_words WORDS ...: start in the background as the caller; PID is cf-spawn itself.
start_words() {
	only_cf
	local become=
	[ "$PASS" = root ] || become=$BECOME_USER
	# A shell starts what runs in the background with these ignored.
	# shellcheck disable=SC2086
	HOME=$T/home TMPDIR=$T/tmp exec -- $become env --default-signal=INT,QUIT "$@" &
	PID=$!
}

signals_go_to_the_command() {	# SIGNAL
	only_cf
	cf_words
	# shellcheck disable=SC2016
	start_words "${CF_WORDS[@]}" -- bash -c '
		trap "echo got $1; exit 9" $1
		echo ready
		while :; do sleep 0.02; done' bash "$1" >said
	until_true 10 grep -q ready said
	kill "-$1" "$PID"
	status 9 wait "$PID"
	same said "$(tr '\n' ' ' <said)" "ready got $1 "
}
it signals_go_to_the_command TERM
it signals_go_to_the_command HUP
it signals_go_to_the_command INT
it signals_go_to_the_command QUIT
it signals_go_to_the_command USR1
it signals_go_to_the_command USR2
it signals_go_to_the_command WINCH

an_uncaught_signal_ends_both() {	# SIGNAL NUMBER
	only_cf
	cf_words
	start_words "${CF_WORDS[@]}" -- sh -c 'echo ready; exec sleep 60' >said
	until_true 10 grep -q ready said
	kill "-$1" "$PID"
	status $((128 + $2)) wait "$PID"
	nothing_runs || until_true 5 nothing_runs
}
it an_uncaught_signal_ends_both TERM 15
it an_uncaught_signal_ends_both HUP 1

a_signal_before_the_start_ends_the_run() {
	only_cf
	local i
	cf_words
	for i in {1..20}; do
		start_words "${CF_WORDS[@]}" -- sleep 60
		sleep "0.00$((i % 10))"
		kill -TERM "$PID"
		status 143 wait "$PID"
	done
	until_true 5 nothing_runs
}
it a_signal_before_the_start_ends_the_run

stop_and_continue_reach_the_command() {
	only_cf
	cf_words
	# shellcheck disable=SC2016
	start_words "${CF_WORDS[@]}" -- sh -c 'echo $$; exec sleep 60' >said
	until_true 10 test -s said
	local command
	command=$(cat said)
	kill -TSTP "$PID"
	until_true 5 grep -q '^State:.T' "/proc/$command/status"
	kill -CONT "$PID"
	until_true 5 grep -q '^State:.S' "/proc/$command/status"
	kill "$PID"
	status 143 wait "$PID"
}
it stop_and_continue_reach_the_command

# ---- --status-fd ----

status_fd_tells_the_story() {
	only_cf
	status 3 cf --status-fd 7 -- sh -c 'exit 3' 7>story
	same events "$(jq -r .event story | tr '\n' ' ')" "ready started exit "
	same code "$(jq -r 'select(.event == "exit") | .code' story)" 3
	same reason "$(jq -r 'select(.event == "exit") | .reason' story)" command
	jq -es '.[0].pid > 1' story
}
it status_fd_tells_the_story

status_fd_tells_reasons_apart() {
	only_cf
	reason() { jq -r 'select(.event == "exit") | "\(.code) \(.reason)"' story; }
	cf --status-fd 7 -- sh -c 'exit 125' 7>story && failed "status 0"
	same "own status" "$(reason)" "125 command"
	# shellcheck disable=SC2016
	cf --status-fd 7 -- sh -c 'kill -9 $$' 7>story && failed "status 0"
	same signal "$(reason)" "137 signal"
	cf --status-fd 7 -- no-such-command 7>story 2>/dev/null && failed "status 0"
	same "not found" "$(reason)" "127 not_found"
	cf --status-fd 7 -- /etc 7>story 2>/dev/null && failed "status 0"
	same "not executable" "$(reason)" "126 not_executable"
}
it status_fd_tells_reasons_apart

status_fd_is_not_for_the_command() {
	only_cf
	status 1 cf --status-fd 7 -- sh -c '[ -e /proc/self/fd/7 ]' 7>story
}
it status_fd_is_not_for_the_command

# ---- what passes through untouched ----

stdin_and_stdout_are_the_commands() {
	openssl enc -aes-128-ctr -K 0e -iv 0 -in /dev/zero 2>/dev/null | head -c 20M >bytes
	cf -- cat <bytes | cmp - bytes
	cf -- sh -c 'echo out; echo err >&2' >out 2>err
	same stdout "$(cat out)" out
	same stderr "$(cat err)" err
}
it stdin_and_stdout_are_the_commands

closed_descriptors_do_not_disturb() {
	only_cf
	cf -- true <&-
	cf -- true >&-
	cf -- true 2>&-
	cf -- true <&- >&- 2>&-
	same body "$(cf -- curl -sS http://203.0.113.10/hello <&- 2>&-)" hello
	status 3 cf -- sh -c '[ ! -e /proc/$$/fd/0 ] && exit 3' <&-
}
it closed_descriptors_do_not_disturb

the_command_inherits_what_the_caller_has() {
	only_cf
	probe_inherited() {
		# shellcheck disable=SC2016
		"$@" bash -c '
			ls /proc/self/fd | tr "\n" " "
			pwd; umask; ulimit -a
			grep -E "^Sig(Blk|Ign|Cgt)|^Groups|^Uid|^Gid|^Umask" /proc/self/status
			env | grep -v "^_=\|^OLDPWD=" | sort
			nice' 9>/dev/null
	}
	umask 027
	ulimit -S -n 333
	export CF_PROBE="a value"
	trap '' USR1
	probe_inherited as_caller timeout 60 >outside
	probe_inherited cf -- >inside
	diff outside inside
}
it the_command_inherits_what_the_caller_has

output_to_a_closed_pipe_ends_the_command() {
	set +e
	cf -- yes | head -n 1 >out
	local s=${PIPESTATUS[0]}
	set -e
	same status "$s" 141
}
it output_to_a_closed_pipe_ends_the_command

# ---- refusals: one line, 125, nothing started ----

refuses() {	# PATTERN WORDS ...
	only_cf
	local pattern=$1
	shift
	rm -f started
	status 125 "$@" >out 2>err
	like message "$(cat err)" "^cf-spawn: $pattern"
	same "lines of: $(cat err)" "$(wc -l <err)" 1
	same stdout "$(cat out)" ""
	[ ! -e started ] || failed "the command was started"
	nothing_runs || until_true 2 nothing_runs
}
run_it=(-- touch started)

it refuses '.*no-such-option' cf --no-such-option "${run_it[@]}"
it refuses '.*-Z' cf -Z "${run_it[@]}"
it refuses '.*hosts-file.*/no/such/file.*No such file' cf --hosts-file /no/such/file "${run_it[@]}"
it refuses '.*hosts-file /etc' cf --hosts-file /etc "${run_it[@]}"
it refuses '.*(-d|dns).*not-an-address' cf -d not-an-address "${run_it[@]}"
it refuses '.*(-d|dns).*300.1.1.1' cf -d 300.1.1.1 "${run_it[@]}"
it refuses '.*(-d|dns).*70000' cf -d 203.0.113.53:70000 "${run_it[@]}"
it refuses '.*(-d|dns)' cf -d '' "${run_it[@]}"
it refuses '.*status-fd' cf --status-fd 99 "${run_it[@]}"
it refuses '.*status-fd' cf --status-fd x "${run_it[@]}"
it refuses '.*command' cf
it refuses '.*command' cf --
it refuses '.*(-d|dns)' cf -d
it refuses '.*iface' cf --iface eth0 "${run_it[@]}"
it refuses '.*' cf --run-as-root=x "${run_it[@]}"

an_unreadable_hosts_file_is_refused() {
	only_cf
	only_for user
	[ "$ROOTLESS" = 0:0 ] || cannot "no second user here"
	echo '203.0.113.9 x' >secret
	chmod 600 secret
	chown root secret
	refuses '.*hosts-file secret.*Permission denied' cf --hosts-file secret "${run_it[@]}"
}
it an_unreadable_hosts_file_is_refused

a_hosts_file_that_is_none_is_refused() {
	only_cf
	printf '203.0.113.9 fine\nthis is none\n' >hosts
	refuses '.*hosts.*line 2' cf --hosts-file hosts "${run_it[@]}"
}
it a_hosts_file_that_is_none_is_refused

root_must_say_as_whom() {
	only_cf
	only_for root
	refuses '.*--user NAME.*--run-as-root' as_caller "$CF" "${run_it[@]}"
	refuses '.*no-such-user' as_caller "$CF" --user no-such-user "${run_it[@]}"
}
it root_must_say_as_whom

an_ordinary_user_cannot_become_another() {
	only_cf
	only_for user
	refuses '.*user' cf --user root "${run_it[@]}"
	refuses '.*run-as-root' cf --run-as-root "${run_it[@]}"
}
it an_ordinary_user_cannot_become_another

# sealed_off SHELL-COMMAND WORDS ...: run WORDS in a mount namespace where the command was done.
sealed_off() {
	local first=$1
	shift
	(
		export -f as_caller cf
		export PASS T WITH CF LIMIT BECOME_USER ROOTLESS
		# shellcheck disable=SC2016
		exec unshare -m bash -c "$first"'; "$@"' bash "$@"
	)
}
a_missing_tun_device_is_refused() {
	only_cf
	refuses '.*/dev/net/tun.*No such file.*\(.*\)' \
	    sealed_off 'mount -t tmpfs tmpfs /dev/net' cf "${run_it[@]}"
	[ "$ROOTLESS" = 0:0 ] || return 0
	[ "$PASS" = root ] ||
	    refuses '.*/dev/net/tun.*Permission denied.*\(.*\)' \
		sealed_off 'chmod 600 /dev/net/tun' cf "${run_it[@]}"
	chmod 666 /dev/net/tun
}
it a_missing_tun_device_is_refused

a_missing_helper_is_refused() {	# NAME
	only_cf
	refuses ".*$1" sealed_off "mkdir $T/libexec.$1; cp /srv/cf/libexec/childflow/* $T/libexec.$1;
	    rm $T/libexec.$1/$1; mount --bind $T/libexec.$1 /srv/cf/libexec/childflow" cf "${run_it[@]}"
}
it a_missing_helper_is_refused cf-netstack
it a_missing_helper_is_refused cf-dns
it a_missing_helper_is_refused cf-proxy

a_helper_that_fails_is_refused() {	# NAME
	only_cf
	status 125 sealed_off "mount --bind /bin/false /srv/cf/libexec/childflow/$1" \
	    cf "${run_it[@]}" 2>err
	like message "$(cat err)" "^cf-spawn: .*$1"
	same "lines of: $(cat err)" "$(wc -l <err)" 1
	[ ! -e started ] || failed "the command was started"
	until_true 5 nothing_runs
}
it a_helper_that_fails_is_refused cf-netstack
it a_helper_that_fails_is_refused cf-dns
it a_helper_that_fails_is_refused cf-proxy

forbidden_user_namespaces_are_refused() {
	only_cf
	local how=(as_caller unshare -Ur)
	# In a user namespace of the test's own the caller is root: there the limit is his to set.
	# shellcheck disable=SC2016
	refuses '.*namespace.*\(.*\)' "${how[@]}" sh -c \
	    'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' sh "$CF" --run-as-root "${run_it[@]}"
}
it forbidden_user_namespaces_are_refused

# ---- asking ----

n_checks_and_touches_nothing() {
	only_cf
	local before after
	before=$(host_state)
	cf -n -d 203.0.113.53 -- touch started >out 2>err
	after=$(host_state)
	same "the host" "$(diff <(echo "$before") <(echo "$after") | grep -v ' out$\| err$\|^[0-9]')" ""
	like output "$(cat out)" 'touch started'
	same stderr "$(cat err)" ""
	refuses '.*hosts-file' cf -n --hosts-file /no/such/file "${run_it[@]}"
	refuses '.*command' cf -n
}
it n_checks_and_touches_nothing

help_and_version_are_answers() {
	only_cf
	cf -h >help 2>err
	cf --help | cmp - help
	same stderr "$(cat err)" ""
	local word
	cf --help all >help
	for word in --dns --hosts-file --summary --status-fd --cap-net-raw --map-subids --wait --user; do
		grep -q -e "$word" help || failed "$word is not in --help all"
	done
	like version "$(cf -V)" '^cf-spawn .*[0-9]+\.[0-9]+'
	same "the same" "$(cf --version)" "$(cf -V)"
	as_caller /srv/cf/bin/childflow --help >/dev/null
}
it help_and_version_are_answers

options_end_at_the_command() {
	same words "$(cf -- echo -d --help)" "-d --help"
	only_cf
	same "without dashes" "$(cf echo -d --help)" "-d --help"
}
it options_end_at_the_command

# ---- --summary, -v ----

the_summary_says_what_was_done() {
	only_cf
	cf --summary -- curl -sS http://example.test/hello >out 2>err
	same stdout "$(cat out)" hello
	like summary "$(cat err)" 'childflow summary'
	like command "$(cat err)" 'curl'
	like target "$(cat err)" '(203.0.113.10|\[2001:db8::10\]):80|example.test'
	like exit "$(cat err)" 'exit: 0'
}
it the_summary_says_what_was_done

v_says_each_event() {
	only_cf
	cf -v -- curl -sS http://example.test/hello >out 2>err
	same stdout "$(cat out)" hello
	like name "$(cat err)" 'example.test'
	like target "$(cat err)" '(203.0.113.10|\[2001:db8::10\]):80'
}
it v_says_each_event

a_hostile_name_cannot_drive_the_terminal() {
	only_cf
	cf -v --summary -- dig +short $'\\027[31mred\\007.example.test' >out 2>err || :
	same "control bytes" "$(LC_ALL=C tr -d '\n\t -~\200-\377' <err)" ""
}
it a_hostile_name_cannot_drive_the_terminal

done_testing
