#!/bin/bash
# pipes.sh - a run whose network is at the far end of a pipe: ssh, nsenter, and who breaks it.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
only_cf

# The far end is the server: what comes from there comes from its own addresses.
FAR_HOST=198.51.100.1
PORT=2222
BIN=/srv/cf/libexec/childflow
PROXY=$BIN/cf-proxy
DNS=$BIN/cf-dns

make_sshd() {
	mkdir -p /run/sshd "$T/ssh"
	chmod 700 "$T/ssh"
	must ssh-keygen -q -t ed25519 -N '' -f "$T/ssh/host"
	make_for_caller "$T/client"
	must as_caller ssh-keygen -q -t ed25519 -N '' -f "$T/client/key"
	cp "$T/client/key.pub" "$T/ssh/authorized"
	cat >"$T/ssh/config" <<-END
	Port $PORT
	ListenAddress $FAR_HOST
	HostKey $T/ssh/host
	PidFile none
	AuthorizedKeysFile $T/ssh/authorized
	StrictModes no
	UsePAM no
	PasswordAuthentication no
	PermitRootLogin yes
	MaxStartups 100
	END
	serve /usr/sbin/sshd -D -e -f "$T/ssh/config"
	must until_true 10 listening "$FAR_HOST" "$PORT"
}
make_sshd
SSH="ssh -F none -p $PORT -i $T/client/key -o BatchMode=yes -o StrictHostKeyChecking=no \
-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=10 root@$FAR_HOST"

for host in 203.0.113.10 2001:db8::10; do
	serve /usr/bin/python3 "$T/dgram.py" serve "$host" 5000 5001
	must until_true 10 /usr/bin/python3 "$T/dgram.py" ask "$host" 5001 hello
done

by_ssh() {	# [OPTION ...] -- COMMAND ...
	cf --proxy-helper "$SSH $PROXY" --dns-helper "$SSH $DNS" "$@"
}
get() { by_ssh -- curl -gsS -m 20 "$1"; }

# ---- ssh ----

what_leaves_leaves_there() {	# URL PATTERN
	like "who came" "$(get "$1")" "$2"
}
it what_leaves_leaves_there http://203.0.113.10/whoami '^203\.0\.113\.10 '
it what_leaves_leaves_there 'http://[2001:db8::10]/whoami' '^2001:db8::10 '
it what_leaves_leaves_there http://v4.example.test/whoami '^203\.0\.113\.10 v4\.example\.test'

names_are_asked_there() {
	: >"$T/dns.log"
	same page "$(get http://www.example.test/hello)" hello
	like query "$(cat "$T/dns.log")" 'query\[A\] www\.example\.test from (203\.0\.113\.53|127\.0\.0\.1)'
	same long "$(by_ssh -- dig +short +notcp big.example.test TXT | wc -l)" 20
	same reverse "$(by_ssh -- dig +short -x 203.0.113.10)" example.test.
	like none "$(by_ssh -- dig nowhere.example.test)" NXDOMAIN
	same asked "$(by_ssh -- dig +short @203.0.113.53 v4.example.test)" 203.0.113.10
}
it names_are_asked_there

datagrams_go_there() {	# HOST
	same number "$(by_ssh -- /usr/bin/python3 "$T/dgram.py" sizes "$1" 5000 0 1 9000 65000)" 4
	like errno "$(by_ssh -- /usr/bin/python3 "$T/probe.py" udp "$1" 1)" '^ECONNREFUSED '
}
it datagrams_go_there 203.0.113.10
it datagrams_go_there 2001:db8::10

errors_are_those_of_there() {
	like refused "$(by_ssh -- /usr/bin/python3 "$T/probe.py" tcp 203.0.113.10 1)" '^ECONNREFUSED '
}
it errors_are_those_of_there

much_comes_whole() {
	head -c 20000000 /dev/urandom >"$T/www/much"
	get http://203.0.113.10/much | cmp - "$T/www/much"
	by_ssh -- curl -sS -m 60 -T - http://203.0.113.10/put/up <"$T/www/much"
	cmp "$T/www/much" "$T/put/up"
	rm -f "$T/put/up"
}
it much_comes_whole

# Four flows whose reader stands still, and a hundred others meanwhile.
a_stalled_flow_stalls_no_other() {
	head -c 4000000 /dev/zero >"$T/www/zeros"
	# shellcheck disable=SC2016
	by_ssh -- bash -c '
		for i in 1 2 3 4; do
			exec {fd}<>/dev/tcp/203.0.113.10/80
			printf "GET /zeros HTTP/1.0\r\n\r\n" >&$fd
			stalled+=" $fd"
		done
		curl -sS -m 60 --parallel --parallel-immediate --parallel-max 100 -o /dev/null \
		    -w "%{http_code}\n" "http://203.0.113.10/hello?[1-100]" >codes
		for fd in $stalled; do cat <&$fd | wc -c; done' >sizes
	same codes "$(sort codes | uniq -c | xargs)" "100 200"
	while read -r n; do
		[ "$n" -gt 4000000 ] || failed "a stalled flow lost bytes: $n came"
	done <sizes
	same flows "$(wc -l <sizes)" 4
}
it a_stalled_flow_stalls_no_other

rules_are_judged_here() {
	: >"$T/dns.log"
	status 7 by_ssh --deny-cidr 203.0.113.20 -- curl -sS -m 10 http://203.0.113.20/hello 2>err
	like line "$(cat err)" 'deny-cidr'
	status 6 by_ssh --deny-domain example.test -- curl -sS -m 10 http://www.example.test/ 2>err
	unlike "asked there" "$(cat "$T/dns.log")" 'query.*example\.test'
	status 6 by_ssh --offline -- curl -sS -m 10 http://www.example.test/ 2>err
	unlike "asked there" "$(cat "$T/dns.log")" 'query.*example\.test'
	same page "$(by_ssh --allow v4.example.test -- curl -sS -m 10 http://v4.example.test/hello)" hello
	same synthetic "$(by_ssh --dns-mode synthetic -- curl -sS -m 10 http://v4.example.test/hello)" hello
}
it rules_are_judged_here

# ---- how names are found ----

a_resolver_is_asked_from_there() {
	: >"$T/dns.log"
	same page "$(cf --proxy-helper "$SSH $PROXY" -d 203.0.113.53 -- \
	    curl -sS -m 20 http://v4.example.test/hello)" hello
	like query "$(cat "$T/dns.log")" 'query\[A\] v4\.example\.test from 203\.0\.113\.53'
	same long "$(cf --proxy-helper "$SSH $PROXY" -d 203.0.113.53 -- \
	    dig +short big.example.test TXT | wc -l)" 20
}
it a_resolver_is_asked_from_there

a_resolver_is_asked_from_here() {
	: >"$T/dns.log"
	like there "$(cf --proxy-helper "$SSH $PROXY" --dns-direct -- \
	    curl -sS -m 20 http://v4.example.test/whoami)" '^203\.0\.113\.10 '
	like query "$(cat "$T/dns.log")" 'query\[A\] v4\.example\.test from 198\.51\.100\.2'
}
it a_resolver_is_asked_from_here

names_alone_are_asked_there() {
	: >"$T/dns.log"
	like here "$(cf --dns-helper "$SSH $DNS" -- curl -sS -m 20 http://v4.example.test/whoami)" \
	    '^198\.51\.100\.2 '
	unlike query "$(cat "$T/dns.log")" 'query\[A\] v4\.example\.test from 198\.51\.100\.2'
}
it names_alone_are_asked_there

the_far_end_has_rules_of_its_own() {
	status 6 cf --dns-helper "$SSH $DNS --deny-domain v4.example.test" -- \
	    curl -sS -m 20 http://v4.example.test/hello 2>err
	like line "$(cat err)" 'deny-domain'
}
it the_far_end_has_rules_of_its_own

# ---- other pipes ----

another_namespace_passes_sockets() {
	only_for root
	local far="nsenter -t $SERVER -n"
	like there "$(cf --proxy-helper "$far $PROXY" --dns-helper "$far $DNS" -- \
	    curl -sS -m 20 http://v4.example.test/whoami)" '^203\.0\.113\.10 '
	cf -v -v --proxy-helper "$far $PROXY" -d 203.0.113.53 -- true 2>err
	like how "$(cat err)" 'sockets come as descriptors'
}
it another_namespace_passes_sockets

any_shell_line_is_a_helper() {
	same page "$(cf --proxy-helper "cat | $PROXY | cat" -d 203.0.113.53 -- \
	    curl -sS -m 20 http://v4.example.test/hello)" hello
}
it any_shell_line_is_a_helper

# ---- its end ----

a_cut_pipe_ends_the_run() {
	local run
	by_ssh --status-fd 7 -- sh -c 'echo started; exec sleep 60' 7>status >out 2>err &
	run=$!
	until_true 20 grep -q started out
	for p in $(pids cf-proxy); do	# when one goes, the others there follow
		[ "$(readlink "/proc/$p/ns/net")" != "$(readlink "/proc/$SERVER/ns/net")" ] ||
		    kill -9 "$p" 2>/dev/null || gone "$p"
	done
	status 125 wait "$run"
	like line "$(cat err)" "the helper .ssh .*the command's network is gone"
	like reason "$(cat status)" '"reason": ?"helper"'
	until_true 10 nothing_runs
}
it a_cut_pipe_ends_the_run

a_killed_run_leaves_nothing() {
	local run
	by_ssh -- sh -c 'echo started; exec sleep 60' >out 2>err &
	run=$!
	until_true 20 grep -q started out
	kill -9 "$(pids cf-spawn | head -1)"
	wait "$run" || :
	until_true 10 no_helper
	until_true 10 eval '[ -z "$(pids ssh)" ]'
	# shellcheck disable=SC2046
	kill $(pids sleep | grep -vx "$SERVER") 2>/dev/null || :
}
it a_killed_run_leaves_nothing

it_says_why_it_does_not_start() {	# PATTERN COMMAND
	status 125 cf --proxy-helper "$2" -d 203.0.113.53 -- true 2>err
	like line "$(cat err)" "$1"
	until_true 10 nothing_runs
}
it it_says_why_it_does_not_start 'the helper .exit 3. ended with status 3' 'exit 3'
it it_says_why_it_does_not_start 'the helper .true. ended with status 0' 'true'
it it_says_why_it_does_not_start 'not found' '/nonexistent'
it it_says_why_it_does_not_start 'sent garbage' 'echo Welcome to this host; exec cat'

# Its end is waited for: what it still says is of no interest, but no broken pipe either.
what_comes_late_is_no_failure() {	# MESSAGES-OF OPTION ...
	cat >late.py <<-'END'
	import struct, sys, time
	def send(message, body):
	    sys.stdout.buffer.write(struct.pack('<IHHQ', len(body), message, 0, 5) + body)
	    sys.stdout.buffer.flush()
	role, late, length = map(int, sys.argv[1:])
	send(1, struct.pack('<HHI', 1, role, 0))
	while sys.stdin.buffer.read(16):
	    pass
	time.sleep(0.2)
	send(late, bytes(length))
	END
	same output "$(cf "${@:2}" "/usr/bin/python3 $PWD/late.py $1" -- echo fine 2>err)" fine
	same messages "$(cat err)" ""
}
it what_comes_late_is_no_failure "16 38 4" -d 203.0.113.53 --proxy-helper	# DIAL, WINDOW
it what_comes_late_is_no_failure "4 17 12" --dns-helper			# DNS, ANSWER

# It may ask a person for something, so it is not ended; but nobody has to guess what is waited for.
who_is_waited_for_is_said() {
	only_for root
	cf --proxy-helper 'cat >/dev/null' -d 203.0.113.53 -- true 2>err &
	until_true 30 grep -q 'a helper of yours has not said HELLO' err
	kill "$(pids cf-spawn | head -n 1)"
	wait $! || :
	until_true 10 nothing_runs
}
it who_is_waited_for_is_said

refuses() {	# WHAT OPTION ...
	local what=$1
	shift
	status 125 cf "$@" -- true 2>err
	like line "$(cat err)" "$what"
}
it refuses 'where are names looked up' --proxy-helper x
it refuses 'exclude each other' --proxy-helper x -p http://127.0.0.1:1
it refuses 'exclude each other' --dns-helper x -d 203.0.113.53
it refuses 'exclude each other' --dns-helper x --proxy-helper x --dns-direct
it refuses 'exclude each other' --capture-helper x -c y.pcapng

# ---- packets ----

packets_go_to_a_helper() {
	cf --capture-helper "$BIN/cf-capture --write-fd 3 3>packets.pcapng" -- \
	    curl -sS http://203.0.113.10/hello >out
	same page "$(cat out)" hello
	like packets "$(tshark -r packets.pcapng -Y http.request -T fields -e http.request.uri)" '^/hello'
}
it packets_go_to_a_helper

done_testing
