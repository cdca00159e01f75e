#!/bin/bash
# monitor.sh - the table of flows on a terminal: of a recorded log, of one that grows, of a pipe.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

DOCTOR=/srv/cf/bin/cf-doctor
table() { timeout 60 "$NET_DIR/screen.py" "$@"; }

event() {
	local kind=$1 ms=$2
	printf '{"event":"%s","schema_version":1,"ts_ms":%d,"protocol":"tcp"%s}\n' "$kind" "$ms" "$3"
}

# shellcheck disable=SC2016	# what looks like a command is text
a_log() {
	event connect_attempt 1000 ',"flow":1,"remote_addr":"203.0.113.10:80","names":["www.test"],"pid":77,"comm":"curl"'
	event connect_result 1010 ',"flow":1,"status":"ok"'
	event flow_update 2010 ',"flow":1,"bytes_up":100,"bytes_down":5000000'
	event connect_attempt 2500 ',"flow":2,"remote_addr":"203.0.113.20:25","pid":78,"comm":"mail"'
	event connect_result 2600 ',"flow":2,"status":"error","error":"Connection refused"'
	event policy_violation 2700 ',"remote":"192.0.2.9:443\u001b[2J","reason":"blocked by `--offline`"'
	event policy_violation 2800 ',"remote":"192.0.2.9:443\u001b[2J","reason":"blocked by `--offline`"'
}

a_recorded_log_is_shown() {
	only_cf
	a_log >log
	table -k q -- "$DOCTOR" monitor log >screen
	like totals "$(head -n 1 screen)" '^log: 1 open, 2 denied, 100 up, 5.0M down, 0 queries$'
	like open "$(cat screen)" 'open +tcp +203.0.113.10:80 +www.test +curl\[77\] +100 +5.0M +100 +5.0M +0.0s'
	like failed "$(cat screen)" 'failed +tcp +203.0.113.20:25 +- +mail\[78\] .* Connection refused'
	like denied "$(cat screen)" 'DENIED +tcp +192.0.2.9:443\?\[2J .* 2x blocked by `--offline`'
	like keys "$(cat screen)" 'q quit  s sorted by time'
}
it a_recorded_log_is_shown

keys_sort_and_choose() {
	only_cf
	a_log >log
	table -k s -k q -- "$DOCTOR" monitor log >screen
	like order "$(cat screen)" 'sorted by rate'
	like first "$(sed -n 3p screen)" '^open '
	table -k '/mail' -k '\r' -k q -- "$DOCTOR" monitor log >screen
	like chosen "$(sed -n 3p screen)" '^failed '
	same rows "$(grep -cE '^(open|failed|DENIED) ' screen)" 1
}
it keys_sort_and_choose

a_log_that_grows_is_followed() {
	only_cf
	a_log >log
	event flow_end 3000 ',"flow":1,"bytes_up":200,"bytes_down":6000000,"close_reason":"eof"' >./more
	table -k '!cat more >>log' -k q -- "$DOCTOR" monitor log >screen
	like ended "$(cat screen)" 'ended +tcp +203.0.113.10:80 .* 200 +6.0M +0.0s eof'
}
it a_log_that_grows_is_followed

a_pipe_ends_with_its_writers() {
	only_cf
	a_log >log
	table -- sh -c "cat log | $DOCTOR monitor --leave" >screen
	table -k q -- sh -c "cat log | $DOCTOR monitor -" >screen
	like totals "$(head -n 1 screen)" '^this run: 1 open.*, ended$'
}
it a_pipe_ends_with_its_writers

what_cannot_be_shown_is_said() {
	only_cf
	status 1 "$DOCTOR" monitor nowhere.jsonl 2>err </dev/null
	a_log >log
	status 1 setsid "$DOCTOR" monitor log 2>err </dev/null
	like terminal "$(cat err)" 'there is no terminal to show the table on'
	status 1 table -- env TERM=no-such-terminal "$DOCTOR" monitor log
	status 2 "$DOCTOR" monitor a b 2>err
	like two "$(cat err)" 'more than one log'
}
it what_cannot_be_shown_is_said

# The table is on this terminal, and the command's output is not.
a_run_is_watched_while_it_goes_on() {
	only_cf
	local root=
	[ "$PASS" = user ] || root=--run-as-root
	cat >command <<-X
		curl -s -o /dev/null -w '%{http_code}\n' http://203.0.113.10/hello
		curl -s http://203.0.113.20:81/
		until [ -e go ]; do sleep 0.05; done
	X
	as_caller timeout 60 "$NET_DIR/screen.py" -k '!touch go' -- sh -c \
	    "exec $CF $root --monitor - --deny 203.0.113.20 -- sh command </dev/null >out 2>err" >screen
	like totals "$(head -n 1 screen)" '^this run: 0 open, 1 denied, '
	like row "$(cat screen)" 'ended +tcp +203.0.113.10:80 .*curl\[[0-9]+\]'
	like denied "$(cat screen)" 'DENIED +tcp +203.0.113.20:81 .*curl\[[0-9]+\].*--deny 203.0.113.20'
	like code "$(cat out)" 200
}
it a_run_is_watched_while_it_goes_on

who_closes_the_table_does_not_end_the_run() {
	only_cf
	local root=
	[ "$PASS" = user ] || root=--run-as-root
	echo 'until [ -e go ]; do sleep 0.05; done; curl -s http://203.0.113.10/hello' >command
	as_caller timeout 60 "$NET_DIR/screen.py" -k q -k '!touch go' -- sh -c \
	    "exec $CF $root --monitor - -- sh command </dev/null >out 2>err"
	like out "$(cat out)" hello
	same err "$(cat err)" ''
}
it who_closes_the_table_does_not_end_the_run

a_terminal_that_the_command_uses_is_refused() {
	only_cf
	status 125 cf --monitor /dev/null -- true 2>err
	like none "$(cat err)" '/dev/null is no terminal'
	status 125 cf --monitor /nowhere -- true 2>err
	like nowhere "$(cat err)" 'cannot use the terminal --monitor /nowhere'
	as_caller timeout 60 "$NET_DIR/screen.py" -- sh -c "$CF --monitor - -- true; echo \$? >status" || :
	same status "$(cat status)" 125
}
it a_terminal_that_the_command_uses_is_refused

done_testing
