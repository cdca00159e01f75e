#!/bin/bash
# identity.sh - as whom the command runs: never with the host's root unless that was said.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
W=$BUILD/tests/net/ways

under_sudo() { as_caller env SUDO_UID=61717 SUDO_GID=61717 SUDO_USER=cftest "$@"; }

map_root_is_a_name_only() {
	only_cf
	only_for user
	same id "$(cf --map-root -- id -u):$(cf --map-root -- id -g)" 0:0
	cf --map-root -- cat /proc/self/status >seen
	like CapEff "$(grep CapEff seen)" '0000000000000000'
	like CapPrm "$(grep CapPrm seen)" '0000000000000000'
	cf --map-root -- sh -c 'echo >made'
	same owner "$(stat -c %u made)" "$(as_caller id -u)"
	status 1 cf --map-root -- test -w /etc/passwd
	status 2 cf --map-root -- ip link set tun0 down
	same page "$(cf --map-root -- curl -sS http://example.test/hello)" hello
	like ping "$(cf --map-root -- ping -c 1 203.0.113.10)" '1 received'
	same "raw socket" "$(cf --map-root -- "$W" family 17)" EPERM
	same "raw socket, kept" "$(cf --map-root --cap-net-raw -- "$W" family 17)" open
	same strict "$(cf --map-root --strict -- id -u)" 0
}
it map_root_is_a_name_only

map_root_excludes_what_it_cannot_go_with() {
	only_cf
	if [ "$PASS" = root ]; then
		status 125 cf --map-root -- true 2>err
		like message "$(cat err)" '--map-root is for an ordinary user'
		return 0
	fi
	status 125 cf --map-root --map-subids -- true 2>err
	like message "$(cat err)" 'exclude each other'
}
it map_root_excludes_what_it_cannot_go_with

an_ordinary_user_stays_who_he_is() {
	only_cf
	only_for user
	local options
	for options in --run-as-root "--user cftest"; do
		# shellcheck disable=SC2086
		status 125 cf $options -- true 2>err
		like "$options" "$(cat err)" 'is for root: you are uid'
	done
}
it an_ordinary_user_stays_who_he_is

root_must_choose() {
	only_cf
	only_for root
	status 125 as_caller "$CF" -- true 2>err
	like message "$(cat err)" 'root must say as whom .*--user NAME .*--run-as-root'
	status 125 as_caller "$CF" --user nobody-here -- true 2>err
	like "no such" "$(cat err)" 'no such user'
	status 125 as_caller "$CF" --user root -- true 2>err
	like "root" "$(cat err)" 'is root: say --run-as-root'
	status 125 as_caller "$CF" --user cftest --run-as-root -- true 2>err
	like both "$(cat err)" 'exclude each other'
	local uid
	for uid in 0 x 61717x '' -1; do
		status 125 as_caller env SUDO_UID="$uid" "$CF" -- true 2>err
	done
}
it root_must_choose

under_sudo_it_is_the_invoking_user() {
	only_cf
	only_for root
	chmod 777 .
	same id "$(under_sudo "$CF" -- id -u)" 61717
	same "all ids" "$(under_sudo "$CF" -- id)" \
	    "$(setpriv --reuid=cftest --regid=cftest --init-groups id)"
	under_sudo "$CF" -- cat /proc/self/status >seen
	like uids "$(grep ^Uid seen)" '61717.61717.61717.61717'
	like gids "$(grep ^Gid seen)" '61717.61717.61717.61717'
	like CapEff "$(grep CapEff seen)" '0000000000000000'
	status 1 under_sudo "$CF" -- test -r /etc/shadow
	# What would be wrong with uid 0: kernel settings that root owns.
	status 1 under_sudo "$CF" -- test -w /proc/sys/kernel/core_pattern
	same "said otherwise" "$(under_sudo "$CF" --run-as-root -- id -u)" 0
	same strict "$(under_sudo "$CF" --strict -- id -u)" 61717
}
it under_sudo_it_is_the_invoking_user

run_as_root_has_no_capability() {
	only_cf
	only_for root
	cf -- cat /proc/self/status >seen
	same sets "$(grep -E '^Cap(Inh|Prm|Eff|Amb)' seen | awk '{ print $2 }' | sort -u)" 0000000000000000
	cf --strict -- cat /proc/self/status >seen
	same "sets, strict" "$(grep -E '^Cap(Inh|Prm|Eff|Amb)' seen | awk '{ print $2 }' | sort -u)" 0000000000000000
	# With --seal files it cannot write root's files either.
	status 2 cf --seal files -- sh -c 'echo >/etc/cf-test' 2>err
	test ! -e /etc/cf-test
}
it run_as_root_has_no_capability

done_testing
