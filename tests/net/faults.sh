#!/bin/bash
# faults.sh - whatever fails, a run fails closed, says so in a line, and leaves its evidence and
# nothing else.  faults.py has the matrix; CELL=regex picks from it: CELL='dns kill end'.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
. "$NET_DIR/pcapng.bash"
in_world "$@"
[ -z "$WITH" ] || done_testing

mkdir -p /srv/fault /srv/real "$T/faults"
chmod 777 "$T/faults"
must mount --bind /srv/cf/libexec/childflow /srv/real
must cp "$BUILD/tests/net/faulty" "$T/faulty"

ulimit -n 4096
microsocks -i 127.0.0.1 -p 1080 >>"$T/servers.log" 2>&1 </dev/null &
printf 'Port 8888\nListen 127.0.0.1\nMaxClients 200\n' >"$T/tiny.conf"
tinyproxy -d -c "$T/tiny.conf" >>"$T/servers.log" 2>&1 </dev/null &
cat "$T/server.pem" "$T/server.key" >"$T/both.pem"
socat "OPENSSL-LISTEN:3131,bind=127.0.0.1,fork,reuseaddr,cert=$T/both.pem,verify=0" TCP4:127.0.0.1:8888 \
    >>"$T/servers.log" 2>&1 </dev/null &
echo 127.0.0.1 proxy.example.test >>/etc/hosts
serve /usr/bin/python3 "$T/faults.py" stall 6666
must until_true 20 listening 203.0.113.20 6666
# What is sent to who does not read stays with us.
must sysctl -qw net.ipv4.tcp_wmem="4096 16384 16384"
for port in 1080 8888 3131; do
	must until_true 20 listening 127.0.0.1 "$port"
done

# The command: two flows that go on, and a name (none of it with a file "quiet"); with a file "more" many flows and names; with a
# file "finish" it ends, and with "hold" before that it sends to who does not read.  The process that
# it leaves tries the network when there is a file "go".
cat >"$T/tree.sh" <<'END'
exec 8<>tick
pause() { read -r -t 0.03 -u 8; }
tell() { echo "$2" >"$1.new" && mv "$1.new" "$1"; }
flow() { exec {fd}<>"/dev/tcp/$1/$2"; }
talk() {
	local fd word
	for fd in $said; do
		echo "a word" >&"$fd" && read -r -t 20 -u "$fd" word && [ "$word" = "a word" ] || return
	done
}
tries() {
	until [ -e go ]; do pause; done
	local start=${EPOCHREALTIME/./} what=closed
	(flow 203.0.113.20 7) 2>/dev/null && what=open
	tell after "$what $(((${EPOCHREALTIME/./} - start) / 1000))"
}
more() {
	local i got=0
	for i in {1..200}; do
		flow "203.0.113.$((i % 2 * 10 + 10))" 6666 && got=$((got + 1))
		[ $((i % 20)) != 0 ] || getent ahostsv4 "$i.www.example.test" >/dev/null
	done 2>/dev/null
	tell opened "$got"
}
if [ ! -e quiet ]; then
	flow 203.0.113.10 7 && said=$fd && flow 203.0.113.20 7 && said+=" $fd" && talk || exit 91
	getent ahostsv4 www.example.test >/dev/null || exit 92
fi
for fd in $said; do close+="$fd>&- "; done
eval "tries $close &"
tell begun $$
talks=$said
until [ -e finish ]; do
	[ -z "$talks" ] || talk 2>/dev/null || talks=
	[ ! -e more ] || [ -e opened ] || more
	pause
done
if [ -e hold ]; then
	flow 203.0.113.20 6666 && echo "$PWD/release" >&"$fd"
	head -c 100000 /dev/zero >&"$fd"
	tell written
	until [ -e leave ]; do pause; done
fi
exit 0
END
# Besides what lib.sh looks at: sockets that have a name.
host_now() {
	host_state
	awk '$8 ~ /^@/ { print $8 }' /proc/net/unix
}
BEFORE=$(host_now)
export T PASS BECOME_USER FAULTY="$T/faulty"
/usr/bin/python3 "$T/faults.py"

nothing_is_left_on_the_host() {
	same "the host" "$(diff <(echo "$BEFORE") <(host_now))" ""
}
it nothing_is_left_on_the_host

captures_of_failed_runs_are_read_by_others() {
	local f n=0
	for f in "$T"/faults/*.{kill,stop}.{during,end}/packets; do
		[[ $f == */netstack.* || $f == */capture.* ]] || continue
		no_remarks "$f" || failed "$f"
		n=$((n + 1))
	done
	[ -n "${CELL:-}" ] || [ "$n" -ge 4 ] || failed "there are $n"
}
it captures_of_failed_runs_are_read_by_others

a_report_that_cannot_be_written_fails() {
	local log
	for log in "$T"/faults/netstack.kill.during/log "$T"/faults/*/log; do
		[ ! -f "$log" ] || break
	done
	cp "$log" log.jsonl
	chmod 644 log.jsonl
	local got=0
	as_caller "$CF" --report log.jsonl >/dev/full 2>err || got=$?
	[ "$got" != 0 ] || failed "it says that all is well"
	same lines "$(wc -l <err)" 1
	like line "$(cat err)" 'No space left'
	as_caller "$CF" --report log.jsonl >out || failed "a log that ends early cannot be told"
}
it a_report_that_cannot_be_written_fails
done_testing
