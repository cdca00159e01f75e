#!/bin/bash
# limits.sh - a tree that wants too much is stopped, and it is said where people look.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

serve /usr/bin/python3 "$T/stream.py" hold_server 203.0.113.10 6001
must until_true 10 listening 203.0.113.10 6001
# in_summary WHICH: how often the tree ran into it.  lines: of the record, about all limits.
in_summary() { sed -nE "s/^limits reached \(times\): (.* )?$1=([0-9]+).*/\\2/p" err; }
lines() { sed -nE 's/^flow-log events: .* limit_reached=([0-9]+).*/\1/p' err; }

connections_beyond_the_descriptors_are_counted() {
	only_cf
	ulimit -Sn 500
	ulimit -Hn 500
	cf --tcp-path tun --summary -- /usr/bin/python3 "$T/stream.py" hold 203.0.113.10 6001 450 10 >out 2>err </dev/null
	like connections "$(head -n 1 out)" '^held 3[0-9][0-9] refused [1-9][0-9]*$'
	same message "$(grep -c 'limit reached: flows of the command tree' err)" 1
	same "times, against the connections that were refused" "$(in_summary flows)" \
	    "$(sed -nE '1s/.* //p' out)"
}
it connections_beyond_the_descriptors_are_counted

a_flood_of_datagram_flows_is_counted_and_does_not_flood_the_record() {
	only_cf
	cf --summary -- /usr/bin/python3 "$T/dgram.py" flood 10000 20000 203.0.113.10 >out 2>err
	same flood "$(cat out)" "done"
	[ "$(in_summary datagram_opening)" -gt 1000 ] || failed "$(cat err)"
	[ "$(lines)" -lt 10 ] || failed "$(lines) lines"
	same message "$(grep -c 'limit reached: UDP and ICMP flows being opened at once (1024)' err)" 1
}
it a_flood_of_datagram_flows_is_counted_and_does_not_flood_the_record

within_the_limits_nothing_is_said() {
	only_cf
	cf --summary -- curl -sS -o out http://203.0.113.10/hello 2>err
	same body "$(cat out)" hello
	unlike summary "$(cat err)" 'limit'
}
it within_the_limits_nothing_is_said

done_testing
