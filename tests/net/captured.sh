#!/bin/bash
# captured.sh - runs with --capture: what is in the file, and what becomes of it.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
. "$NET_DIR/pcapng.bash"
in_world "$@"

head -c 3000000 /dev/urandom >"$T/www/big"
head -c 30000000 /dev/zero >"$T/www/bigger"

all_packets_of_the_tree_and_no_others() {
	cf -c run.pcapng -- curl -sS http://example.test/hello >out
	same answer "$(cat out)" hello
	no_remarks run.pcapng
	"$NET_DIR/blocks.py" run.pcapng whole
	same mode "$(stat -c %a run.pcapng)" 600
	same asked "$(fields run.pcapng 'dns.flags.response == 0 && dns.qry.type == 1' dns.qry.name |
	    sort -u)" example.test
	same got "$(fields run.pcapng http.response http.response.code)" 200
	like in "$(fields run.pcapng 'tcp.flags == 2' frame.packet_flags_direction)" 0x00000002
	like about "$(capinfos run.pcapng)" 'Capture application: cf-capture'
}
it all_packets_of_the_tree_and_no_others

nothing_is_missing_of_much() {
	cf -c run.pcapng -- curl -sS http://203.0.113.10/big -o got
	cmp got "$T/www/big"
	no_remarks run.pcapng
	tshark -r run.pcapng -q -z follow,tcp,raw,0 2>/dev/null | grep -P '^\t' | tr -d '\t\n' |
	    xxd -r -p | tail -c 3000000 >followed
	cmp followed "$T/www/big"
	same lost "$(fields run.pcapng 'tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment' \
	    frame.number)" ''
}
it nothing_is_missing_of_much

filter_snaplen_and_segments() {
	cf -c run.pcapng --capture-filter 'tcp port 80' --snaplen 128 --capture-segment -- \
	    curl -sS http://example.test/big -o got
	no_remarks run.pcapng
	same others "$(packets run.pcapng '!tcp')" 0
	same longest "$(fields run.pcapng '' frame.cap_len | sort -n | tail -n 1)" 128
	[ "$(fields run.pcapng '' frame.len | sort -n | tail -n 1)" -le 1500 ]
	cf -c heads.pcapng --snaplen 128 -- curl -sS http://203.0.113.10/big -o got
	no_remarks heads.pcapng
	same longest "$(fields heads.pcapng '' frame.cap_len | sort -n | tail -n 1)" 128
	same payload "$(fields heads.pcapng 'tcp.srcport == 80 && !tcp.analysis.retransmission' tcp.len |
	    awk '{ n += $1 } END { print (n > 3000000 && n < 3001000) }')" 1
	cf -c all.pcapng --capture-segment -- curl -sS http://203.0.113.10/big -o got
	same sums "$(tshark -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -r all.pcapng \
	    -Y 'tcp.checksum.status == 0 || ip.checksum.status == 0' 2>/dev/null)" ''
	status 125 cf -c x --capture-filter 'port nonsense' -- true 2>err
	like message "$(cat err)" 'cannot use the filter "port nonsense": '
}
it filter_snaplen_and_segments

files_in_turns() {
	cf -c run.pcapng --capture-rotate 256KiB --capture-keep 3 -- curl -sS http://203.0.113.10/big -o got
	local n
	for n in 0 1 2; do
		no_remarks run.$n.pcapng
		[ "$(stat -c %s run.$n.pcapng)" -lt 400000 ]
	done
	[ ! -e run.pcapng ]
}
it files_in_turns

live_on_standard_output_and_a_named_pipe() {
	cf -c - -- sh -c 'ping -c 1 203.0.113.10 >/dev/null; echo said' 2>err |
	    tshark -r - -T fields -e icmp.type 2>/dev/null >types
	same types "$(grep . types | tr '\n' ' ')" '8 0 '
	like said "$(cat err)" 'standard output has the capture'
	like command "$(cat err)" 'said'
	as_caller mkfifo pipe
	tshark -r pipe -T fields -e icmp.type 2>/dev/null >types &
	local reader=$!
	cf -c pipe -- ping -c 1 203.0.113.10 >/dev/null
	wait $reader
	same types "$(grep . types | tr '\n' ' ')" '8 0 '
}
it live_on_standard_output_and_a_named_pipe

the_tree_cannot_write_to_its_record() {
	status 2 cf -c run.pcapng -- sh -c 'ping -c 1 203.0.113.10; echo x >run.pcapng' 2>err
	like refused "$(cat err)" 'Read-only file system'
	status 1 cf -c run.pcapng -- sh -c 'rm -f run.pcapng || exit 1' 2>err
	no_remarks run.pcapng
	cf -c run.pcapng -- sh -c 'ls -l /proc/self/fd' >fds
	unlike descriptors "$(cat fds)" pcapng
}
it the_tree_cannot_write_to_its_record

# Nobody reads the pipe until the command has ended.
a_slow_reader_loses_packets_only_where_that_was_asked_for() {
	as_caller mkfifo pipe
	exec 5<>pipe		# so that it can be opened
	cf --capture-overflow drop -c pipe -- \
	    sh -c 'curl -sS http://203.0.113.10/bigger -o got; touch ended' 2>err 5>&- &
	local run=$!
	until_true 20 test -e ended
	cat <pipe >run.pcapng 5>&- &
	local reader=$!
	exec 5>&-
	wait $run
	wait $reader
	cmp got "$T/www/bigger"
	like said "$(cat err)" '[0-9]+ packets are not in the capture'
	no_remarks run.pcapng
	local lost
	lost=$(sed -n 's/.*: \([0-9]*\) packets are not.*/\1/p' err)
	like counted "$(capinfos -M run.pcapng)" "Number of packets = "
	same counted "$("$NET_DIR/blocks.py" run.pcapng dropped)" "$lost"
}
it a_slow_reader_loses_packets_only_where_that_was_asked_for

# The reader has the file and nothing else.
tls_can_be_read() {	# WHAT COMMAND ...
	cf -c run.pcapng --capture-keys -- "$@" >out 2>err
	same answer "$(tail -n 1 out)" hello
	no_remarks run.pcapng
	"$NET_DIR/blocks.py" run.pcapng whole
	local stream
	same request "$(fields run.pcapng http.request http.request.uri)" /hello
	stream=$(fields run.pcapng http.request tcp.stream)
	like reply "$(tshark -r run.pcapng -q -z "follow,tls,ascii,$stream" 2>/dev/null)" '200 .*hello'
	same left "$(ls "$T/tmp")" ''
}
tls_of_curl() {	# PORT OPTION ...
	local port=$1
	shift
	tls_can_be_read curl -sS --http1.1 --cacert "$T/ca.pem" "$@" "https://example.test:$port/hello"
}
tls_of_python() {
	tls_can_be_read python3 -c "import ssl, urllib.request as u
c = ssl.create_default_context(cafile='$T/ca.pem')
print(u.urlopen('https://example.test:8443/hello', context=c).read().decode(), end='')"
}
(cd "$T/www" && serve openssl s_server -tls1_3 -accept 8443 -cert "$T/server.pem" -key "$T/server.key" \
    -WWW -quiet)
must until_true 10 listening 203.0.113.10 8443
it tls_of_curl 443 --tls-max 1.2
it tls_of_curl 8443 --tlsv1.3
it tls_of_python

# What a program writes there that are no secrets is not in the file.
only_secrets_go_into_the_file() {
	cf -c run.pcapng --capture-keys -- sh -c 'echo rubbish >$SSLKEYLOGFILE
	    echo "CLIENT_RANDOM 00 11" >$SSLKEYLOGFILE; yes | head -c 100000 >$SSLKEYLOGFILE'
	no_remarks run.pcapng
	same secrets "$("$NET_DIR/blocks.py" run.pcapng lines | grep -c ^secrets)" 0
}
it only_secrets_go_into_the_file

what_does_not_fit_is_said() {
	status 125 cf --snaplen 5 -- true 2>err
	like alone "$(cat err)" 'options about a capture need one: give -c FILE too'
	status 125 cf -c x --capture-keep 3 -- true 2>err
	like keep "$(cat err)" '--capture-keep needs --capture-rotate'
	status 125 cf -c - --capture-rotate 1m -- true 2>err
	like stdout "$(cat err)" 'standard output cannot be rotated'
	status 125 cf -c x --capture-overflow perhaps -- true 2>err
	like word "$(cat err)" 'write block or drop'
	status 125 cf -c /nowhere/x -- true 2>err
	like path "$(cat err)" 'cannot write --capture /nowhere/x: No such file'
}
it what_does_not_fit_is_said

done_testing
