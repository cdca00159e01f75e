#!/bin/bash
# flowevents.sh - every event that there is, made by real runs: each line is as the schema says, and
# schema and page know each field.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
[ -z "$WITH" ] || { skip all "says nothing about $WITH"; done_testing; }

PYTHON=/usr/bin/python3		# Debian's, which has jsonschema
SCHEMA=$SOURCE/shared/flowlog.schema.json
LOG=$T/home/flow.jsonl
ALL=$T/all.jsonl
: >"$ALL"
microsocks -i 127.0.0.1 -p 1080 >>"$T/servers.log" 2>&1 </dev/null &
must until_true 15 eval '(: <"/dev/tcp/127.0.0.1/1080")'

# logged OPTION ... -- COMMAND: a run whose log is as it should be; what it ends with does not matter.
logged() {
	rm -f "$LOG"
	cf --flow-log "$LOG" "$@" >out 2>err || :
	$PYTHON "$T/flowlog.py" schema "$SCHEMA" "$LOG" >events
	cat "$LOG" >>"$ALL"
}
of() { jq -c --arg e "$1" "select(.event == \$e) | $2" "$LOG"; }

a_quota_is_told() {
	logged --quota '203.0.113.10:80=1conn,50B/down' -- \
	    curl -sS http://203.0.113.10/hello http://203.0.113.10:80/hello -H 'Connection: close'
	same used "$(of quota '[.target, .limit, .max, .flows]' | sort)" \
'["203.0.113.10:80","1conn",1,1]
["203.0.113.10:80","50B/down",50,1]'
	same ended "$(of flow_end '[.close_reason, .bytes_down]')" '["quota_bytes",50]'
	same refused "$(of policy_violation '[.reason_code, .quota, .used, .action]' | sort -u)" \
	    '["quota_bytes","50B/down",50,"deny"]'
}
it a_quota_is_told

what_passes_all_the_same_is_told() {
	logged --permissive --deny '*:80' --deny-domain example.test -- curl -4sS http://www.example.test/hello
	same page "$(cat out)" hello
	same all "$(of policy_violation '[.action, .permissive]' | sort -u)" '["permit",true]'
	same protocols "$(of policy_violation .protocol | sort -u | tr '\n' ' ')" '"dns" "tcp" '
}
it what_passes_all_the_same_is_told

open_flows_are_told_of() {
	# shellcheck disable=SC2016
	logged --flow-updates 1 -- bash -c 'exec 3<>/dev/tcp/203.0.113.10/7; echo hello >&3; read -r x <&3
		until grep -q flow_update "$1"; do read -rt 0.1 <> <(:) || :; done' . "$LOG"
	same bytes "$(of flow_update '[.bytes_up, .bytes_down]' | head -n 1)" '[6,6]'
}
it open_flows_are_told_of

new_rules_end_a_flow() {
	: >denied
	# shellcheck disable=SC2016
	logged --status-fd 7 --deny-file denied -- bash -c 'exec 3<>/dev/tcp/203.0.113.10/7
		echo hello >&3; read -r x <&3; echo >opened; read -r -t 20 x <&3' 7>status &
	until_true 10 test -e opened
	echo 203.0.113.10:7 >denied
	kill -HUP "$(pids cf-spawn | head -n 1)"		# the other is the watcher
	wait $!
	same reason "$(of flow_end '[.close_reason, .bytes_up]')" '["policy_reload",6]'
}
it new_rules_end_a_flow

a_first_flight_is_told() {
	logged --allow www.example.test:80 -- curl -4sS -H 'Host: other.test' http://www.example.test/hello
	same reason "$(of flow_end .close_reason)" '"first_flight_mismatch"'
	same code "$(of policy_violation .reason_code | sort -u)" '"first_flight_mismatch"'
}
it a_first_flight_is_told

an_upstream_proxy_is_told() {
	logged -p socks5://127.0.0.1:1080 -- curl -4sS http://example.test/hello
	same page "$(cat out)" hello
	same by "$(of connect_attempt '[.via_proxy, .upstream]')" '[true,"socks5://127.0.0.1:1080"]'
	same names "$(of flow_end .names)" '["example.test"]'
	logged -p socks5://127.0.0.1:1080 --no-proxy 203.0.113.0/24 -- curl -4sS http://203.0.113.10/hello
	same direct "$(of connect_attempt '[.via_proxy, .upstream]')" '[false,null]'
}
it an_upstream_proxy_is_told

a_limit_is_told() {
	ulimit -Sn 500
	ulimit -Hn 500
	logged --tcp-path tun -- $PYTHON -c '
import socket
for i in range(450):
    s = socket.socket(); s.settimeout(10)
    globals()["s%d" % i] = s
    try: s.connect(("203.0.113.10", 7))
    except OSError: pass'
	same limit "$(of limit_reached '.times >= 1' | sort -u)" true
}
it a_limit_is_told

a_failure_is_told() {
	logged --no-such-option -- true
	same validate "$(of runtime_failure .phase)" '"cli_validate"'
	logged --dns nonsense -- true
	same value "$(of runtime_failure .phase)" '"cli_validate"'
}
it a_failure_is_told

the_page_has_every_event_and_field() {
	local f lost=
	cf --flow-log "$LOG" -- curl -4sS http://www.example.test/hello >out
	cat "$LOG" >>"$ALL"
	for f in $($PYTHON "$T/flowlog.py" fields "$SCHEMA"); do
		grep -qw "$f" "$SOURCE/man/cf-flowlog.5" || lost+=" $f"
	done
	same "not in the page" "$lost" ""
	same "events that no run made" "$(jq -r .event "$ALL" | sort -u |
	    comm -13 - <($PYTHON "$T/flowlog.py" events "$SCHEMA"))" ""
}
it the_page_has_every_event_and_field
done_testing
