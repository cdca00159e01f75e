#!/bin/bash
# pcap.sh - cf-doctor pcap counts what is in a capture, as tshark does.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
. "$NET_DIR/pcapng.bash"
in_world "$@"
DOCTOR=/srv/cf/bin/cf-doctor

# A run with TCP, UDP and ICMP of both families, an answer, a refusal and a name.
record() {
	cf -c run.pcapng "$@" -- sh -c '
		curl -sS -4 http://example.test/hello
		curl -sS -6 http://example.test/hello
		curl -sS http://203.0.113.10:81/
		ping -c 1 203.0.113.10
		echo udp | socat -t 0.1 - UDP4:203.0.113.10:7' >/dev/null 2>&1
	as_caller "$DOCTOR" pcap --format json run.pcapng >report.json
}
# of PROTOCOL ADDRESS KEY: of its flow.
of() { jq -r --arg p "$1" --arg a "$2" '.flows[] | select(.protocol == $p and .to == $a) | '"$3" report.json; }

# bytes_by_port: "PORT BYTES" of the tree's ports of TCP and UDP, as tshark has them.
bytes_by_port() {
	fields run.pcapng '(tcp || udp) && !icmp' ip.src ipv6.src tcp.srcport udp.srcport tcp.dstport \
	    udp.dstport frame.len | tr -s ' ' | sed 's/^ //' | awk '
		{ port = $1 == "192.0.0.2" || $1 == "2001:2:0:cf::2" ? $2 : $3; n[port] += $4 }
		END { for (port in n) print port, n[port] }' | sort
}

flows_are_counted_as_tshark_counts_them() {
	only_cf
	record
	same sound "$(jq .sound report.json)" true
	same packets "$(jq '[.interfaces[].packets] | add' report.json)" "$(packets run.pcapng)"
	same bytes "$(jq -r '.flows[] | select(.protocol == "tcp" or .protocol == "udp") |
	    (.from | split(":")[-1]) + " " + (.up.bytes + .down.bytes | tostring)' report.json | sort)" \
	    "$(bytes_by_port)"
	same "payload of a page" "$(of tcp 203.0.113.10:80 .up.payload)" "$(fields run.pcapng \
	    'ip.dst == 203.0.113.10 && tcp.dstport == 80' tcp.len | awk '{ n += $1 } END { print n }')"
	same flows "$(jq '[.flows[] | select(.protocol == "tcp")] | length' report.json)" \
	    "$(fields run.pcapng tcp tcp.stream | sort -u | wc -l)"
	same end "$(of tcp 203.0.113.10:80 .end)" closed
	same name "$(of tcp 203.0.113.10:80 .name)" example.test
	same process "$(of tcp 203.0.113.10:80 .process)" curl
	like comment "$(of tcp 203.0.113.10:80 .comment)" 'verdict=allow'
	same refused "$(of tcp 203.0.113.10:81 .end)" refused
	same v6 "$(of tcp '[2001:db8::10]:80' .end)" closed
	same ping "$(of icmpv4 203.0.113.10:0 .down.packets)" 1
	same missing "$(jq '[.flows[] | .up.missing + .down.missing] | add' report.json)" 0
	like text "$(as_caller "$DOCTOR" pcap run.pcapng)" \
	    'status: sound.*-> 203.0.113.10:80 \(example.test\), closed'
	same "standard input" "$(as_caller "$DOCTOR" pcap --format json - <run.pcapng |
	    jq '.flows | length')" "$(jq '.flows | length' report.json)"
}
it flows_are_counted_as_tshark_counts_them

what_is_not_whole_is_said() {
	only_cf
	record --snaplen 60
	[ "$(jq '.interfaces[0].cut_packets' report.json)" -gt 0 ]
	same "payload" "$(of tcp 203.0.113.10:80 .up.payload)" \
	    "$(fields run.pcapng 'ip.dst == 203.0.113.10 && tcp.dstport == 80' tcp.len | awk '{ n += $1 } END { print n }')"
	head -c -7 run.pcapng >cut.pcapng
	status 1 as_caller "$DOCTOR" pcap cut.pcapng >out
	like cut "$(cat out)" 'not sound.*the last block is cut'
	status 1 as_caller "$DOCTOR" pcap /etc/passwd >out
	like other "$(cat out)" 'this is no pcapng file'
	status 1 as_caller "$DOCTOR" pcap none 2>err
	status 2 as_caller "$DOCTOR" pcap 2>err
}
it what_is_not_whole_is_said

done_testing
