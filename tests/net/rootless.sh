#!/bin/bash
# rootless.sh - who is not root can run the demo and the net tests too.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_host_net "$@"
[ -z "$WITH" ] || done_testing
cp "$SOURCE/tests/demo/run" "$T/demo"
cp -r "$NET_DIR" "$T/net"
mkdir -p "$T/root/srv"
cp -r /srv/cf "$T/root/srv"
chmod -R a+rX "$T/demo" "$T/net" "$T/root"

the_demo_works() {
	as_caller "$T/demo" /srv/cf/bin >out 2>&1 || failed "$(tail -n 20 out)"
	like end "$(tail -n 1 out)" 'It works'
	like summary "$(cat out)" 'childflow summary'
	same "what is left" "$(find /tmp -name 'cf-demo.*')" ""
}
it the_demo_works

the_suite_can_be_run() {	# SCRIPT
	only_for user
	as_caller env -u CF_STAGE TMPDIR=/tmp TEST_ROOT="$T/root" "$T/net/$1.sh" "$T" >out 2>&1 || :
	same failures "$(grep -A 3 '^not ok' out)" ""
	same end "$(tail -n 1 out)" "done"
	[ "$(grep -c '^ok' out)" -gt 5 ]
}
it the_suite_can_be_run status
it the_suite_can_be_run icmp
it the_suite_can_be_run tree

done_testing
