#!/bin/bash
# sockets.sh - sockets of the file system that lend out names, networks and processes.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
W=$BUILD/tests/net/ways

# listen PATH: for whoever comes, in the host's network namespace.
listen() {
	mkdir -p "$(dirname "$1")"
	socat "UNIX-LISTEN:$1,fork,mode=666,unlink-early" /dev/null >/dev/null 2>&1 &
	until_true 5 grep -q "00010000 .* $1\$" /proc/net/unix	# it listens
}
# The same in another one: not in the list of the host's sockets.
listen_elsewhere() {
	mkdir -p "$(dirname "$1")"
	sv socat "UNIX-LISTEN:$1,fork,mode=666,unlink-early" /dev/null >/dev/null 2>&1 &
	until_true 5 sv grep -q "00010000 .* $1\$" /proc/net/unix
}
# reached [OPTION ...] -- PATH: what becomes of connecting to it.
reached() {
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	cf "${options[@]}" -- "$W" connect "$2"
}

without_a_restriction_they_stay() {
	only_cf
	listen /run/docker.sock
	listen "$PWD/own.sock"
	same docker "$(reached -- /run/docker.sock)" open
	same own "$(reached -- "$PWD/own.sock")" open
}
it without_a_restriction_they_stay

every_restriction_covers_them() {
	only_cf
	listen_elsewhere /run/docker.sock
	local options
	for options in --offline --block-private --block-metadata --default-policy=deny \
	    --deny-cidr=10.0.0.0/8 --deny-domain=example.org --allow=example.test --deny=192.0.2.1 \
	    --block-encrypted-dns --seal=sockets; do
		same "$options" "$(reached "$options" -- /run/docker.sock)" EACCES
	done
}
it every_restriction_covers_them

known_places_are_covered() {
	only_cf
	local home=$T/home run=$T/tmp/run path
	mkdir -p "$run"
	for path in /run/podman/podman.sock /run/containerd/containerd.sock /run/crio/crio.sock \
	    /run/libvirt/libvirt-sock /run/snapd.socket /run/dbus/system_bus_socket \
	    /run/systemd/private "$run/bus" "$run/podman/podman.sock" "$run/wayland-0" \
	    "$run/gnupg/S.gpg-agent" "$home/.gnupg/S.gpg-agent" "$run/systemd/private" \
	    /tmp/.X11-unix/X0 /tmp/tmux-61717/default /run/screen/S-user/1.tty; do
		listen_elsewhere "$path"
		export XDG_RUNTIME_DIR=$run
		same "outside, $path" "$(as_caller "$W" connect "$path")" open
		like "$path" "$(reached --block-private -- "$path")" '^(EACCES|ENOENT)$'
		same "without, $path" "$(reached -- "$path")" open
	done
	rm -rf /run/* /tmp/.X11-unix /tmp/tmux-61717
}
it known_places_are_covered

what_a_variable_names_is_covered() {
	only_cf
	listen_elsewhere "$PWD/agent"
	local value
	for value in "$PWD/agent" "unix://$PWD/agent" "unix:path=$PWD/agent,guid=1" "$PWD/agent,12,0"; do
		same "$value" "$(SOME_NAME=$value reached --block-private -- "$PWD/agent")" EACCES
	done
	same "without it" "$(reached --block-private -- "$PWD/agent")" open
}
it what_a_variable_names_is_covered

what_is_bound_is_covered() {
	only_cf
	listen "$PWD/control master"
	socat -u "UNIX-RECV:$PWD/datagrams,mode=666" /dev/null &
	until_true 5 test -S "$PWD/datagrams"
	same stream "$(reached --block-private -- "$PWD/control master")" EACCES
	same datagram "$(reached --block-private -- "$PWD/datagrams")" EACCES
	same "without" "$(reached -- "$PWD/datagrams")" open
	cf --block-private -v -- true 2>err
	like "-v" "$(cat err)" '4 sockets and directories of sockets are covered'	# each by two paths
}
it what_is_bound_is_covered

another_path_to_the_same_socket_is_covered() {
	only_cf
	mkdir -p /run/podman /run/nscd "/srv/other path"
	mount --bind /run "/srv/other path"
	listen "$PWD/own.sock"
	listen /run/podman/podman.sock
	listen /run/nscd/socket
	local own=/srv/t/home/own.sock	# lib.sh shows the directory of the test twice
	same "own, outside" "$(as_caller "$W" connect "$own")" open
	same "own" "$(reached --block-private -- "$own")" EACCES
	same "in a directory" "$(reached --block-private -- "/srv/other path/podman/podman.sock")" ENOENT
	same "without" "$(reached -- "/srv/other path/podman/podman.sock")" open
	same "of names" "$(reached -- "/srv/other path/nscd/socket")" ENOENT
	umount "/srv/other path"
	rm -rf /run/podman /run/nscd
}
it another_path_to_the_same_socket_is_covered

the_log_and_the_trees_own_sockets_work() {
	only_cf
	mkdir -p /run/systemd/journal
	listen /run/systemd/journal/socket
	same log "$(reached --offline -- /run/systemd/journal/socket)" open
	# shellcheck disable=SC2016
	same own "$(cf --offline -- bash -c '
		socat UNIX-LISTEN:mine,fork /dev/null & 
		until [ -S mine ]; do sleep 0.02; done
		"$0" connect mine; kill $!' "$W")" open
}
it the_log_and_the_trees_own_sockets_work

allow_socket_opens_one() {
	only_cf
	listen /run/podman/podman.sock
	listen /run/podman/sub/other.sock
	listen "$PWD/own.sock"
	local options=(--offline --allow-socket /run/podman/podman.sock)
	same it "$(reached "${options[@]}" -- /run/podman/podman.sock)" open
	like "beside it" "$(reached "${options[@]}" -- /run/podman/sub/other.sock)" 'EACCES|ENOENT'
	same "another" "$(reached "${options[@]}" -- "$PWD/own.sock")" EACCES
	ln -s own.sock link
	same "by a link" "$(reached --offline --allow-socket link -- "$PWD/own.sock")" open
	cf "${options[@]}" --seal sockets --summary -- true 2>err
	like summary "$(cat err)" 'allow-socket=/run/podman/podman.sock'
	like summary "$(cat err)" 'seal=sockets'
	status 125 cf --offline --allow-socket /run/none -- true 2>err
	like missing "$(cat err)" 'cannot find --allow-socket /run/none'
	rm -rf /run/podman
}
it allow_socket_opens_one

a_new_socket_in_a_covered_directory_is_covered() {
	only_cf
	listen_elsewhere /run/podman/podman.sock
	# shellcheck disable=SC2016
	cf --offline -- bash -c '
		echo >ready
		until [ -e again ]; do sleep 0.02; done
		"$0" connect /run/podman/podman.sock' "$W" >seen &
	local job=$!
	until_true 10 test -e ready
	listen_elsewhere /run/podman/podman.sock
	listen_elsewhere /run/podman/second.sock
	: >again
	wait "$job"
	like seen "$(cat seen)" 'ENOENT|EACCES'
	rm -rf /run/podman
}
it a_new_socket_in_a_covered_directory_is_covered

name_services_are_always_covered() {
	only_cf
	local path
	for path in /run/nscd/socket /run/systemd/resolve/io.systemd.Resolve /run/avahi-daemon/socket; do
		listen "$path"
		same "$path outside" "$(as_caller "$W" connect "$path")" open
		same "$path" "$(reached -- "$path")" ENOENT
		status 125 cf --offline --allow-socket "$path" -- true 2>err
		like "$path" "$(cat err)" 'answers names .* stays covered'
	done
	rm -rf /run/*
}
it name_services_are_always_covered

a_resolv_conf_in_a_covered_place_is_still_ours() {
	only_cf
	listen_elsewhere /run/tailscale/tailscaled.sock
	printf 'nameserver 203.0.113.53\n' >/run/tailscale/resolv.conf
	ln -sf /run/tailscale/resolv.conf /etc/resolv.conf
	like text "$(cf --block-metadata -- cat /etc/resolv.conf)" 'nameserver 192.0.0.1'
	same socket "$(reached --block-metadata -- /run/tailscale/tailscaled.sock)" EACCES
	rm -f /etc/resolv.conf
	printf 'nameserver 203.0.113.53\n' >/etc/resolv.conf
	rm -rf /run/tailscale
}
it a_resolv_conf_in_a_covered_place_is_still_ours

# landlock_abi: which one the kernel has; 0: none.
landlock_abi() {
	python3 -c 'import ctypes; print(max(0, ctypes.CDLL(None).syscall(444, 0, 0, 1)))'
}
with_landlock_no_socket_outside_is_reached() {
	only_cf
	local abi
	abi=$(landlock_abi)
	[ "$abi" -ge 9 ] || cannot "this kernel's Landlock has ABI $abi, and sockets take 9 (Linux 7.1)"
	# shellcheck disable=SC2016
	cf --seal sockets -- bash -c '
		echo >ready
		until [ -S late ]; do sleep 0.02; done
		"$0" connect late
		socat UNIX-LISTEN:mine /dev/null & 
		until [ -S mine ]; do sleep 0.02; done
		"$0" connect mine' "$W" >seen &
	local job=$!
	until_true 10 test -e ready
	listen_elsewhere "$PWD/late"
	wait "$job"
	same "made later, own" "$(tr '\n' ' ' <seen)" "EACCES open "
	same "allowed" "$(reached --seal sockets --allow-socket late -- late)" open
	mkdir -p one two
	status 0 cf --seal sockets -- sh -c 'echo >one/x && mv one/x two/'
}
it with_landlock_no_socket_outside_is_reached

wrong_parts_are_refused() {
	only_cf
	status 125 cf --seal socket -- true 2>err
	like message "$(cat err)" '--seal.*"socket" is none of: .*sockets'
	status 125 cf --seal sockets, -- true 2>err
	status 125 cf --seal '' -- true 2>err
}
it wrong_parts_are_refused

done_testing
