#!/bin/bash
# seal.sh - --seal and --strict: processes, IPC, files and variables of the tree's own.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
W=/srv/ways			# not below /tmp, which may be another one
cp "$BUILD/tests/net/ways" "$W"

# ---- pid ----

the_tree_sees_its_own_processes() {
	only_cf
	# shellcheck disable=SC2016
	same "process" "$(cf --seal pid -- sh -c 'echo $$')" 2
	cf --seal pid -- sh -c 'cat /proc/[0-9]*/comm' >names
	same "names" "$(sort names | tr '\n' ' ')" "cf-init sh "
	same "a page" "$(cf --seal pid -- curl -sS http://example.test/hello)" hello
	same "without" "$(cf -- sh -c 'cat /proc/[0-9]*/comm | grep -c cf-netstack')" 1
}
it the_tree_sees_its_own_processes

statuses_and_signals_are_as_without() {
	only_cf
	status 0 cf --seal pid -- true
	status 7 cf --seal pid -- sh -c 'exit 7'
	status 137 cf --seal pid -- sh -c 'kill -9 $$'
	status 139 cf --seal pid -- sh -c 'kill -SEGV $$'
	status 127 cf --seal pid -- /nonexistent 2>err
	status 126 cf --seal pid -- /etc/passwd 2>err
	cf_words
	as_caller "${CF_WORDS[@]}" --seal pid --status-fd 3 -- sh -c 'kill -TERM $$' 3>facts ||
	    same "status" "$?" 143
	same reason "$(jq -r 'select(.event == "exit").reason' facts)" signal
	as_caller "${CF_WORDS[@]}" --seal pid -- sh -c \
	    'trap "echo got; exit 5" TERM; echo >ready; while :; do sleep 0.05; done' >out &
	local job=$! result=0
	until_true 10 test -e ready
	# shellcheck disable=SC2046
	kill $(pids cf-spawn)
	wait "$job" || result=$?
	same "status" "$result" 5
	same "handler" "$(cat out)" got
}
it statuses_and_signals_are_as_without

stops_and_goes_on() {
	only_cf
	cf_words
	# shellcheck disable=SC2016
	as_caller "${CF_WORDS[@]}" --seal pid -- sh -c 'echo >ready; kill -STOP $$; echo on >went; exit 6' &
	local job=$! spawn result=0
	until_true 10 test -e ready
	spawn=$(pids cf-spawn)
	until_true 10 grep -q '^State:.T' "/proc/$spawn/status"
	kill -CONT "$spawn"
	wait "$job" || result=$?
	same status "$result" 6
	same text "$(cat went)" on
}
it stops_and_goes_on

orphans_are_reaped() {
	only_cf
	same zombies "$(cf --seal pid -- bash -c '
		for i in {1..20}; do (true & true); done
		sleep 0.3
		cat /proc/[0-9]*/stat | grep -c ") Z"; true')" 0
}
it orphans_are_reaped

# shellcheck disable=SC2016
the_end_of_the_run_is_the_end_of_the_tree() {
	only_cf
	cf --seal pid -- sh -c 'setsid sleep 61 >/dev/null 2>&1 </dev/null & exit 3' || same status "$?" 3
	until_true 5 eval '[ -z "$(pgrep -f "^sleep 61")" ]'
	cf --seal pid --wait -- sh -c '(sleep 0.5; echo >late) & exit 4' || same status "$?" 4
	test -e late
	until_true 5 eval '[ -z "$(pids cf-init)" ]'
}
it the_end_of_the_run_is_the_end_of_the_tree

killing_cf_spawn_kills_the_tree() {
	only_cf
	cf_words
	as_caller "${CF_WORDS[@]}" --seal pid -- sh -c 'setsid sleep 62 & echo >ready; sleep 62' &
	local job=$!
	until_true 10 test -e ready
	# shellcheck disable=SC2046
	kill -9 $(pids cf-spawn)
	wait "$job" || :
	# shellcheck disable=SC2016
	until_true 5 eval '[ -z "$(pgrep -f "^sleep 62")$(pids cf-init)" ]'
	until_true 5 nothing_runs
}
it killing_cf_spawn_kills_the_tree

process_1_cannot_be_ended_from_inside() {
	only_cf
	same lives "$(cf --seal pid -- sh -c '
		for s in TERM KILL INT HUP STOP CHLD USR1; do kill -$s 1 2>/dev/null; done
		(true &)
		sleep 0.3; echo yes')" yes
	same attach "$(cf --seal pid -- "$W" ptrace 1)" EPERM
	same environ "$(cf --seal pid -- "$W" open /proc/1/environ)" EACCES
	same descriptors "$(cf --seal pid -- "$W" link /proc/1/fd/0)" EACCES
}
it process_1_cannot_be_ended_from_inside

a_helper_that_dies_ends_the_tree() {
	only_cf
	cf_words
	as_caller "${CF_WORDS[@]}" --seal pid -- sh -c 'setsid sleep 63 & echo >ready; sleep 63' 2>err &
	local job=$! result=0
	until_true 10 test -e ready
	# shellcheck disable=SC2046
	kill -9 $(pids cf-dns)
	wait "$job" || result=$?
	same status "$result" 125
	# shellcheck disable=SC2016
	until_true 5 eval '[ -z "$(pgrep -f "^sleep 63")" ]'
}
it a_helper_that_dies_ends_the_tree

# ---- ipc ----

ipc_objects_are_the_trees_own() {
	only_cf
	ipcmk -M 4096 >/dev/null
	: >/dev/shm/cf-test
	same "outside" "$(ipcs -m | grep -c 0x)" 1
	same "without" "$(cf -- ipcs -m | grep -c 0x)" 1
	same "sealed" "$(cf --seal ipc -- ipcs -m | grep -c 0x || :)" 0
	same "/dev/shm" "$(cf --seal ipc -- ls -A /dev/shm)" ""
	cf --seal ipc -- sh -c 'echo >/dev/shm/mine'
	test ! -e /dev/shm/mine
	rm /dev/shm/cf-test
	ipcrm -a
}
it ipc_objects_are_the_trees_own

# ---- files ----

the_file_system_is_read_only() {
	only_cf
	mkdir -p "$T/tmp/other" "$T/tmp/more"
	chmod 777 "$T/tmp/other" "$T/tmp/more"
	local file
	for file in "$T/tmp/other/x" /etc/x /var/x /x; do
		status 2 cf --seal files -- sh -c "echo >'$file'" 2>err
	done
	cf -- sh -c "echo >'$T/tmp/other/without'"
	test -e "$T/tmp/other/without"
	cf --seal files -- sh -c 'echo yes >here; mkdir sub; echo yes >sub/too'
	same here "$(cat here sub/too | tr '\n' ' ')" "yes yes "
	cf --seal files --writable "$T/tmp/more" -- sh -c "echo more >'$T/tmp/more/x'"
	same more "$(cat "$T/tmp/more/x")" more
	same devices "$(cf --seal files -- sh -c 'echo x >/dev/null; echo 1000 >/proc/self/oom_score_adj; echo ok')" ok
	same page "$(cf --seal files -- curl -sS http://example.test/hello)" hello
}
it the_file_system_is_read_only

temporary_directories_are_private() {
	only_cf
	: >/tmp/cf-theirs
	: >/var/tmp/cf-theirs
	same seen "$(cf --seal files -- sh -c 'ls -A /tmp /var/tmp' | grep -c cf-theirs || :)" 0
	same made "$(cf --seal files -- sh -c 'echo yes >/tmp/cf-mine && cat /tmp/cf-mine')" yes
	test ! -e /tmp/cf-mine
	rm /tmp/cf-theirs /var/tmp/cf-theirs
}
it temporary_directories_are_private

what_is_read_only_stays_so() {
	only_cf
	status 32 cf --seal files -- mount -o remount,bind,rw / 2>err
	[ "$PASS" = user ] || return 0
	same nested "$(cf --seal files -- unshare -Urm --propagation unchanged sh -c \
	    'mount -o remount,bind,rw / 2>/dev/null; umount -l /tmp 2>/dev/null; ls -A /tmp | grep -c theirs; true')" 0
}
it what_is_read_only_stays_so

wrong_uses_of_writable() {
	only_cf
	status 125 cf --writable /etc -- true 2>err
	like alone "$(cat err)" '--writable is for --seal files'
	status 125 cf --seal files --writable / -- true 2>err
	like everything "$(cat err)" '--writable.*that is everything'
	status 125 cf --seal files --writable /none -- true 2>err
	like none "$(cat err)" 'cannot find a --writable directory: No such file'
}
it wrong_uses_of_writable

# ---- env ----

variables_that_open_something_are_dropped() {
	only_cf
	local names="GITHUB_TOKEN AWS_PROFILE MY_SECRET_KEY OPENAI_API_KEY PGPASSWORD SSH_AUTH_SOCK
	    DBUS_SESSION_BUS_ADDRESS npm_config__auth" name
	for name in $names; do export "$name=x"; done
	export ORDINARY=stays LANG=C
	cf --seal env -v -- env >seen 2>err
	for name in $names; do
		unlike "$name" "$(cat seen)" "$name="
		like "-v, $name" "$(cat err)" "does not get $name"
	done
	like ordinary "$(cat seen)" 'ORDINARY=stays'
	like path "$(cat seen)" 'PATH='
	like without "$(cf -- env)" 'GITHUB_TOKEN=x'
}
it variables_that_open_something_are_dropped

# ---- all ----

strict_is_all_of_it() {
	only_cf
	mkdir -p /run/podman
	socat UNIX-LISTEN:/run/podman/podman.sock,fork,mode=666 /dev/null &
	until_true 5 test -S /run/podman/podman.sock
	export GITHUB_TOKEN=x
	# shellcheck disable=SC2016
	cf --strict --summary -- bash -c '
		echo "process $$"
		echo "token ${GITHUB_TOKEN-none}"
		echo "socket $("$0" connect /run/podman/podman.sock)"
		echo >/etc/x && echo wrote
		ls -A /dev/shm
		echo here >here && cat here
		curl -sS http://example.test/hello' "$W" >seen 2>err
	same seen "$(grep -v podman seen)" $'process 2\ntoken none\nsocket ENOENT\nhere\nhello'
	local part
	for part in pid ipc sockets files env; do
		like "$part" "$(cat err)" "seal=$part"
	done
	status 9 cf --strict -- sh -c 'exit 9'
	same "--no-strict" "$(cf --strict --no-strict -- sh -c 'test -e /proc/1/comm && echo $GITHUB_TOKEN')" x
	rm -r /run/podman
}
it strict_is_all_of_it

nothing_is_left_behind() {
	only_cf
	local before
	before=$(host_state)
	cf --strict -- true
	status 3 cf --strict -- sh -c 'exit 3'
	until_true 5 nothing_runs
	same difference "$(diff <(echo "$before") <(host_state))" ""
}
it nothing_is_left_behind

done_testing
