#!/bin/bash
# wire.sh - the delaying, losing link of the tests keeps its promises, and what goes through it
# and cf-spawn arrives whole.
# alone: delays of packets are measured.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

HERE4=192.0.2.1 THERE4=192.0.2.2

no_wire() {
	! ip link show dev wire0 >/dev/null 2>&1 && ! sv ip link show dev wire0 >/dev/null 2>&1
}

# wire_up OPTION ...: a second link between host and server, beside the veth.
wire_up() {
	until_true 5 no_wire
	rm -f said			# what the last one said
	"$BUILD/tests/bench/wire" "$@" /proc/self/ns/net "$SERVER" >said &
	WIRE=$!
	until_true 5 grep -q ready said
	sysctl -qw net.ipv6.conf.wire0.disable_ipv6=1
	sv sysctl -qw net.ipv6.conf.wire0.disable_ipv6=1
	ip addr add $HERE4 peer $THERE4 dev wire0
	sv ip addr add $THERE4 peer $HERE4 dev wire0
	ip link set wire0 up
	sv ip link set wire0 up
}
wire_down() {	# what it counted is in the file said
	kill "$WIRE"
	wait "$WIRE"
}

# ping_seqs OPTION ...: the numbers of the answers in the order they came.
ping_seqs() {
	ping -n "$@" $THERE4 >pings || :
	sed -n 's/.*icmp_seq=\([0-9]*\).*/\1/p' pings
}

delays_by_no_less_and_little_more() {	# MICROSECONDS, one way
	local min
	wire_up -d "$1"
	ping -q -c 20 -i 0.01 -W 5 $THERE4 >out
	like result "$(cat out)" ' 0% packet loss'
	min=$(sed -n 's/^rtt [^=]*= \([0-9]*\)\.\([0-9]*\).*/\1\2/p' out)
	min=$((10#$min))
	[ "$min" -ge $(($1 * 2)) ] || failed "$min us there and back is less than twice $1"
	# The machine may be busy, but not for all of them.
	[ "$min" -le $(($1 * 2 + 2000)) ] || failed "$min us there and back"
}
it delays_by_no_less_and_little_more 0
it delays_by_no_less_and_little_more 100
it delays_by_no_less_and_little_more 2500
it delays_by_no_less_and_little_more 150000

loses_what_it_should() {
	local got
	wire_up -l 10 -s 7
	got=$(ping_seqs -c 1000 -i 0.002 -W 1 | wc -l)
	# 810 on average; 5 standard deviations
	[[ $got -ge 748 && $got -le 872 ]] || failed "$got of 1000 came back"
	wire_down
	like there "$(cat said)" 'there: 1000 in, '
	same sum "$(sed -n 's/^\(there\|back\): \([0-9]*\) in, \([0-9]*\) out, \([0-9]*\) lost.*/\2 \3 \4/p' said |
	    awk '$1 != $2 + $3' | wc -l)" 0
}
it loses_what_it_should

the_same_seed_loses_the_same() {
	local seed
	for seed in 5 5 6; do
		wire_up -l 10 -s $seed
		ping_seqs -c 200 -i 0.002 -W 1 >>"seqs.$seed"
		echo end >>"seqs.$seed"
		wire_down
	done
	cp seqs.6 other
	awk '/end/ { n++; next } { print >("run." n + 0) }' seqs.5
	cmp run.0 run.1
	status 1 cmp -s run.0 <(grep -v end other)
}
it the_same_seed_loses_the_same

keeps_the_order_unless_told() {
	wire_up -d 20000
	ping_seqs -c 100 -i 0.002 -W 1 >seqs
	same number "$(wc -l <seqs)" 100
	sort -c -n seqs
	wire_down
	wire_up -d 1000 -o 20:8000
	ping_seqs -c 100 -i 0.002 -W 1 >seqs
	same number "$(wc -l <seqs)" 100
	status 1 sort -c -n seqs 2>/dev/null
}
it keeps_the_order_unless_told

narrows_to_its_rate() {
	local start took
	make_body "$T/www/files/narrow" 2M
	wire_up -r 20
	start=$(ms_now)
	curl -sS "http://$THERE4/files/narrow" | cmp - "$T/www/files/narrow"
	took=$(($(ms_now) - start))
	# 2 MiB at 20 Mbit/s are 839 ms, without headers and with no loss at its full queue
	[ $took -ge 839 ] || failed "$took ms: faster than the link"
	[ $took -le 5000 ] || failed "$took ms"
}

says_what_is_wrong_with_its_options() {
	local words
	for words in "-d -1" "-l 101" "-o 1:x" "-r fast" "-Z" "-d"; do
		# shellcheck disable=SC2086
		status 2 "$BUILD/tests/bench/wire" $words 1 1 2>err
		like usage "$(cat err)" 'usage: wire'
	done
	status 1 "$BUILD/tests/bench/wire" /no/such/namespace 1 2>err
	like message "$(cat err)" '/no/such/namespace: No such file'
}

# Pseudo-random bytes: what is lost, doubled or moved shows.
make_body() {	# FILE LENGTH
	openssl enc -aes-128-ctr -K 0f -iv 0 -in /dev/zero 2>/dev/null | head -c "$2" >"$1"
}

it narrows_to_its_rate
it says_what_is_wrong_with_its_options

# ---- with cf-spawn before it ----

comes_and_goes_whole_over() {	# OPTION ... of the wire
	make_body "$T/www/files/lossy" 3M
	wire_up "$@"
	cf -- curl -sS "http://$THERE4/files/lossy" | cmp - "$T/www/files/lossy"
	cf -- curl -sS -f -T "$T/www/files/lossy" "http://$THERE4/put/lossy-$PASS"
	cmp "$T/put/lossy-$PASS" "$T/www/files/lossy"
	rm "$T/put/lossy-$PASS"
}
it comes_and_goes_whole_over -d 100
it comes_and_goes_whole_over -d 25000
it comes_and_goes_whole_over -d 150000
it comes_and_goes_whole_over -d 2500 -l 1
it comes_and_goes_whole_over -d 2500 -o 5:2000
it comes_and_goes_whole_over -d 2500 -l 0.5 -o 1:3000 -r 100

done_testing
