#!/bin/bash
# tcp.sh - what happens to one side of a connection happens to the other, whoever ends TCP.
#
# Each case is asked twice: of cf-netstack's own TCP (tun) and of the tree's kernel (kernel).
# TCP_PATHS picks.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

# What a buffer of the kernel may grow to at both ends of a connection.
buffers=$(($(awk '{ print $3 }' /proc/sys/net/ipv4/tcp_rmem) + \
    $(awk '{ print $3 }' /proc/sys/net/ipv4/tcp_wmem)))
stream() { cf --tcp-path "$WAY" -- /usr/bin/python3 "$T/stream.py" "$@"; }
noted() { grep -qx -- "$1" "$T/stream.log"; }
V4=203.0.113.10
V6=2001:db8::10
touch "$T/stream.log"
for host in $V4 $V6; do
	serve /usr/bin/python3 "$T/stream.py" serve "$host" 6000 "$T/stream.log"
	serve /usr/bin/python3 "$T/stream.py" hold_server "$host" 6001
	must until_true 10 listening "$host" 6000
	must until_true 10 listening "$host" 6001
done

# ---- ends ----

after_our_end_the_peer_goes_on() {	# HOST
	same bytes "$(stream half_up "$1" 6000 30000000)" 30000000
}
after_the_peers_end_we_go_on() {	# HOST
	: >"$T/stream.log"
	stream half_down "$1" 6000 30000000
	until_true 5 noted "before 30000000" || failed "$(cat "$T/stream.log")"
}
both_ends_at_once() { same said "$(stream close "$1" 6000 50)" ok; }

what_was_sent_before_the_exit_arrives() {	# HOST BYTES
	: >"$T/stream.log"
	stream leave "$1" 6000 "$2"
	until_true 10 noted "count $2" || failed "$(cat "$T/stream.log")"
}

# ---- resets ----

a_reset_of_the_peer_is_one_here() { same end "$(stream reset_down "$1" 6000)" ECONNRESET; }
a_reset_here_is_one_at_the_peer() {	# HOST BYTES
	: >"$T/stream.log"
	stream reset_up "$1" 6000 "$2"
	until_true 5 noted "abandoned ECONNRESET" || failed "$(cat "$T/stream.log")"
}
a_killed_server_ends_its_connections() { same end "$(stream die "$1" 6000)" EOF; }

# ---- readers that stop ----

# There are two connections.  What is ours may add 4 MiB.
a_reader_that_stops_stops_the_writer() {	# there|here HOST PORT
	: >"$T/stream.log"
	local n
	if [ "$1" = there ]; then
		n=$(stream stall "$2" 6000 "$3")
		until_true 5 noted "stall $n" || failed "sent $n, came $(cat "$T/stream.log")"
	else
		n=$(stream flood "$2" 6000 "$3")
	fi
	[ "$n" -gt 100000 ] && [ "$n" -lt $((2 * buffers + 4000000)) ] || failed "the writer got rid of $n bytes"
}

# ---- windows ----

# receive_buffer HOST PORT: of the host's socket to it, in bytes.
receive_buffer() {
	local to=$1
	[[ $to != *:* ]] || to="[$to]"
	ss -tmnOH state established dst "$to:$2" | sed 's/.*,rb\([0-9]*\),.*/\1/'
}

# The kernel begins with 128 KiB, and sometimes does not notice that a far peer needs more.
a_download_gets_a_wide_window_but_a_short_answer_does_not() {	# HOST
	only_cf
	local had size
	coproc stream pull "$1" 6000
	for size in 20000 20000; do
		echo $size >&"${COPROC[1]}"
		read -r had <&"${COPROC[0]}"
		same bytes "$had" $size
		printf '%s ' "$(receive_buffer "$1" 6000)" >>sizes
	done
	eval "exec ${COPROC[1]}>&-"
	like "receive buffer after 20 and 40 kB" "$(cat sizes)" '^[0-9]{6} [0-9]{7,} $'
}
# ---- oddities ----

keepalive_is_answered() { same said "$(stream keepalive "$1" 6000)" alive; }

# RFC 6093: urgent data is part of the stream.
urgent_data_is_passed_on_in_line() { same said "$(stream urgent "$1" 6000 "$2")" aXb; }

data_with_the_syn_is_not_lost() { same said "$(stream syn_data "$1" 6000)" hello; }

a_port_can_be_used_again_at_once() { same said "$(stream same_port $V4 6000 20)" ok; }

# ---- many ----

# Memory of all helpers, in KiB, shared pages divided among their sharers.
helpers_pss() {
	local pid sum=0
	for pid in $(helpers); do
		sum=$((sum + $(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")))
	done
	echo "$sum"
}
# many HOST N AT_ONCE: in the background, with its stdin on descriptor 7.
many() {
	mkfifo in
	stream hold "$1" 6001 "$2" "$3" <in >out 2>err &
	MANY=$!
	exec 7>in
	until_true 90 grep -q ^held out || failed "$(cat err)"
}

idle_connections_cost_little() {	# HOST N KIB
	only_cf
	[[ $BUILD != */debug ]] || cannot "sanitizers need memory of their own"
	local pss
	many "$1" "$2" 64
	same connections "$(cat out)" "held $2 refused 0"
	pss=$(helpers_pss)
	[ "$pss" -lt "$3" ] || failed "$2 connections: $pss KiB"
	exec 7>&-
	wait "$MANY"
	same later "$(tail -n 1 out)" "held $2 refused 0 ended 0"
}

many_can_be_opened_at_once() {	# HOST N
	many "$1" "$2" "$2"
	same connections "$(cat out)" "held $2 refused 0"
	exec 7>&-
	wait "$MANY"
}

the_limit_of_descriptors_is_said_and_survived() {
	only_cf
	ulimit -Sn 500
	ulimit -Hn 500
	many $V4 450 10
	case $WAY in			# one descriptor a connection, or two
	tun)    like connections "$(cat out)" '^held 3[0-9][0-9] refused [1-9][0-9]*$' ;;
	kernel) like connections "$(cat out)" '^held 1[0-9][0-9] refused [1-9][0-9]*$' ;;
	esac
	like message "$(cat err)" 'limit reached: flows of the command tree'
	exec 7>&-
	wait "$MANY"
	like later "$(tail -n 1 out)" 'ended 0$'
}

# ---- all of it, twice ----

asks() { it "$@" "$WAY"; }
all() {
	for host in $V4 $V6; do
		asks after_our_end_the_peer_goes_on $host
		asks after_the_peers_end_we_go_on $host
		asks both_ends_at_once $host
	done
	asks what_was_sent_before_the_exit_arrives $V4 3000000
	asks what_was_sent_before_the_exit_arrives $V6 50
	for host in $V4 $V6; do
		asks a_reset_of_the_peer_is_one_here $host
		asks a_reset_here_is_one_at_the_peer $host 0
		asks a_reset_here_is_one_at_the_peer $host 1000000
		asks a_killed_server_ends_its_connections $host
	done
	asks a_reader_that_stops_stops_the_writer there $V4 6010
	asks a_reader_that_stops_stops_the_writer there $V6 6011
	asks a_reader_that_stops_stops_the_writer here $V4 6012
	asks a_reader_that_stops_stops_the_writer here $V6 6013
	asks a_download_gets_a_wide_window_but_a_short_answer_does_not $V4
	asks a_download_gets_a_wide_window_but_a_short_answer_does_not $V6
	asks keepalive_is_answered $V4
	asks urgent_data_is_passed_on_in_line $V4 up
	asks urgent_data_is_passed_on_in_line $V6 down
	asks data_with_the_syn_is_not_lost $V4
	asks data_with_the_syn_is_not_lost $V6
	asks a_port_can_be_used_again_at_once
	asks idle_connections_cost_little $V4 8000 24576
	asks idle_connections_cost_little $V6 1000 12288
	asks many_can_be_opened_at_once $V4 5000
	asks the_limit_of_descriptors_is_said_and_survived
}

for WAY in ${TCP_PATHS:-tun kernel}; do
	all
done
done_testing
