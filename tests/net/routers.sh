#!/bin/bash
# routers.sh - what routers on the way have to say reaches whoever asked, as it was said.
#
#	host --- server --- r2 --- r3 --- far
#	     198.51.100/24  .2.0/30  .2.4/30 (MTU 1400)  .2.8/30
#	                             192.0.2.0/24, 2001:db8:f:N::/64
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

FAR4=192.0.2.10
FAR6=2001:db8:f:3::2

# router NAME: a namespace; its pid is in the variable of that name.
router() {
	unshare -n sleep infinity &
	printf -v "$1" %s "$!"
	until_true 10 eval '[ "$(readlink /proc/'"$!"'/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
	on "$!" ip link set lo up
	on "$!" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
	    net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 net.ipv4.icmp_msgs_per_sec=100000 \
	    net.ipv4.icmp_msgs_burst=10000
}
on() { nsenter -t "$1" -n -- "${@:2}"; }
# joined A B N MTU: a wire; A has the first address of network N, B the second.
joined() {
	local n=$3
	on "$1" ip link add "d$n" mtu "$4" type veth peer name "u$n" mtu "$4" netns "$2"
	on "$1" ip addr add "192.0.2.$((n * 4 - 3))/30" dev "d$n"
	on "$2" ip addr add "192.0.2.$((n * 4 - 2))/30" dev "u$n"
	on "$1" ip -6 addr add "2001:db8:f:$n::1/64" dev "d$n" nodad
	on "$2" ip -6 addr add "2001:db8:f:$n::2/64" dev "u$n" nodad
	on "$1" ip link set "d$n" up
	on "$2" ip link set "u$n" up
	on "$2" ip route add default via "192.0.2.$((n * 4 - 3))" mtu 1400
	on "$2" ip -6 route add default via "2001:db8:f:$n::1" mtu 1400
}
make_chain() {
	local n
	router R2 && router R3 && router FAR
	joined "$SERVER" "$R2" 1 1500
	joined "$R2" "$R3" 2 1400
	joined "$R3" "$FAR" 3 1500
	for n in 2 3; do
		sv ip route add "192.0.2.$((n * 4 - 4))/30" via 192.0.2.2
		sv ip -6 route add "2001:db8:f:$n::/64" via 2001:db8:f:1::2
	done
	on "$R2" ip route add 192.0.2.8/30 via 192.0.2.6
	on "$R2" ip -6 route add 2001:db8:f:3::/64 via 2001:db8:f:2::2
	on "$FAR" /usr/bin/python3 "$T/dgram.py" serve "$FAR4" 5000 >>"$T/servers.log" 2>&1 </dev/null &
	on "$FAR" /usr/bin/python3 "$T/dgram.py" serve "$FAR6" 5000 >>"$T/servers.log" 2>&1 </dev/null &
	on "$FAR" socat TCP6-LISTEN:7,ipv6-v6only=0,fork,reuseaddr EXEC:cat >>"$T/servers.log" 2>&1 </dev/null &
	until_true 10 /usr/bin/python3 "$T/dgram.py" ask "$FAR4" 5000 hello
	until_true 10 /usr/bin/python3 "$T/dgram.py" ask "$FAR6" 5000 hello
}
must make_chain

dgram() { cf -- /usr/bin/python3 "$T/dgram.py" "$@"; }
way() {	# HOST: the routers on the way, and it
	case $1 in
	*:*) echo 2001:db8:1::1 2001:db8:f:1::2 2001:db8:f:2::2 "$FAR6" ;;
	*)   echo 198.51.100.1 192.0.2.2 192.0.2.6 "$FAR4" ;;
	esac
}
# The first address of each numbered line.
hops() { sed -nE 's/^ *[0-9]+[:.?|-]+ *//; s/^ *[0-9]+ +//; s/^([0-9a-f]+[.:][0-9a-f.:]*).*/\1/p' | uniq | xargs; }

# ---- the tools ----

traceroute_shows_the_way() {	# HOST OPTION ...
	local host=$1
	shift
	cf "${CF_OPTIONS[@]}" -- traceroute -n -q 1 -w 2 -m 8 "$@" "$host" >out 2>err || failed "$(cat err)"
	same hops "$(tail -n +2 out | hops)" "$(way "$host")"
}
CF_OPTIONS=()
for host in "$FAR4" "$FAR6"; do
	it traceroute_shows_the_way "$host"
	# One probe at a time: an answer that comes sooner than the next send makes that fail, and
	# without raw sockets traceroute does not try again (nor does it outside).
	it traceroute_shows_the_way "$host" -I -N 1
	it traceroute_shows_the_way "$host" -q 3 -N 32
	it traceroute_shows_the_way "$host" -U -p 5000
done
with_raw_sockets() {
	only_cf
	CF_OPTIONS=(--cap-net-raw)
	"$@"
}
for host in "$FAR4" "$FAR6"; do
	it with_raw_sockets traceroute_shows_the_way "$host" -T -p 7
done

tracepath_shows_the_way_and_its_mtu() {	# HOST
	cf -- tracepath -n -m 8 "$1" >out 2>err || failed "$(cat err)"
	local all
	all=" $(grep -oE '^ *[0-9]+[:?] +[0-9a-f.:]+' out | awk '{ print $2 }' | uniq | xargs) "
	local hop
	for hop in $(way "$1"); do
		[[ $all == *" $hop "* ]] || failed "$hop is not in:$all"
	done
	like mtu "$(cat out)" 'Resume: pmtu 1400'
}
it tracepath_shows_the_way_and_its_mtu "$FAR4"
it tracepath_shows_the_way_and_its_mtu "$FAR6"

# Both at once: mtr takes its time at the end.
mtr_shows_the_ways() {	# OPTION ...
	# shellcheck disable=SC2016
	cf "${CF_OPTIONS[@]}" -- sh -c 'four=$1 six=$2; shift 2
	    mtr -n -r -c 1 -i 1 -G 1 "$@" "$four" >4 2>err4 & mtr -n -r -c 1 -i 1 -G 1 "$@" "$six" >6 2>err6
	    wait' sh "$FAR4" "$FAR6" "$@"
	same "hops: $(cat err4)" "$(mtr_hops 4)" "$(way "$FAR4")"
	same "hops: $(cat err6)" "$(mtr_hops 6)" "$(way "$FAR6")"
}
mtr_hops() { grep -oE '\|-- [0-9a-f.:]+' "$1" | awk '{ print $2 }' | xargs; }
it mtr_shows_the_ways
# Without privilege mtr's UDP probes are in disorder, outside as well.
it with_raw_sockets mtr_shows_the_ways --udp

ping_of_any_size() {	# HOST SIZE
	cf -- ping -n -c 2 -i 0.2 -W 3 -M dont -s "$2" "$1" >out || failed "$(cat out)"
	like result "$(cat out)" '2 packets transmitted, 2 received, 0% packet loss'
}
it ping_of_any_size "$FAR4" 56
it ping_of_any_size "$FAR4" 1472
it ping_of_any_size "$FAR4" 20000
it ping_of_any_size "$FAR6" 20000

ping_is_told_who_dropped_it() {	# HOST TTL FROM
	cf -- ping -n -c 1 -W 3 -t "$2" "$1" >out && failed "it answered"
	like error "$(cat out)" "From $3 icmp_seq=1 Time (to live )?exceeded"
}
it ping_is_told_who_dropped_it "$FAR4" 2 192.0.2.2
it ping_is_told_who_dropped_it "$FAR6" 3 2001:db8:f:2::2

# The routers of this world lose an ICMPv6 error now and then.  What went out of the host and
# did not come back to it as an error cannot reach anybody, and is asked once more.
ping_with_df_is_told_the_mtu() {	# HOST SIZE FROM
	local try lost
	for try in 1 2 3; do
		lost=$(icmp6 Icmp6InPktTooBigs Icmp6OutEchos)
		cf -- ping -n -c 2 -i 0.2 -W 1 -M "do" -s "$2" "$1" >out 2>&1 && failed "it answered"
		[ "$lost" != "$(icmp6 Icmp6InPktTooBigs Icmp6OutEchos)" ] || break
		echo "try $try: the host was not told"
	done
	like error "$(cat out)" "From $3 icmp_seq=1 (Frag needed and DF set .mtu = 1400|Packet too big: mtu=1400)"
}
# How many of the one the host has seen less than of the other.
icmp6() { awk -v a="$1" -v b="$2" '$1 == a { n -= $2 } $1 == b { n += $2 } END { print n }' /proc/net/snmp6; }
it ping_with_df_is_told_the_mtu "$FAR4" 1472 192.0.2.2
it ping_with_df_is_told_the_mtu "$FAR6" 1452 2001:db8:f:1::2

# ---- the same, asked by hand ----

the_path_mtu_is_learned() {	# HOST
	same mtu "$(dgram mtu "$1" 5000)" 1400
}
it the_path_mtu_is_learned "$FAR4"
it the_path_mtu_is_learned "$FAR6"

what_may_be_cut_arrives() {	# HOST
	same number "$(dgram cut "$1" 5000 1372 1373 1472 8000 65000)" 5
}
it what_may_be_cut_arrives "$FAR4"
it what_may_be_cut_arrives "$FAR6"

an_error_names_the_router_and_quotes_the_datagram() {	# HOST TTL KIND FROM
	local origin=2
	[[ $1 != *:* ]] || origin=3
	same error "$(dgram quote "$1" 5000 "$2")" "$origin $3 0 $4 quote me"
}
it an_error_names_the_router_and_quotes_the_datagram "$FAR4" 1 11 198.51.100.1
it an_error_names_the_router_and_quotes_the_datagram "$FAR4" 3 11 192.0.2.6
it an_error_names_the_router_and_quotes_the_datagram "$FAR6" 2 3 2001:db8:f:1::2

# Byte by byte, as a raw socket has it.
quotes_are_of_the_childs_own_packets() {
	only_cf
	cf --cap-net-raw -- /usr/bin/python3 "$T/rawcheck.py" "$FAR4" "$FAR6" >out 2>&1 || failed "$(cat out)"
	same end "$(tail -n 1 out)" "all quotes are right"
}
it quotes_are_of_the_childs_own_packets

extension_headers_are_stepped_over() {
	only_cf
	cf --cap-net-raw -- /usr/bin/python3 "$T/rawcheck.py" extensions "$FAR6" >out 2>&1 || failed "$(cat out)"
	same end "$(tail -n 1 out)" "all as it should be"
}
it extension_headers_are_stepped_over

# ---- raw tools ----

nmap_sees_open_and_closed() {	# HOST OPTION ...
	only_cf
	local host=$1 six=()
	shift
	[[ $host != *:* ]] || six=(-6)
	cf --cap-net-raw -- nmap -n -Pn --max-retries 1 "${six[@]}" -p 7,8,9 "$@" "$host" >out 2>err || failed "$(cat err)"
	like open "$(cat out)" '7/(tcp|udp) +open'
	like closed "$(cat out)" '8/(tcp|udp) +closed'
	same stderr "$(grep -v '^$' err | head -n 2)" ""
}
it nmap_sees_open_and_closed "$FAR4" -sT
it nmap_sees_open_and_closed "$FAR4" -sS --privileged
it nmap_sees_open_and_closed "$FAR6" -sS --privileged

done_testing
