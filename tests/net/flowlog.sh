#!/bin/bash
# flowlog.sh - the flow log: what is in it, in which order, whose it is, and that its lines are whole.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
[ -z "$WITH" ] || { skip all "says nothing about $WITH"; done_testing; }

PYTHON=/usr/bin/python3		# Debian's, which has jsonschema
SCHEMA=$SOURCE/shared/flowlog.schema.json
LOG=$T/home/flow.jsonl

whole() { $PYTHON "$T/flowlog.py" lines "$1"; }
field() {	# EVENT FIELD: of each such line
	jq -r --arg e "$1" --arg f "$2" 'select(.event == $e) | .[$f] | tostring' "$LOG"
}

a_fetch_by_name_is_told_in_order() {
	cf --flow-log "$LOG" -- curl -4sS http://www.example.test/hello
	same events "$(jq -r .event "$LOG" | tr '\n' ' ')" \
	    "dns_query dns_answer connect_attempt connect_result flow_end "
	same answer "$(field dns_answer answer_ips) $(field dns_answer rcode)" '["203.0.113.10"] NOERROR'
	same target "$(field flow_end remote_addr)" 203.0.113.10:80
	same names "$(field flow_end names)" '["www.example.test"]'
	same flow "$(field connect_attempt flow) $(field connect_result flow)" \
	    "$(field flow_end flow) $(field flow_end flow)"
	same comm "$(field flow_end comm) $(field flow_end exe)" "curl $(readlink -f "$(command -v curl)")"
	grep -q '"event":"connect_attempt"' "$LOG"
	grep -q '"schema_version":1' "$LOG"
}
it a_fetch_by_name_is_told_in_order

# ---- each event, each field ----

server_addresses() {	# who came, as the server saw it
	sv timeout 20 tshark -l -i veth1 -f 'tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn' -T fields \
	    -e ip.src -e tcp.srcport >>"$T/seen" 2>"$T/tshark.out" &
	TSHARK=$!
	until_true 15 grep -q Capturing "$T/tshark.out"
	# It says so a moment before it is so.
	until_true 10 eval '(: <"/dev/tcp/203.0.113.10/80"); [ -s "$T/seen" ]'
	: >"$T/seen"
}

all_seen() { [ "$(sed 's/\t/:/' "$T/seen" | sort -u | comm -13 - "$1" | wc -l)" = 0 ]; }

the_host_side_is_what_the_server_saw() {
	server_addresses
	# shellcheck disable=SC2016
	cf --flow-log "$LOG" -- bash -c 'for i in {1..20}; do curl -4sS http://203.0.113.10/hello; done'
	field flow_end host_addr | sort -u >told
	same count "$(wc -l <told)" 20
	until_true 10 all_seen told || failed "not all were seen"
	kill "$TSHARK"
}
it the_host_side_is_what_the_server_saw

every_event_is_as_the_schema_says() {
	printf 'second.example.test\n' >deny
	# shellcheck disable=SC2016
	cf --flow-log "$LOG" --deny '*:81' --deny-file deny -- bash -c '
		curl -sS http://www.example.test/hello http://[2001:db8::10]/hello
		curl -sS http://203.0.113.10:9/ http://203.0.113.77/ http://203.0.113.10:81/
		curl -sS http://second.example.test/ http://no.such.name.test/
		ping -c 1 203.0.113.10; ping -6 -c 1 2001:db8::10
		echo hello | nc -u -w 1 203.0.113.10 7
		dig +tcp big.example.test TXT @203.0.113.53
		' >out 2>&1 || :
	same events "$($PYTHON "$T/flowlog.py" schema "$SCHEMA" "$LOG")" \
	    "connect_attempt connect_result dns_answer dns_query flow_end policy_violation"
	same protocols "$(field flow_end protocol | sort -u | tr '\n' ' ')" "icmpv4 icmpv6 tcp udp "
	like errors "$(field connect_result error)" "Connection refused"
	same "what was denied" "$(jq -r 'select(.event == "policy_violation") |
	    "\(.protocol) \(.remote) \(.reason_code) \(.rule_file) \(.rule_line)"' "$LOG" | sort -u)" \
"dns second.example.test deny_rule deny 1
tcp 203.0.113.10:81 deny_rule null null"
	same "answer to the name that is not" "$(jq -r 'select(.event == "dns_answer" and
	    .qname == "no.such.name.test") | .rcode' "$LOG" | sort -u)" NXDOMAIN
	same "udp bytes" "$(jq -r 'select(.event == "flow_end" and .protocol == "udp") |
	    "\(.bytes_up) \(.bytes_down) \(.packets_up) \(.packets_down)"' "$LOG")" "6 6 1 1"
	like rule "$(field connect_attempt rule)" "allowed by"
}
it every_event_is_as_the_schema_says

totals_are_those_of_the_payload() {
	head -c 300000 /dev/zero >"$T/www/files/zero"
	cf --flow-log "$LOG" -- curl -sS -H 'Connection: close' -o got http://203.0.113.10/files/zero
	local down
	down=$(field flow_end bytes_down)
	[ "$down" -gt 300000 ] && [ "$down" -lt 301000 ]
	same "close reason" "$(field flow_end close_reason)" eof
}
it totals_are_those_of_the_payload

# ---- failures of the run ----

failure() { jq -r 'select(.event == "runtime_failure") | "\(.phase) \(.reason_code)"' "$LOG"; }

a_run_that_fails_says_why() {
	status 125 cf --flow-log "$LOG" --proxy-insecure -- true
	same validate "$(failure)" "cli_validate unknown_runtime_failure"
	status 125 cf --flow-log "$LOG" --hosts-file /no/such/file -- true
	same preflight "$(failure)" "preflight unknown_runtime_failure"
	status 127 cf --flow-log "$LOG" -- /no/such/command
	same command "$(failure)" "child_bootstrap command_not_executed"
	$PYTHON "$T/flowlog.py" schema "$SCHEMA" "$LOG" >out
}
it a_run_that_fails_says_why

# ---- where it goes ----

it_is_truncated_at_the_start() {
	echo 'what was there' >"$LOG"
	as_caller true
	[ "$PASS" = root ] || chmod 666 "$LOG"
	cf --flow-log "$LOG" -- true
	same log "$(cat "$LOG")" ""
}
it it_is_truncated_at_the_start

descriptors_are_appended_to() {
	echo first >out
	cf --flow-log fd:3 -- curl -4sS -o got http://203.0.113.10/hello 3>>out
	same first "$(head -n 1 out)" first
	sed -i 1d out
	same fd "$(whole out)" "connect_attempt connect_result flow_end"
	cf --flow-log /dev/fd/3 -- curl -4sS -o got http://203.0.113.10/hello 3>out
	same dev "$(whole out)" "connect_attempt connect_result flow_end"
	cf --flow-log - -- curl -4sS -o got http://203.0.113.10/hello >out
	same stdout "$(whole out)" "connect_attempt connect_result flow_end"
	cf --flow-log - -- curl -4sS -o got http://203.0.113.10/hello | cat >out
	same pipe "$(whole out)" "connect_attempt connect_result flow_end"
	status 125 cf --flow-log fd:77 -- true
	status 125 cf --flow-log fd:x -- true
	status 125 cf --flow-log /no/such/directory/log -- true
}
it descriptors_are_appended_to

a_command_has_no_descriptor_of_it() {
	# shellcheck disable=SC2016
	cf --flow-log fd:5 -- bash -c 'for f in /proc/self/fd/*; do readlink "$f"; done' 5>log5 >out
	unlike descriptors "$(cat out)" log5
}
it a_command_has_no_descriptor_of_it

the_tree_cannot_change_it() {
	# shellcheck disable=SC2016
	cf --flow-log "$LOG" -- bash -c 'curl -sS -o got http://203.0.113.10/hello
		! echo x 2>/dev/null >>"$1" && ! rm "$1" && ! mv "$1" elsewhere && ! truncate -s 0 "$1"
		' bash "$LOG" 2>out
	same events "$(whole "$LOG")" "connect_attempt connect_result flow_end"
	echo "still ours" >>"$LOG"
}
it the_tree_cannot_change_it

# ---- lines are whole ----

many_connections() {	# in the background; STARTED
	# shellcheck disable=SC2016
	as_caller "${CF_WORDS[@]}" --flow-log "$LOG" -- bash -c '
		echo started >started
		while :; do curl -sS -o got http://www.example.test/hello; done' >out 2>err &
	RUN=$!
	until_true 20 test -s started
	until_true 20 eval '[ "$(grep -c flow_end "$LOG")" -ge 20 ]'
}
lines_are_whole_when_one_is_killed() {	# NAME
	local victim
	cf_words
	many_connections
	victim=$(pids "$1" | head -n 1)
	kill -9 "$victim"
	wait "$RUN" || :
	until_true 10 no_helper
	like events "$(whole "$LOG")" flow_end
}
for victim in cf-netstack cf-dns cf-proxy cf-spawn; do
	it lines_are_whole_when_one_is_killed "$victim"
done

a_killed_helper_is_a_failure_of_the_run() {
	cf_words
	many_connections
	kill -9 "$(pids cf-dns | head -n 1)"
	status 125 wait "$RUN"
	same failure "$(failure)" "run helper_failed"
}
it a_killed_helper_is_a_failure_of_the_run

# ---- whose it is ----

whose_server() {	# takes connections on ports 10000 to 10049, and lets them go
	serve $PYTHON -c '
import selectors, socket
s = selectors.DefaultSelector()
for port in range(10000, 10050):
    l = socket.create_server(("203.0.113.10", port), backlog=128)
    s.register(l, selectors.EVENT_READ)
while True:
    for key, _ in s.select():
        key.fileobj.accept()[0].close()
'
	until_true 10 listening 203.0.113.10 10049
}

whose_workers() {
	cat <<-'END' >bash.sh
	# 20 connections of a shell, with children in between; then another program in its place
	echo "$1 $$" >>truth
	for i in {1..19}; do exec 3<>/dev/tcp/203.0.113.10/$1; exec 3>&-; [ $((i % 5)) != 0 ] || /bin/true; done
	exec 3<>/dev/tcp/203.0.113.10/$1; exec /bin/true
	END
	cat <<-'END' >curl.sh
	echo "$1 $$" >>truth
	exec curl -s "http://203.0.113.10:$1/[1-20]"
	END
	cat <<-'END' >fork.py
	import os, socket, sys
	port = int(sys.argv[1])
	with open("truth", "a") as f: f.write("%d %d\n" % (port, os.getpid()))
	for i in range(20):
	    s = socket.socket()
	    s.set_inheritable(True)
	    s.setblocking(False)
	    s.connect_ex(("203.0.113.10", port))
	    if os.fork() == 0:		# it has the socket too, and is another program at once
	        os.execv("/bin/true", ["true"])
	    s.setblocking(True)
	    try: s.recv(1)
	    except OSError: pass
	    s.close()
	    os.wait()
	END
}

each_connection_is_of_the_process_that_made_it() {	# TCP-PATH
	whose_workers
	# shellcheck disable=SC2016
	cf --tcp-path "$1" --flow-log "$LOG" -- bash -c '
		for port in {10000..10049}; do
			case $((port % 3)) in
			0) bash bash.sh $port & ;;
			1) bash curl.sh $port & ;;
			2) /usr/bin/python3 fork.py $port & ;;
			esac
			[ $((port % 10)) != 9 ] || wait
		done; wait' >out 2>&1 || :
	same connections "$(field connect_attempt flow | wc -l)" 1000
	same whose "$(jq -r 'select(.event == "connect_attempt") | "\(.remote_port) \(.pid)"' "$LOG" |
	    sort | uniq -c | awk '{ print $2, $3, $1 }')" "$(sort truth | sed 's/$/ 20/')"
	same comms "$(field connect_attempt comm | sort -u | tr '\n' ' ')" "bash curl python3 "
}
whose_server
it each_connection_is_of_the_process_that_made_it kernel
it each_connection_is_of_the_process_that_made_it tun

parents_are_told() {
	# shellcheck disable=SC2016
	cf --flow-log "$LOG" -- bash -c 'echo $$ >one; bash -c "echo \$\$ >two; curl -4s -o got \
	    http://203.0.113.10/hello; exec 3<>/dev/udp/203.0.113.10/7; echo x >&3; \
	    read -r -N 1 -u 3; :"; :'
	same tcp "$(jq -c 'select(.event == "flow_end" and .protocol == "tcp") | .ppids' "$LOG")" \
	    "[$(cat two),$(cat one)]"
	same udp "$(jq -c 'select(.event == "flow_end" and .protocol == "udp") | [.pid, .ppids, .comm]' \
	    "$LOG")" "[$(cat two),[$(cat one)],\"bash\"]"
}
it parents_are_told

# ---- for who watches ----

v_says_one_line_an_event() {
	# shellcheck disable=SC2016
	cf -v --deny '*:81' -- bash -c 'for i in 1 2 3 4; do curl -4sS -o got http://www.example.test/hello; done
		curl -sS http://203.0.113.10:81/ http://203.0.113.10:9/; :' 2>err
	like dns "$(cat err)" '\[childflow] ..:..:.. DNS  ALLOWED  www.example.test A -> 203.0.113.10'
	like tcp "$(cat err)" \
	    '] ..:..:.. TCP  ALLOWED  203.0.113.10:80 \(www.example.test\) curl\[[0-9]+\]'
	like again "$(cat err)" 'curl\[[0-9]+\] \[seen 4x\]'
	like denied "$(cat err)" 'TCP  BLOCKED  203.0.113.10:81'
	like refused "$(cat err)" 'TCP  FAILED   203.0.113.10:9 .*: Connection refused'
	unlike colours "$(cat err)" $'\033'
}
it v_says_one_line_an_event

colours_are_for_terminals() {
	local run=(env TERM=xterm "$CF")
	[ "$PASS" = user ] || run+=(--run-as-root)
	as_caller script -qec "${run[*]} -v -- curl -4sS http://203.0.113.10/hello" /dev/null >out
	like colours "$(cat out)" $'\033\\[32mALLOWED'
	as_caller script -qec "env NO_COLOR=1 ${run[*]} -v -- curl -4sS http://203.0.113.10/hello" \
	    /dev/null >out
	unlike "no colours" "$(cat out)" $'\033\\['
}
it colours_are_for_terminals
done_testing
