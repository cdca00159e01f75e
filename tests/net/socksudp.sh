#!/bin/bash
# socksudp.sh - UDP by a SOCKS5 proxy: dante, which carries it, and microsocks, which does not.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
only_cf

cat >"$T/danted.conf" <<END
logoutput: stderr
internal: 127.0.0.1 port = 1080
external: veth0
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: root
client pass {
	from: 127.0.0.0/8 to: 0.0.0.0/0
}
socks pass {
	from: 0.0.0.0/0 to: 0.0.0.0/0
	log: connect
}
END
danted -f "$T/danted.conf" >>"$T/danted.log" 2>&1 </dev/null &
microsocks -i 127.0.0.1 -p 1081 >>"$T/servers.log" 2>&1 </dev/null &
must until_true 20 listening 127.0.0.1 1080
must until_true 20 listening 127.0.0.1 1081
DANTE=socks5://127.0.0.1:1080
mkdir "$T/h3"
head -c 2M /dev/urandom >"$T/h3/page"
serve gtlsserver -q -d "$T/h3" 203.0.113.10 4433 "$T/server.key" "$T/server.pem"
must until_true 10 eval '[ -n "$(sv ss -Hlun "src 203.0.113.10 and sport = :4433")" ]'

datagrams_go_and_come() {	# ADDRESS OPTION ...
	same echo "$(echo word | cf -p $DANTE "${@:2}" -- socat -t 3 - "UDP4:$1:7")" word
	like "by the proxy" "$(cat "$T/danted.log")" 'udpassociate'
}
it datagrams_go_and_come 203.0.113.10
it datagrams_go_and_come v4.example.test
it datagrams_go_and_come v4.example.test -d 203.0.113.53
it datagrams_go_and_come 203.0.113.10 --proxy-only

many_sizes_pass() {
	cf -p $DANTE -- python3 "$T/sizes.py" 203.0.113.10 >out
	same sizes "$(cat out)" "1 2 100 1000 1472 "
}
cat >"$T/sizes.py" <<'END'
import socket
import sys

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.connect((sys.argv[1], 7))
for n in 1, 2, 100, 1000, 1472:
    s.send(b"x" * n)
    if s.recv(65536) == b"x" * n:
        print(n, end=" ")
END
it many_sizes_pass

flows_end_and_begin() {
	# shellcheck disable=SC2016
	cf -p $DANTE -- bash -c 'for i in {1..20}; do
		echo word$i | socat -t 0.5 - UDP4:203.0.113.10:7; done' >out
	same echoes "$(grep -c word out)" 20
}
it flows_end_and_begin

# HTTP/3: datagrams of full size both ways, and an answer that is many of them.
quic_goes_by_it() {	# HOST
	mkdir got
	chmod 777 got
	cf -p $DANTE -- gtlsclient --no-quic-dump --no-http-dump --exit-on-all-streams-close \
	    --download="$PWD/got" "$1" 4433 "https://$1:4433/page" >out 2>&1 || failed "$(tail -n 3 out)"
	cmp got/page "$T/h3/page"
}
it quic_goes_by_it 203.0.113.10
it quic_goes_by_it v4.example.test

own_frames_do_it_too() {
	same echo "$(echo word | cf -p $DANTE --tcp-path tun -- socat -t 3 - UDP4:203.0.113.10:7)" word
}
it own_frames_do_it_too

a_proxy_that_cannot_is_told() {
	status 1 cf -p socks5://127.0.0.1:1081 -- python3 "$T/sizes.py" 203.0.113.10 2>err
	like line "$(cat err)" "upstream proxy socks5://127.0.0.1:1081: request: it does not know this command"
}
it a_proxy_that_cannot_is_told

done_testing
