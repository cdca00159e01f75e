#!/bin/bash
# quota.sh - what --quota lets pass, to the byte, counted at the receiver.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

SINK=6101 SOURCE=6102 SLOW=6103 SHOUT=6104 UDP=6105 TOLD=6106
V4=203.0.113.10 V6=2001:db8::10
: >"$T/ends"
serve /usr/bin/python3 "$T/quota.py" serve "$T/ends"
must until_true 20 listening $V4 $TOLD
must until_true 20 listening $V4 $SHOUT

# quota [OPTION ...] -- WORD ...: a client of quota.py inside; "out", "err" and "status" hold what
# was said.
quota() {
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	cf --summary --status-fd 9 "${options[@]}" -- /usr/bin/python3 "$T/quota.py" "$@" \
	    >out 2>err 9>status
}
# used TARGET: of its limits, as --status-fd tells.
used() { jq -r --arg t "$1" 'select(.event == "exit") | .quotas[] | select(.target == $t) | .used' status; }
# at_the_end PORT: wait for the ends of N connections there; prints the sum of their bytes.
ends_of() { awk -v p="$1" '$1 == p' "$T/ends" | wc -l; }
at_the_end() {	# PORT N
	until_true 15 eval '[ "$(ends_of '"$1"')" -ge '"$2"' ]' || failed "no end: $(cat "$T/ends")"
	awk -v p="$1" '$1 == p { n += $2 } END { print n }' "$T/ends"
}
bracketed() { [[ $1 == *:* ]] && echo "[$1]" || echo "$1"; }

# ---- bytes of TCP ----

up_is_exact() {	# PATH HOST PORT
	local target
	target=$(bracketed "$2"):$3/tcp
	: >"$T/ends"
	quota --tcp-path "$1" --quota "$target=1234567B/up" -- up "$2" "$3" 20000000
	same "the receiver's count" "$(at_the_end "$3" 1)" 1234567
	unlike "the sender" "$(cat out)" eof
	same "used" "$(used "$target")" 1234567
	like line "$(cat err)" "cf-proxy: tcp .*: ended by \`--quota .*=1234567B/up\`; it is used up"
	like totals "$(cat err)" 'bytes: up=1234567, '
	like summary "$(cat err)" "quotas: .*=1234567B/up \(used=1234567, max=1234567, flows=1\)"
}
for path in kernel tun; do
	it up_is_exact $path $V4 $SINK
	it up_is_exact $path $V6 $SINK
	it up_is_exact $path $V4 $SLOW
	it up_is_exact $path $V4 $SHOUT
done

# What was counted arrives, though the run is over by then and the other end talks all the time.
the_end_of_the_run_waits_for_it() {	# PATH
	: >"$T/ends"
	quota --tcp-path "$1" --quota "*:$SHOUT=600000B/up" -- up_and_go $V4 $SHOUT 2000000
	until_true 15 eval "grep -q '^$SHOUT 600000 ' $T/ends" || failed "$(cat "$T/ends")"
}
it the_end_of_the_run_waits_for_it kernel
it the_end_of_the_run_waits_for_it tun

down_is_exact() {	# PATH HOST [slow]
	quota --tcp-path "$1" --quota "*=1234567B/down" -- down "$2" $SOURCE "${@:3}"
	same "the receiver's count" "$(cat out)" "1234567 ECONNRESET"
	same "used" "$(used '*')" 1234567
}
for path in kernel tun; do
	it down_is_exact $path $V4
	it down_is_exact $path $V6
	it down_is_exact $path $V4 slow
done

flows_share_a_quota() {	# PATH
	: >"$T/ends"
	quota --tcp-path "$1" --quota "$V4=1500000B/up" -- up $V4 $SINK 1000000 4
	same "the receiver's count" "$(at_the_end $SINK 4)" 1500000
	same "used" "$(used $V4)" 1500000
}
it flows_share_a_quota kernel
it flows_share_a_quota tun

the_limit_itself_is_allowed() {	# PATH
	: >"$T/ends"
	quota --tcp-path "$1" --quota '*=1MB/up' -- up $V4 $SINK 1000000
	same end "$(cat out)" eof
	same "the receiver's count" "$(at_the_end $SINK 1)" 1000000
	unlike "stderr" "$(cat err)" 'cf-proxy:'
	same "used" "$(used '*')" 1000000
}
it the_limit_itself_is_allowed kernel
it the_limit_itself_is_allowed tun

both_ways_are_one_sum() {	# PATH
	quota --tcp-path "$1" --quota '*:7=1000B' -- there_and_back $V4 7 400 150 1
	same "what came back" "$(cat out)" "450 ECONNRESET"
	same "used" "$(used '*:7')" 1000
}
it both_ways_are_one_sum kernel
it both_ways_are_one_sum tun

the_tightest_of_several_counts() {
	: >"$T/ends"
	quota --quota '*=1MB' --quota "$V4=300000B/up,9conn" --quota "*:$SINK/tcp=2MB/up" -- up $V4 $SINK 900000
	same "the receiver's count" "$(at_the_end $SINK 1)" 300000
	same "of all" "$(used '*')" 300000
	like rule "$(cat err)" "ended by \`--quota $V4=300KB/up\`"
}
it the_tightest_of_several_counts

what_no_quota_covers_is_free() {
	: >"$T/ends"
	quota --quota "203.0.113.20=10B" --quota "*:80=10B" --quota '*/udp=10B' -- up $V4 $SINK 5000000
	same "the receiver's count" "$(at_the_end $SINK 1)" 5000000
}
it what_no_quota_covers_is_free

a_quota_that_is_used_up_lets_nothing_begin() {	# PATH
	cf --tcp-path "$1" --quota '*=100B/down' -- bash -c "
		curl -s http://$V4/hello; curl -sS -m 5 http://$V4/hello" >out 2>err && failed "curl: 0"
	like "first" "$(cat err)" "cf-proxy: tcp $V4:80: ended by \`--quota \*=100B/down\`"
	like "second" "$(cat err)" "cf-proxy: tcp $V4:80: blocked by \`--quota \*=100B/down\`"
	like "the second client" "$(cat err)" 'curl: \(7\)'
}
it a_quota_that_is_used_up_lets_nothing_begin kernel
it a_quota_that_is_used_up_lets_nothing_begin tun

real_programs_work_below_their_quota() {	# PATH
	head -c 3000000 /dev/urandom >"$T/www/files/three"
	cf --tcp-path "$1" --quota '*=1GB,100conn,9dest' -- bash -c "
		curl -sS http://$V4/files/three -o three &&
		curl -sSk https://example.test/files/three -o four &&
		curl -sS -T three http://$V4/put/five && iperf3 -c $V4 -n 20M -P 3 >iperf"
	cmp three "$T/www/files/three"
	cmp four "$T/www/files/three"
	cmp "$T/put/five" "$T/www/files/three"
}
it real_programs_work_below_their_quota kernel
it real_programs_work_below_their_quota tun

# ---- datagrams ----

told() { cat <"/dev/tcp/$V4/$TOLD"; }

udp_up_is_whole_datagrams() {	# HOST ERROR
	local before n bytes
	before=$(told)
	quota --quota "*:$UDP/udp=10500B/up" -- udp_up "$1" $UDP 1000 50
	same "the sender's error" "$(cat out)" "$2"
	read -r n bytes <<<"$(told)"
	same "datagrams" $((n - ${before% *})) 10
	same "bytes" $((bytes - ${before#* })) 10000
	same "used" "$(used "*:$UDP/udp")" 10000
}
it udp_up_is_whole_datagrams $V4 EHOSTUNREACH
it udp_up_is_whole_datagrams $V6 EACCES

udp_down_is_whole_datagrams() {	# HOST ERROR
	quota --quota "*=5100B/down" -- udp_down "$1" $UDP 500 30
	same "what came" "$(cat out)" "10 $2"
	same "used" "$(used '*')" 5000
}
it udp_down_is_whole_datagrams $V4 EHOSTUNREACH
it udp_down_is_whole_datagrams $V6 EACCES

udp_works_below_its_quota() {
	quota --quota '*=1MB' -- udp_down $V4 $UDP 1400 50
	same "what came" "$(cat out)" "50 open"
	same "used" "$(used '*')" $((50 * 1400 + 12))
}
it udp_works_below_its_quota

# A request and its reply are 64 bytes each.
echo_is_counted() {	# HOST
	cf --quota "*/icmp=200B" -- ping -c 3 -i 0.2 -W 5 "$1" >out 2>err || :
	like received "$(cat out)" ', 1 received'
	like error "$(cat out)" 'Packet filtered|Administratively prohibited'
}
it echo_is_counted $V4
it echo_is_counted $V6

# ---- connections and destinations ----

connections_are_counted() {	# PATH
	quota --tcp-path "$1" --quota '*=3conn' -- dial $V4:$SINK "[$V6]:$SINK" $V4:7 $V4:$SINK $V4:$SINK
	same "which could be" "$(cat out)" "yes yes yes no no"
	same "used" "$(used '*')" 3
	like line "$(cat err)" "blocked by \`--quota \*=3conn\`"
	like reason "$(cat err)" 'policy violations: quota_connections=2'
}
it connections_are_counted kernel
it connections_are_counted tun

what_does_not_open_is_no_connection() {
	quota --quota '*=2conn' -- dial $V4:1 $V4:2 $V4:3 $V4:$SINK $V4:$SINK $V4:$SINK
	same "which could be" "$(cat out)" "no no no yes yes no"
}
it what_does_not_open_is_no_connection

destinations_are_counted() {
	quota --quota '*=2dest' -- dial $V4:$SINK $V4:7 "[$V6]:7" 203.0.113.20:7 $V4:7 "[$V6]:$SINK" "[2001:db8::20]:7"
	same "which could be" "$(cat out)" "yes yes yes no yes yes no"
	same "used" "$(used '*')" 2
	like reason "$(cat err)" 'policy violations: quota_destinations=2'
}
it destinations_are_counted

# ---- names ----

a_name_has_a_quota() {	# OPTION ...
	cf --status-fd 9 "$@" --quota 'v4.example.test=10KB/down' --quota '*.example.test=5conn' -- bash -c "
		curl -s -m 9 http://v4.example.test/files/three | wc -c
		curl -s -m 9 -o /dev/null -w '%{size_download}\n' http://v6.example.test/files/three" >out 2>err 9>status
	same "of the other name" "$(tail -n 1 out)" 3000000
	[ "$(head -n 1 out)" -lt 10000 ] || failed "$(cat out)"
	same "used" "$(used v4.example.test)" 10000
	same "connections" "$(used '*.example.test')" 2
}
it a_name_has_a_quota
it a_name_has_a_quota --dns-mode synthetic
it a_name_has_a_quota --allow .example.test

# ---- what is wrong ----

a_wrong_quota_starts_nothing() {	# PATTERN TEXT
	status 125 cf --quota "$2" -- touch started 2>err
	like message "$(cat err)" "$1"
	same lines "$(wc -l <err)" 1
	[ ! -e started ] || failed "the command ran"
}
it a_wrong_quota_starts_nothing "'\*', column 2: there is no '='" '*'
it a_wrong_quota_starts_nothing "column 5: 'M' is not a unit: did you mean MB" '*=10M/up'
it a_wrong_quota_starts_nothing "column 3: 'a..b' is not a name" 'a..b=1MB'
it a_wrong_quota_starts_nothing "column 7: a limit of this kind" '*=1MB,2MB'

a_quota_that_is_met_is_a_leak() {
	status 1 cf --fail-on-leak --quota '*=1conn' -- bash -c "
		curl -s -o /dev/null http://$V4/hello; curl -s http://$V4/hello; :" 2>err
	like message "$(cat err)" 'fail-on-leak: 1 time'
}
it a_quota_that_is_met_is_a_leak

done_testing
