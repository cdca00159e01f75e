#!/bin/bash
# doctor.sh - cf-doctor says what a host can and what it cannot, and is right.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
DOCTOR=/srv/cf/bin/cf-doctor
REFUSE=$BUILD/tests/net/refuse

# checked [COMMAND ... --] CHECK: its status and detail, parted by a blank.
checked() {
	local with=()
	if [[ " $* " == *" -- "* ]]; then
		while [ "$1" != -- ]; do
			with+=("$1")
			shift
		done
		shift
	fi
	as_caller timeout 60 "${with[@]}" "$DOCTOR" --format json "$@" >report.json || :
	jq -r '.preflight[] | .status + " " + .detail' report.json
}

a_host_that_can_is_ready() {
	local before
	before=$(host_state)
	status 0 as_caller "$DOCTOR" --format json >"$T/report"
	same "what changed" "$(diff <(echo "$before") <(host_state))" ""
	like status "$(jq -r .status "$T/report")" '^ready'
	same fatal "$(jq -r '.preflight[] | select(.status == "fatal") | .detail' "$T/report")" ""
	same "a run" "$(cf -- echo works)" works
}
it a_host_that_can_is_ready

childflows_keys_are_there() {
	as_caller "$DOCTOR" --format json >report.json
	same keys "$(jq -c 'keys_unsorted' report.json)" \
	    '["backend","uid","euid","status","capabilities","preflight"]'
	same "keys of a capability" "$(jq -c '.capabilities[0] | keys_unsorted' report.json)" \
	    '["key","label","status","detail"]'
	same "keys of a row" "$(jq -c '.preflight[0] | keys_unsorted[:4]' report.json)" \
	    '["label","status","detail","hint"]'
	same "what has no reason" "$(jq '[.preflight[] | select(.why == null)] | length' report.json)" 0
	same "what has no hint" \
	    "$(jq '[.preflight[] | select(.status != "ok" and .hint == null)] | length' report.json)" 0
	as_caller "$DOCTOR" >text
	same first "$(head -n 2 text | tr '\n' ' ')" "childflow doctor backend: rootless-internal "
	like text "$(cat text)" $'\npreflight\n\\[OK\\] external commands\n'
}
it childflows_keys_are_there

cf_spawn_says_the_same() {
	only_cf
	as_caller "$DOCTOR" --format json >theirs
	as_caller "$CF" --doctor --doctor-format json >ours
	same keys "$(jq -c '[.preflight[].label]' ours)" "$(jq -c '[.preflight[].label]' theirs)"
	like text "$(as_caller "$CF" --doctor)" '^childflow doctor'
	status 125 as_caller "$CF" --doctor -- true 2>err
	like "with a command" "$(cat err)" 'leave the command out'
	as_caller "$CF" --doctor -p http://127.0.0.1:9 >seen
	like "its proxy" "$(cat seen)" 'http://127.0.0.1:9: Connection refused'
}
it cf_spawn_says_the_same

a_filter_on_unshare_blocks() {
	status 1 as_caller "$REFUSE" unshare "$DOCTOR" >seen
	like status "$(cat seen)" 'status: blocked'
	like "userns" "$(checked "$REFUSE" unshare -- userns)" '^fatal cannot make a user namespace: '
	like "calls" "$(checked "$REFUSE" unshare -- calls)" '^fatal unshare: .*a seccomp filter is in force'
	like "hint" "$(jq -r '.preflight[0].hint' report.json)" 'seccomp=unconfined'
	same "only that flag" "$(checked "$REFUSE" userns -- calls | cut -d' ' -f1)" ok
	like "only that flag" "$(checked "$REFUSE" userns -- userns)" '^fatal '
	only_cf
	status 125 as_caller "$REFUSE" unshare "$CF" --run-as-root -- true 2>err || status 125 \
	    as_caller "$REFUSE" unshare "$CF" -- true 2>err
}
it a_filter_on_unshare_blocks

a_filter_on_mount_blocks() {
	like mounts "$(checked "$REFUSE" mount -- mounts)" '^fatal cannot make mounts private'
	like calls "$(checked "$REFUSE" mount -- calls)" '^fatal mount: '
	like pid "$(checked "$REFUSE" mount -- pid)" '^warning '
}
it a_filter_on_mount_blocks

a_sysctl_of_zero_blocks() {
	[ "$ROOTLESS" = 0:0 ] || cannot "needs root to set one"
	# A limit of a user namespace of our own holds for those inside it.
	like quota "$(unshare -Ur --mount-proc -pf sh -c '
		echo 0 >/proc/sys/user/max_user_namespaces
		'"$DOCTOR"' quota userns')" '\[FATAL\] user namespace quota.*max_user_namespaces is 0.*cannot make a user'
}
it a_sysctl_of_zero_blocks

a_host_without_tun_blocks() {
	[ "$ROOTLESS" = 0:0 ] || cannot "needs root to hide the device"
	checked tun >seen
	like "with it" "$(cat seen)" '^ok '
	like "without" "$(unshare -m sh -c 'mount -t tmpfs none /dev/net; '"$DOCTOR"' tun' || :)" \
	    'status: blocked.*cannot open /dev/net/tun: No such file.*hint: modprobe tun'
}
it a_host_without_tun_blocks

ping_says_which_sysctl() {
	like refused "$(checked "$REFUSE" icmp -- ping)" '^warning no ICMP socket: .*ping_group_range'
	like hint "$(jq -r '.preflight[0].hint' report.json)" '^sysctl -w net.ipv4.ping_group_range'
	like works "$(checked ping)" '^ok '
}
it ping_says_which_sysctl

resolvers_are_really_asked() {
	local kept
	kept=$(cat /etc/resolv.conf)
	same "one that answers" "$(checked dns)" "ok 1 of 1 resolvers answer"
	printf 'nameserver 203.0.113.66\nnameserver 203.0.113.53\n' >/etc/resolv.conf
	same "one of two" "$(checked dns)" "warning 1 of 2 resolvers answer; 203.0.113.66 does not"
	printf 'nameserver 203.0.113.66\n' >/etc/resolv.conf
	like "none" "$(checked dns)" '^warning no resolver has answered'
	echo "$kept" >/etc/resolv.conf
}
it resolvers_are_really_asked

a_proxy_is_really_asked() {
	like "http" "$(checked -p http://203.0.113.10:80 proxy)" '^ok http://203.0.113.10:80 takes'
	like "by name" "$(checked -p http://example.test:80 proxy)" '^ok '
	like "refused" "$(checked -p http://203.0.113.10:81 proxy)" '^warning .*Connection refused'
	like "silent" "$(checked -p http://203.0.113.66:80 proxy)" '^warning '
	like "no socks" "$(checked -p socks5://203.0.113.10:7 proxy)" '^warning '
	status 2 as_caller "$DOCTOR" -p ftp://x 2>err
	like wrong "$(cat err)" '^cf-doctor: '
}
it a_proxy_is_really_asked

a_profile_is_explained() {
	printf 'allow = ["example.test:443"]\nrun_as_root = true\nproxy_password = "hidden"\n%s\n' \
	    'proxy = "http://203.0.113.10:3128"' >p.toml
	as_caller "$DOCTOR" profile p.toml >seen
	like it "$(cat seen)" 'status: valid.*no rule is about: refused.*mind --run-as-root: '
	like where "$(cat seen)" 'allow: example.test:443.*from [^ ]*p.toml:1'
	unlike secret "$(cat seen)" hidden
	local line
	for line in 'alow = ["x"]' 'allow = ["exa mple"]' 'allow_file = "none.toml"' 'snaplen = -4' 'allow = [' \
	    'extends = "none.toml"'; do
		echo "$line" >q.toml
		status 1 as_caller "$DOCTOR" profile --format json q.toml >seen
		same "valid, $line" "$(jq .valid seen)" false
		like "error, $line" "$(jq -r .error seen)" 'toml'
	done
	status 1 as_caller "$DOCTOR" profile none
	status 2 as_caller "$DOCTOR" profile 2>err
}
it a_profile_is_explained

done_testing
