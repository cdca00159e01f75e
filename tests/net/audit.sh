#!/bin/bash
# audit.sh - the helpers of a run with everything on are what cf-doctor audit says.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

DOCTOR=/srv/cf/bin/cf-doctor
PASSWORD=geheimnis-7d1f
as_caller "$DOCTOR" audit --format json >"$T/audit.json"
[ "$ROOTLESS" = 0:0 ] || { skip "all" "to see into helpers takes root"; done_testing; }

cat >"$T/tiny.conf" <<END
Port 8889
Listen 127.0.0.1
Timeout 60
MaxClients 20
LogFile "$T/tiny.log"
BasicAuth user $PASSWORD
END
tinyproxy -d -c "$T/tiny.conf" >>"$T/servers.log" 2>&1 </dev/null &
microsocks -i 127.0.0.1 -p 1081 -u user -P "$PASSWORD" >>"$T/servers.log" 2>&1 </dev/null &
must until_true 20 listening 127.0.0.1 8889
must until_true 20 listening 127.0.0.1 1081

# begin WORD ... -- OPTION ...: cf-spawn behind the words, with everything on; waits until it works.
begin() {
	local before=()
	while [ "$1" != -- ]; do before+=("$1"); shift; done
	shift
	cf_words
	# shellcheck disable=SC2016
	CF_PROXY_PASSWORD=$PASSWORD as_caller timeout -k 5 60 "${before[@]}" "${CF_WORDS[@]}" --summary \
	    --flow-log flows.jsonl -c run.pcapng --allow-domain example.test -U user "$@" -- sh -c '
		curl -sS -m 20 http://example.test/hello && curl -sS -m 20 http://example.test/hello &&
		dig +tcp +time=20 example.test && dig +time=20 AAAA refused.test >/dev/null
		: >up; until [ -e down ]; do sleep 0.05; done' >out 2>err &
	RUN=$!
	until_true 30 test -e up || failed "it did not come up: $(cat err)"
	like "what it got" "$(cat out)" hello
}
finish() {
	touch down
	wait "$RUN" || failed "status $?: $(cat err)"
	like summary "$(cat err)" 'childflow summary'
}
audited() { /usr/bin/python3 "$T/audited.py" "$@"; }

every_helper_is_as_audited() {	# PROXY
	begin -- -p "$1"
	audited live "$T/audit.json" "$(pids cf-spawn | head -n 1)" >found
	same helpers "$(cut -d' ' -f2- found | sort | paste -sd, -)" \
"cf-capture,cf-dns,cf-doctor (summary),cf-netstack,cf-proxy (dialler),cf-proxy (policy),cf-spawn (watcher),cf-upstream"
	finish
}
it every_helper_is_as_audited http://127.0.0.1:8889

# Only cf-upstream needs it again, for the next login; and of a login that was made nothing is left.
the_password_is_where_it_is_needed() {	# PROXY
	local basic
	basic=$(printf %s "user:$PASSWORD" | base64)
	begin -- -p "$1"
	# shellcheck disable=SC2046
	audited find "$PASSWORD" $(helpers) $(pids cf-spawn cf-doctor) >found
	same "processes with it" "$(awk '$2 > 0' found)" "$(pids cf-upstream) 1"
	# shellcheck disable=SC2046
	audited find "$basic" $(helpers) $(pids cf-spawn cf-doctor) >found
	same "with the header" "$(awk '$2 > 0' found)" ""
	finish
}
it the_password_is_where_it_is_needed http://127.0.0.1:8889
it the_password_is_where_it_is_needed socks5://127.0.0.1:1081

no_call_is_outside_the_tables() {
	local who
	mkdir trace
	make_for_caller trace
	echo 'wait = false' >a.toml
	begin strace -qq -ff -o trace/t -e 'raw=!execve,execveat,prctl' -e signal=none -- --profile ./a.toml -p http://127.0.0.1:8889
	finish
	audited calls "$T/audit.json" trace/t.* >found
	for who in cf-capture cf-dns "cf-doctor (summary)" cf-netstack "cf-proxy (dialler)" \
	    "cf-proxy (policy)" "cf-spawn (watcher)" cf-toml cf-upstream; do
		grep -q "^$who [1-9]" found || failed "nothing was seen of $who: $(cat found)"
	done
}
it no_call_is_outside_the_tables

done_testing
