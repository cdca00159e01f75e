#!/bin/bash
# views.sh - the same packets seen from the tree and from the host; names and comments in the file.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
. "$NET_DIR/pcapng.bash"
in_world "$@"

# described FILE: the descriptions of its interfaces.
described() { "$NET_DIR/blocks.py" "$1" lines | grep '^interface' | grep -o "childflow view=[^']*"; }

both_sides_at_once() {
	cf -c run.pcapng -C both --summary -- curl -sS http://example.test/whoami >out 2>err
	local f
	for f in child egress; do
		no_remarks run.$f.pcapng
		"$NET_DIR/blocks.py" run.$f.pcapng whole
	done
	[ ! -e run.pcapng ]
	same child "$(described run.child.pcapng)" \
	    'childflow view=child backend=rootless-internal kind=isolated interface=tun0'
	same egress "$(described run.egress.pcapng)" \
	    'childflow view=egress backend=rootless-internal kind=logical interface=veth0'
	same packets "$(packets run.child.pcapng)" "$(packets run.egress.pcapng)"
	unlike inside "$(fields run.egress.pcapng '' ip.src ipv6.src)" '192\.0\.0\.2|2001:2:0:cf::2'
	like summary "$(cat err)" 'child\+egress'
}
it both_sides_at_once

# What the server saw is what the file says of the host's side, ports included, from the SYN on.
the_host_side_has_the_real_ports() {
	local url
	for url in http://203.0.113.10/hello 'http://[2001:db8::10]/hello'; do
		sv timeout 20 tcpdump -Z root -U -n -i veth1 -w "$T/wire.pcap" tcp port 80 2>"$T/dump.err" &
		local dump=$!
		until_true 10 grep -q listening "$T/dump.err"
		cf -c run.pcapng -C egress -- curl -sS "$url" >out
		until_true 10 sh -c "[ \$(tshark -r '$T/wire.pcap' -Y 'tcp.flags.fin == 1' 2>/dev/null | wc -l) -ge 2 ]"
		kill "$(pids tcpdump)"
		wait $dump || true
		no_remarks run.pcapng
		same syn "$(fields run.pcapng 'tcp.flags == 2' ip.src ipv6.src tcp.srcport)" \
		    "$(fields "$T/wire.pcap" 'tcp.flags == 2' ip.src ipv6.src tcp.srcport)"
		same ports "$(fields run.pcapng tcp tcp.port | tr ' ,' '\n\n' | sort -u)" \
		    "$(fields "$T/wire.pcap" tcp tcp.port | tr ' ,' '\n\n' | sort -u)"
		same sums "$(tshark -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -r run.pcapng \
		    -Y 'tcp.checksum.status == 0 || ip.checksum.status == 0' 2>/dev/null)" ''
	done
}
it the_host_side_has_the_real_ports

echo_and_datagrams_too() {
	cf -c run.pcapng -C both -- sh -c 'ping -c 2 -i 0.2 203.0.113.10 && ping -c 1 2001:db8::10
	    echo x | socat -t 1 - UDP4:203.0.113.10:7
	    echo x | socat -t 0.3 - UDP4:203.0.113.10:9 || true' >/dev/null
	same replies "$(packets run.egress.pcapng 'icmp.type == 0 || icmpv6.type == 129')" 3
	same echoed "$(fields run.egress.pcapng 'udp.port == 7' ip.src ip.dst)" \
	    "$(printf '198.51.100.2 203.0.113.10\n203.0.113.10 198.51.100.2')"
	same refused "$(packets run.egress.pcapng 'icmp.type == 3')" 1
	unlike inside "$(fields run.egress.pcapng '!dns' ip.addr ipv6.addr)" '192\.0\.0\.2|2001:2:0:cf::2'
	same sums "$(tshark -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE -r run.egress.pcapng -Y \
	    'udp.checksum.status == 0 || ip.checksum.status == 0 || icmp.checksum.status == 0 ||
	    icmpv6.checksum.status == 0' 2>/dev/null)" ''
}
it echo_and_datagrams_too

flows_have_a_comment_and_addresses_a_name() {
	cf -c run.pcapng --deny second.example.test -- sh -c 'curl -sS http://v4.example.test/hello
	    curl -sS http://203.0.113.10/hello; curl -sS -m 3 http://203.0.113.20/hello
	    curl -sS http://127.0.0.1:1/' >out 2>err || true
	no_remarks run.pcapng
	"$NET_DIR/blocks.py" run.pcapng whole
	same first "$(fields run.pcapng 'frame.comment && tcp.flags != 2' frame.number)" ''
	like allowed "$(fields run.pcapng 'tcp.flags == 2' frame.comment)" \
	    'childflow flow=[0-9]+ pid=[0-9]+ comm=curl verdict=allow name=v4\.example\.test'
	like names "$("$NET_DIR/blocks.py" run.pcapng lines | grep '^names')" 'v4\.example\.test'
	cf -c run.pcapng --deny-cidr 203.0.113.0/24 -- curl -sS -m 3 http://203.0.113.10/ 2>err || true
	like denied "$(fields run.pcapng 'tcp.flags == 2' frame.comment)" \
	    'comm=curl verdict=deny reason=deny_cidr: blocked by .--deny-cidr 203.0.113.0/24'
	cf -c run.pcapng --allow v4.example.test -- curl -sS http://v4.example.test/hello >out 2>err
	like rule "$(fields run.pcapng 'tcp.flags == 2' frame.comment)" 'rule=.*--allow v4\.example\.test'
}
it flows_have_a_comment_and_addresses_a_name

# Another process of the host talks to the same server meanwhile.
the_wire_has_this_run_and_nothing_else() {
	if [ "$PASS" = user ]; then
		status 125 cf -c run.pcapng -C wire-egress -- true 2>err
		like why "$(cat err)" 'takes CAP_NET_RAW on the host .*-C egress shows the same flows'
		return
	fi
	(while [ ! -e ended ]; do curl -sS http://203.0.113.10/other -o /dev/null; done) &
	local other=$!
	cf -c run.pcapng -C wire-egress -- sh -c 'curl -sS http://example.test/hello
	    ping -c 1 203.0.113.10 >/dev/null' >out
	touch ended
	wait $other
	same answer "$(cat out)" hello
	no_remarks run.pcapng
	"$NET_DIR/blocks.py" run.pcapng whole
	same interface "$(described run.pcapng)" \
	    'childflow view=wire-egress backend=rootless-internal kind=wire interface=veth0'
	same request "$(fields run.pcapng http.request http.request.uri)" /hello
	same echo "$(packets run.pcapng icmp)" 2
	same names "$(fields run.pcapng 'dns.flags.response == 1 && dns.qry.type == 1' dns.qry.name)" \
	    example.test
	same handshake "$(packets run.pcapng 'tcp.flags.syn == 1')" 2
	like ways "$(fields run.pcapng 'tcp.flags == 2' frame.packet_flags_direction)" 0x00000002
}
it the_wire_has_this_run_and_nothing_else

done_testing
