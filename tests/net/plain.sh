#!/bin/bash
# plain.sh - on a TUN that was granted no offloads, each packet is one of the MTU, streams come whole,
# and not slowly.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

V4=203.0.113.10
V6=2001:db8::10
LENGTH=30000000
touch "$T/stream.log"
must cp "$BUILD/tests/bench/plaintun" "$T"
for host in $V4 $V6; do
	serve /usr/bin/python3 "$T/stream.py" serve "$host" 6000 "$T/stream.log"
	must until_true 10 listening "$host" 6000
done

# plain COMMAND ...: cf, as on a kernel that knows no offloads, with TCP by the packet.
plain() {
	cf_words
	as_caller timeout -k 5 "$LIMIT" "$T/plaintun" "${CF_WORDS[@]}" --tcp-path tun -- "$@"
}
stream() { plain /usr/bin/python3 "$T/stream.py" "$@"; }
noted() { grep -qx -- "$1" "$T/stream.log"; }

# What ETHTOOL_GTSO says of tun0.
TSO='import array, fcntl, socket, struct
said = array.array("I", [0x1e, 7])
request = struct.pack("16sP16x", b"tun0", said.buffer_info()[0])
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8946, request)
print(said[1])'

the_device_has_none_but_for_us_it_would() {
	only_cf
	same plain "$(plain /usr/bin/python3 -c "$TSO")" 0
	same usual "$(cf -- /usr/bin/python3 -c "$TSO")" 1
}
it the_device_has_none_but_for_us_it_would

# Lost segments that only a timer finds would take some 200 ms each.
in_time() {	# START
	local took=$(($(ms_now) - $1))
	[ $took -le 10000 ] || failed "$took ms for $LENGTH bytes"
}
down_comes_whole_and_in_time() {	# HOST
	only_cf
	local start
	start=$(ms_now)
	same bytes "$(stream half_up "$1" 6000 $LENGTH)" $LENGTH
	in_time "$start"
}
up_comes_whole_and_in_time() {	# HOST
	only_cf
	local start
	: >"$T/stream.log"
	start=$(ms_now)
	stream half_down "$1" 6000 $LENGTH
	until_true 5 noted "before $LENGTH" || failed "$(cat "$T/stream.log")"
	in_time "$start"
}
for host in $V4 $V6; do
	it down_comes_whole_and_in_time $host
	it up_comes_whole_and_in_time $host
done

# The queue of the device loses what a burst of the child's kernel has too many.
what_a_short_queue_loses_is_sent_again() {	# HOST
	only_cf
	local pid start
	: >"$T/stream.log"
	mkfifo in out
	plain bash -c "echo \$\$; read -r _; /usr/bin/python3 $T/stream.py half_down $1 6000 $LENGTH; echo end; read -r _; true" \
	    <in >out &
	exec 6>in 7<out
	read -r pid <&7
	nsenter -t "$pid" -n ip link set tun0 txqueuelen 20
	start=$(ms_now)
	echo go >&6
	read -r _ <&7
	until_true 5 noted "before $LENGTH" || failed "$(cat "$T/stream.log")"
	in_time "$start"
	[ "$(nsenter -t "$pid" -n cat /proc/net/dev | awk '$1 == "tun0:" { print $13 }')" -gt 0 ] ||
	    failed "nothing was lost, so nothing was tried"
	exec 6>&-
	wait $!
}
it what_a_short_queue_loses_is_sent_again $V4
it what_a_short_queue_loses_is_sent_again $V6

done_testing
