#!/bin/bash
# join.sh - runs with names: listed, joined, and spoken to by nobody else.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

SEALED='grep -E "^(NoNewPrivs|Seccomp|Cap(Inh|Prm|Eff|Amb)):" /proc/self/status
	for n in user mnt net ipc; do readlink /proc/self/ns/$n; done; id; grep ^Groups /proc/self/status'

# run_as NAME [OPTION ...]: start a run of this name that lives until end_run.
run_as() {
	only_cf
	rm -f hold
	mkfifo hold
	LIMIT=90 cf --name "$@" -- sh -c 'echo up; read -r x || :' <hold >up 2>err &
	RUN=$!
	exec 7>hold
	until_true 20 grep -q up up
}
end_run() {
	exec 7>&-
	status 0 wait "$RUN"
}
join_cf() { as_caller timeout -k 5 "$LIMIT" "$CF" --join "$@" 7>&-; }
list_cf() { as_caller timeout 20 "$CF" --list --list-format json; }
the_list_says() { [ "$(list_cf | jq -r "$1")" = "$2" ]; }

a_live_run_is_listed_with_its_helpers() {
	local listed
	run_as one
	listed=$(list_cf)
	same names "$(jq -r '.[].name' <<<"$listed")" one
	same states "$(jq -r '.[].helpers[].state' <<<"$listed" | sort -u)" running
	same helpers "$(jq -r '.[].helpers[].name' <<<"$listed" | sort | tr '\n' ,)" \
	    "cf-dns,cf-netstack,cf-proxy (dialler),cf-proxy (policy),"
	like command "$(jq -c '.[].command' <<<"$listed")" '^\["sh","-c",'
	same pid "$(jq -r '.[].pid' <<<"$listed")" "$(pids cf-spawn | head -n 1)"
	like text "$(as_caller "$CF" --list)" "one  pid [0-9]+, running, 0:0[0-9]:[0-9]+: sh -c "
	end_run
	same after "$(list_cf)" "[]"
}
it a_live_run_is_listed_with_its_helpers

a_run_without_a_name_is_listed_and_joined_by_its_pid() {
	local pid
	only_cf
	cf -- sh -c 'until [ -e go ]; do sleep 0.05; done' &
	RUN=$!
	until_true 20 the_list_says '.[].state' running
	pid=$(list_cf | jq -r '.[] | select(.name == null) | .pid')
	same said "$(join_cf "$pid" -- echo here)" here
	touch go
	status 0 wait "$RUN"
}
it a_run_without_a_name_is_listed_and_joined_by_its_pid

the_list_counts_flows_bytes_and_denials() {
	run_as one --deny-cidr 203.0.113.20/32
	head -c 300000 /dev/urandom >"$T/www/some" || cannot "no file to fetch"
	join_cf one -- curl -sS -o /dev/null http://203.0.113.10/some
	status 7 join_cf one -- curl -sS -o /dev/null http://203.0.113.20/ 2>denied
	until_true 10 the_list_says '.[].counters | .flows == 1 and .open == 0 and .denials >= 1 and
	    .bytes_down > 300000 and .bytes_up > 50' true
	end_run
}
it the_list_counts_flows_bytes_and_denials

a_joined_command_has_the_same_network_and_seal() {
	only_cf
	run_as one --deny-cidr 203.0.113.20/32
	same address "$(join_cf one -- cat /proc/sys/net/ipv4/conf/tun0/forwarding)" 0
	same resolver "$(join_cf one -- grep -c '^nameserver 192.0.0.1' /etc/resolv.conf)" 1
	join_cf one -- sh -c "$SEALED" >joined
	end_run
	# The first command of a run that is alike, but for the namespaces' numbers.
	cf --deny-cidr 203.0.113.20/32 -- sh -c "$SEALED" >first
	same seal "$(sed 's/\[.*/[]/' joined)" "$(sed 's/\[.*/[]/' first)"
	like namespaces "$(cat joined)" 'net:\[[0-9]+\]'
	unlike network "$(cat joined)" "$(readlink /proc/self/ns/net | tr -d '[]')"
}
it a_joined_command_has_the_same_network_and_seal

it_is_in_the_namespaces_of_the_first_command() {
	run_as one
	local pid n
	pid=$(list_cf | jq -r '.[].command_pid')
	for n in user mnt net; do
		same "$n" "$(join_cf one -- readlink "/proc/self/ns/$n")" \
		    "$(readlink "/proc/$pid/ns/$n")"
	done
	end_run
}
it it_is_in_the_namespaces_of_the_first_command

a_run_with_every_seal_is_joined_behind_them() {
	run_as one --strict
	# shellcheck disable=SC2016
	A_TOKEN=x join_cf one -- sh -c 'echo "token:$A_TOKEN"; cat /proc/1/comm; ls -A /tmp
		touch /etc/x; ls -d /proc/[0-9]* | wc -l' >said 2>&1
	like said "$(tr '\n' ' ' <said)" '^token: cf-init (cf-join.[^ ]* )?touch: .*Read-only file system [4-6] $'
	status 9 join_cf one -- sh -c 'exit 9'
	# shellcheck disable=SC2016
	status 139 join_cf one -- sh -c 'ulimit -c 0; kill -11 $$'
	end_run
}
it a_run_with_every_seal_is_joined_behind_them

statuses_come_back() {
	run_as one
	local n
	for n in 0 1 77 125 255; do
		status "$n" join_cf one -- sh -c "exit $n"
	done
	# shellcheck disable=SC2016
	status 137 join_cf one -- sh -c 'kill -9 $$'
	status 127 join_cf one -- /no/such/command 2>err
	like missing "$(cat err)" '^cf-spawn: --join one: cannot execute /no/such/command: No such file'
	status 126 join_cf one -- /etc 2>err
	like directory "$(cat err)" 'cannot execute /etc: Permission denied'
	end_run
}
it statuses_come_back

input_output_directory_mask_and_environment_are_the_joiners() {
	run_as one
	mkdir sub
	make_for_caller sub
	cd sub
	# shellcheck disable=SC2016
	same said "$(echo in | (umask 027; VARIABLE=x join_cf one -- \
	    sh -c 'cat; pwd; umask; echo "$VARIABLE"; echo err >&2') 2>err)" "in
$T/home/sub
0027
x"
	same err "$(cat err)" err
	same "a large one" "$(head -c 2000000 /dev/zero | join_cf one -- cat | wc -c)" 2000000
	cd ..
	end_run
}
it input_output_directory_mask_and_environment_are_the_joiners

start_join() {	# JOIN OPTIONS AND COMMAND: in the background; PID is the joiner
	local become=
	[ "$PASS" = root ] || become=$BECOME_USER
	# shellcheck disable=SC2086
	HOME=$T/home TMPDIR=$T/tmp exec -- $become env --default-signal=INT,QUIT "$CF" --join "$@" 7>&- &
	PID=$!
}

signals_go_to_the_joined_command() {
	local sig
	run_as one
	for sig in TERM INT HUP USR1; do
		rm -f said
		# shellcheck disable=SC2016
		start_join one -- bash -c 'trap "echo got; exit 9" $1
			echo ready; while :; do sleep 0.02; done' bash "$sig" >said
		until_true 20 grep -q ready said
		kill "-$sig" "$PID"
		status 9 wait "$PID"
		same "$sig" "$(tail -n 1 said)" got
	done
	end_run
}
it signals_go_to_the_joined_command

a_joiner_that_is_killed_hangs_up() {
	run_as one
	# shellcheck disable=SC2016
	start_join one -- bash -c 'trap "echo hup >hup; exit" HUP
		echo ready; while :; do sleep 0.02; done' >said
	until_true 20 grep -q ready said
	kill -9 "$PID"
	wait "$PID" || :
	until_true 10 grep -q hup hup
	until_true 10 the_list_says '.[].joined | length' 0
	end_run
}
it a_joiner_that_is_killed_hangs_up

events_tell_the_joined_process() {
	run_as one --flow-log flow.jsonl
	join_cf one -- curl -sS -o /dev/null http://203.0.113.10/
	end_run
	same process "$(jq -r 'select(.event == "connect_result") | .process.comm // .comm // .process' \
	    flow.jsonl | grep -o curl | head -n 1)" curl
}
it events_tell_the_joined_process

the_end_of_the_run_ends_joined_commands() {
	run_as one
	join_cf one -- sh -c 'echo ready; exec sleep 90' >said 7>&- &
	PID=$!
	# shellcheck disable=SC2016
	join_cf one -- bash -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done' >stubborn 7>&- &
	until_true 20 grep -q ready said
	until_true 20 grep -q ready stubborn
	end_run
	status 143 wait "$PID"
	status 137 wait $!
	nothing_runs
}
it the_end_of_the_run_ends_joined_commands

with_wait_the_run_waits_for_joined_commands() {
	run_as one --wait
	join_cf one -- sh -c 'echo ready; until [ -e go ]; do sleep 0.05; done
		curl -sS -o /dev/null http://203.0.113.10/; exit 5' >said 7>&- &
	PID=$!
	until_true 20 grep -q ready said
	exec 7>&-
	until_true 10 the_list_says '.[].command_pid' 0
	status 125 join_cf one -- true 2>err
	like late "$(cat err)" 'the run is about to end'
	touch go
	status 5 wait "$PID"
	status 0 wait "$RUN"
}
it with_wait_the_run_waits_for_joined_commands

a_run_that_fails_takes_joined_commands_along() {
	run_as one
	# shellcheck disable=SC2016
	join_cf one -- sh -c 'echo $$ >pid; echo ready; exec sleep 90' >said 2>joined 7>&- &
	PID=$!
	until_true 20 grep -q ready said
	kill -9 "$(pids cf-netstack)"
	status 125 wait "$RUN"
	status 125 wait "$PID"
	like why "$(cat joined)" 'one: the run has ended'
	until_true 5 nothing_runs
	until_true 5 gone "$(cat pid)"
}
it a_run_that_fails_takes_joined_commands_along

a_name_that_is_taken_is_125() {
	run_as one
	status 125 cf --name one -- true 2>err
	like why "$(cat err)" '^cf-spawn: --name one: a live run has this name'
	end_run
	cf --name one -- true
	# It goes with the process, however that ends.
	run_as one
	kill -9 "$(list_cf | jq -r '.[].pid')"
	wait "$RUN" || :
	exec 7>&-
	until_true 5 no_helper
	cf --name one -- true
}
it a_name_that_is_taken_is_125

what_cannot_be_joined_is_125() {
	only_cf
	status 125 join_cf nobody -- true 2>err
	like why "$(cat err)" '^cf-spawn: --join nobody: you have no such run'
	status 125 join_cf nobody 2>err
	like "no command" "$(cat err)" 'no command'
	status 125 join_cf nobody --offline -- true 2>err
	like "an option" "$(cat err)" '--offline has no sense with --join'
	status 125 cf --name 123 -- true 2>err
	like "a number" "$(cat err)" 'not only digits'
	status 125 as_caller "$CF" --list -- true 2>err
	like "a command" "$(cat err)" 'leave the command out'
}
it what_cannot_be_joined_is_125

at_a_terminal_it_has_one_of_its_own() {
	local become=
	[ "$PASS" = root ] || become=$BECOME_USER
	run_as one
	cat >terminal.exp <<-END
	set timeout 20
	set env(HOME) "$T/home"
	set env(TERM) dumb
	set env(PS1) "outer> "
	proc want {text} {
		expect {
			-re \$text { return }
			timeout { puts "\nno '\$text' came"; exit 1 }
			eof { puts "\nended before '\$text' came"; exit 1 }
		}
	}
	set stty_init "rows 33 columns 77"
	spawn $become bash --norc --noprofile
	want "outer> "
	send "$CF --join one -- env PS1='inner> ' bash --norc --noprofile; echo status=\\\$?\r"
	want "inner> "
	send "stty size\r"
	want "33 77"
	want "inner> "
	send "tty; echo here\r"
	want "/dev/pts/.*here"
	send "echo st''art; cat\r"
	want "start"
	send "typed\r"
	want "typed.*typed"
	send "\003"
	want "inner> "
	send "sh -c 'echo ag\"\"ain; exec sleep 90'\r"
	want "again"
	send "\032"
	want "Stopped"
	send "kill %1; wait; echo ov''er\r"
	want "over"
	send "stty rows 20; stty size </dev/tty\r"
	want "20 77"
	send "exit 7\r"
	want "status=7"
	want "outer> "
	send "stty -a | grep -c -- -icanon\r"
	want "\n0"
	send "exit\r"
	expect eof
	END
	timeout -k 5 60 expect -f terminal.exp 7>&- || failed "at the terminal: see above"
	end_run
}
it at_a_terminal_it_has_one_of_its_own

nothing_of_it_can_be_reached_from_inside() {
	run_as one
	same list "$(join_cf one -- "$CF" --list --list-format json)" "[]"
	same sockets "$(join_cf one -- grep -c childflow /proc/net/unix || :)" 0
	status 125 join_cf one -- "$CF" --join one -- true 2>err
	like join "$(cat err)" 'you have no such run'
	end_run
}
it nothing_of_it_can_be_reached_from_inside

speak() { as_caller timeout 20 python3 "$T/joiner.py" one "$@" 7>&-; }

somebody_else_is_not_heard() {
	only_for root
	run_as one
	BECOME=${BECOME_USER:-}
	[ "$ROOTLESS" = 0:0 ] || cannot "there is one user only"
	# shellcheck disable=SC2086
	same "another user" "$($BECOME timeout 20 python3 "$T/joiner.py" one stranger 0)" closed
	# shellcheck disable=SC2086
	status 125 $BECOME "$CF" --join one -- true 2>err
	same "another's list" "$($BECOME "$CF" --list --list-format json)" "[]"
	end_run
}
it somebody_else_is_not_heard

the_same_user_in_a_user_namespace_is_not_heard() {
	run_as one
	same "in none" "$(speak list)" "info 0"
	same "in one" "$(as_caller unshare -Ur timeout 20 python3 "$T/joiner.py" one stranger \
	    "$(as_caller id -u)")" closed
	end_run
}
it the_same_user_in_a_user_namespace_is_not_heard

what_makes_no_sense_is_refused_and_hurts_nobody() {
	local what
	run_as one
	for what in garbage short long magic type answer twice; do
		same "$what" "$(speak "$what")" closed
	done
	for what in few unsealed pipe words nothing tail; do
		same "$what" "$(speak "$what")" "refused 125"
	done
	like many "$(speak many)" "^(refused 125|closed)$"
	like terminal "$(speak terminal)" "^refused 125$"
	same signal "$(speak signal)" "info 0"
	same true "$(speak true)" "ended 0"
	until_true 10 the_list_says '.[].joined | length' 0
	same after "$(join_cf one -- echo well)" well
	end_run
}
it what_makes_no_sense_is_refused_and_hurts_nobody

who_is_silent_keeps_nobody_out() {
	run_as one
	rm -f still
	mkfifo still
	speak silent <still >held 7>&- &
	exec 6>still
	until_true 20 grep -q held held
	same joined "$(join_cf one -- echo well)" well
	exec 6>&-
	wait $!
	end_run
}
it who_is_silent_keeps_nobody_out

many_can_join_at_a_time() {
	local i pids=()
	run_as one
	for i in {1..20}; do
		join_cf one -- sh -c "echo $i; exit $i" >"said.$i" 7>&- &
		pids+=($!)
	done
	for i in {1..20}; do
		status "$i" wait "${pids[i - 1]}"
		same "$i" "$(cat "said.$i")" "$i"
	done
	end_run
}
it many_can_join_at_a_time

done_testing
