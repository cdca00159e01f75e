#!/bin/bash
# frames.sh - with a dialler behind two plain pipes (ssh host cf-proxy) datagrams work as well.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

for host in 203.0.113.10 2001:db8::10; do
	serve /usr/bin/python3 "$T/dgram.py" serve "$host" 5000 5001
	must until_true 10 /usr/bin/python3 "$T/dgram.py" ask "$host" 5001 hello
done

# far COMMAND ...: with frames.py; what its dialler says is in dialler.err.
far() {
	local dialler status=0
	only_cf
	rm -f up down
	as_caller mkfifo up down
	as_caller /srv/cf/libexec/childflow/cf-proxy <up >down 2>dialler.err &
	dialler=$!
	as_caller timeout -k 5 "$LIMIT" unshare -Urn /usr/bin/python3 "$T/frames.py" up down \
	    /srv/cf/libexec/childflow/cf-netstack "$@" || status=$?
	status 0 wait "$dialler"
	return "$status"
}
far_dgram() { far /usr/bin/python3 "$T/dgram.py" "$@"; }

ping_goes_through_pipes() {	# HOST SIZE
	far ping -n -c 3 -i 0.2 -W 3 -s "$2" "$1" >out || failed "$(cat out)"
	like result "$(cat out)" '3 packets transmitted, 3 received, 0% packet loss'
}
it ping_goes_through_pipes 203.0.113.10 56
it ping_goes_through_pipes 2001:db8::10 8000

datagrams_go_through_pipes() {	# HOST
	same number "$(far_dgram stream "$1" 5000 3000 1200)" 3000
	same number "$(far_dgram sizes "$1" 5000 0 1 9000 65000)" 4
}
it datagrams_go_through_pipes 203.0.113.10
it datagrams_go_through_pipes 2001:db8::10

replies_go_through_pipes() {
	same replies "$(far_dgram later 203.0.113.10 5000 5)" "0 1 2 3 4"
	same number "$(far_dgram sockets 203.0.113.10 5000 200)" 200
}
it replies_go_through_pipes

one_port_through_pipes() {
	like port "$(far_dgram same_port 203.0.113.10:5000 203.0.113.10:5001 '[2001:db8::10]:5000')" '^[0-9]+$'
}
it one_port_through_pipes

a_closed_port_is_told_through_pipes() {	# HOST
	like errno "$(far /usr/bin/python3 "$T/probe.py" udp "$1" 1)" '^ECONNREFUSED '
}
it a_closed_port_is_told_through_pipes 203.0.113.10
it a_closed_port_is_told_through_pipes 2001:db8::10

connections_go_through_pipes() {
	same body "$(far curl -sS http://203.0.113.10/hello)" hello
	same body "$(far curl -gsS 'http://[2001:db8::10]/hello')" hello
}
it connections_go_through_pipes

done_testing
