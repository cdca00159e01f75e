#!/bin/bash
# capture.sh - cf-capture on its own, against namespaces that others made.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
. "$NET_DIR/pcapng.bash"
in_world "$@"

CAPTURE=/srv/cf/bin/cf-capture

# in_own_netns COMMAND: as the caller, in a user and network namespace of its own with lo up.
in_own_netns() {
	as_caller unshare -rn sh -c "ip link set lo up; $1"
}

a_namespace_named_by_a_process_until_its_last_one_ends() {
	in_own_netns 'echo $$ >pid.new; mv pid.new pid; until [ -e go ]; do sleep 0.05; done
	    ping -c 5 -i 0.02 127.0.0.1 >/dev/null' &
	until_true 10 test -s pid
	as_caller "$CAPTURE" --netns "$(cat pid)" -i lo -v -w run.pcapng icmp 2>err &
	local capture=$!
	until_true 10 grep -q capturing err
	touch go
	wait $capture
	same packets "$(packets run.pcapng)" 10
	no_remarks run.pcapng
	like about "$(capinfos run.pcapng)" 'Filter string = icmp'
	like about "$(capinfos run.pcapng)" 'Capture application: cf-capture'
}
it a_namespace_named_by_a_process_until_its_last_one_ends

# tcpdump gives root away, which takes the right to: so this is for root's pass.
byte_for_byte_what_tcpdump_sees() {
	only_for root
	in_own_netns 'echo $$ >pid.new; mv pid.new pid; until [ -e go ]; do sleep 0.05; done
	    ping -c 20 -i 0.02 -s 700 127.0.0.1 >/dev/null; ping -c 5 -i 0.02 ::1 >/dev/null
	    until [ -e seen ]; do sleep 0.05; done' &
	until_true 10 test -s pid
	local pid capture dump
	pid=$(cat pid)
	"$CAPTURE" --netns "$pid" -i lo -v -c 50 -w run.pcapng 2>err &
	capture=$!
	nsenter -t "$pid" -n tcpdump -Z root -U -n -i lo -w dump.pcap 2>dump.err &
	dump=$!
	until_true 10 grep -q capturing err
	until_true 10 grep -q listening dump.err
	touch go
	wait $capture
	until_true 10 sh -c '[ "$(tshark -r dump.pcap 2>/dev/null | wc -l)" -ge 50 ]'
	kill $dump
	touch seen
	wait $dump
	tshark -r dump.pcap -c 50 -x 2>/dev/null >theirs
	tshark -r run.pcapng -x 2>/dev/null >ours
	cmp ours theirs
	same times "$(tshark -r run.pcapng -T fields -e frame.time_epoch 2>/dev/null | cut -c 1-17)" \
	    "$(tshark -r dump.pcap -c 50 -T fields -e frame.time_epoch 2>/dev/null | cut -c 1-17)"
}
it byte_for_byte_what_tcpdump_sees

it_stops_by_count_time_and_size() {
	in_own_netns 'echo $$ >pid.new; mv pid.new pid; exec ping -i 0.02 127.0.0.1 >/dev/null' &
	until_true 10 test -s pid
	local pid
	pid=$(cat pid)
	as_caller "$CAPTURE" --netns "$pid" -c 7 -w count.pcapng
	same count "$(packets count.pcapng)" 7
	as_caller "$CAPTURE" --netns "$pid" --duration 1s -w time.pcapng
	as_caller "$CAPTURE" --netns "$pid" --size 1KB -w size.pcapng
	same size "$(packets size.pcapng)" 11
	as_caller "$CAPTURE" --netns "$pid" -s 40 -c 4 -w - | tshark -r - -T fields -e frame.cap_len \
	    2>/dev/null >lens
	same lens "$(tr '\n' ' ' <lens)" '40 40 40 40 '
	like list "$(as_caller "$CAPTURE" --netns "$pid" -D)" 'lo \[up\] \[loopback\]'
	kill "$pid"
}
it it_stops_by_count_time_and_size

counts_are_said_on_request() {
	in_own_netns 'echo $$ >pid.new; mv pid.new pid; exec ping -i 0.02 127.0.0.1 >/dev/null' &
	until_true 10 test -s pid
	as_caller "$CAPTURE" --netns "$(cat pid)" -w run.pcapng 2>err &
	local capture=$!
	until_true 10 sh -c 'test "$(stat -c %s run.pcapng)" -gt 1000'
	as_caller sh -c "kill -USR1 $(pgrep -P $capture . | head -n 1)" || kill -USR1 $capture
	until_true 10 grep -q 'packets, .* bytes; the kernel dropped' err
	kill "$(cat pid)"
	wait $capture
}
it counts_are_said_on_request

files_are_written_in_turns() {
	in_own_netns 'echo $$ >pid.new; mv pid.new pid; exec ping -i 0.01 -s 1000 127.0.0.1 >/dev/null' &
	until_true 10 test -s pid
	as_caller "$CAPTURE" --netns "$(cat pid)" -c 60 --rotate 8KiB --keep 3 -w run.pcapng
	kill "$(cat pid)"
	local n
	for n in 0 1 2; do
		no_remarks run.$n.pcapng
		[ "$(stat -c %s run.$n.pcapng)" -lt 12000 ]
	done
	same mode "$(stat -c %a run.0.pcapng)" 600
}
it files_are_written_in_turns

killed_it_leaves_whole_blocks() {
	in_own_netns 'echo $$ >pid.new; mv pid.new pid; exec ping -i 0.01 -s 1000 127.0.0.1 >/dev/null' &
	until_true 10 test -s pid
	as_caller "$CAPTURE" --netns "$(cat pid)" -w run.pcapng &
	local capture=$!
	until_true 10 sh -c 'test "$(stat -c %s run.pcapng)" -gt 20000'
	pkill -KILL -x cf-capture
	wait $capture || true
	kill "$(cat pid)"
	no_remarks run.pcapng
}
it killed_it_leaves_whole_blocks

what_is_not_there_is_said() {
	status 1 as_caller "$CAPTURE" --netns no-such -w x 2>err
	like name "$(cat err)" 'cannot find the network namespace no-such: /run/netns/no-such: No such file'
	status 1 as_caller "$CAPTURE" --netns 999999999 -w x 2>err
	status 1 as_caller "$CAPTURE" --netns /etc/passwd -w x 2>err
	like file "$(cat err)" 'is no network namespace'
	status 1 in_own_netns "exec $CAPTURE --netns \$\$ -i nope -w x" 2>err
	like interface "$(cat err)" 'cannot capture on nope: '
	status 1 in_own_netns "exec $CAPTURE --netns \$\$ -i lo -w x port nonsense" 2>err
	like filter "$(cat err)" 'cannot use the filter "port nonsense": '
	if [ "$PASS" = user ]; then
		status 1 as_caller "$CAPTURE" --netns 1 -w x 2>err
		like rights "$(cat err)" 'network namespace 1'
	fi
}
it what_is_not_there_is_said

done_testing
