#!/bin/bash
# http.sh - a web client inside gets what it would get outside.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

gets_a_page() {	# URL
	same body "$(cf -- curl -sS --cacert "$T/ca.pem" "$1")" hello
}
it gets_a_page http://203.0.113.10/hello
it gets_a_page 'http://[2001:db8::10]/hello'
it gets_a_page https://203.0.113.10/hello
it gets_a_page 'https://[2001:db8::10]/hello'
it gets_a_page http://example.test/hello
it gets_a_page https://www.example.test/hello
it gets_a_page http://v4.example.test/hello
it gets_a_page http://v6.example.test/hello

works_under_its_second_name() {
	only_cf
	CF=/srv/cf/bin/childflow
	same body "$(cf -- curl -sS http://example.test/hello)" hello
}
it works_under_its_second_name

# The server sees the host, as it would without a sandbox.
the_server_sees_the_host() {
	same v4 "$(cf -- curl -sS http://203.0.113.10/whoami)" "198.51.100.2 203.0.113.10"
	same v6 "$(cf -- curl -sS 'http://[2001:db8::10]/whoami')" "2001:db8:1::2 [2001:db8::10]"
}
it the_server_sees_the_host

refuses_a_certificate_of_nobody() {
	status 60 cf -- curl -sS https://example.test/hello
}
it refuses_a_certificate_of_nobody

# Pseudo-random bytes: what is lost, doubled or moved shows.
make_body() {	# FILE LENGTH
	openssl enc -aes-128-ctr -K 0f -iv 0 -in /dev/zero 2>/dev/null | head -c "$2" >"$1"
}
make_body "$T/www/files/gigabyte" 1G
make_body "$T/www/files/small" 100001

a_gibibyte_comes_down_whole() {
	cf -- curl -sS http://203.0.113.10/files/gigabyte | cmp - "$T/www/files/gigabyte"
}
it a_gibibyte_comes_down_whole

a_gibibyte_comes_down_whole_over_ipv6_and_tls() {
	cf -- curl -sS --cacert "$T/ca.pem" 'https://[2001:db8::10]/files/gigabyte' |
	    cmp - "$T/www/files/gigabyte"
}
it a_gibibyte_comes_down_whole_over_ipv6_and_tls

a_gibibyte_goes_up_whole() {
	cf -- curl -sS -f -T "$T/www/files/gigabyte" http://203.0.113.10/put/gigabyte
	cmp "$T/put/gigabyte" "$T/www/files/gigabyte"
}
it a_gibibyte_goes_up_whole
rm -f "$T/put/gigabyte"

# The end of what is sent is seen as such while the answer is still to come (half close).
half_close_is_passed_on() {
	serve socat TCP4-LISTEN:9000,reuseaddr,fork 'EXEC:sha256sum'
	until_true 10 listening 203.0.113.10 9000
	local got want
	want=$(head -c 64M "$T/www/files/gigabyte" | sha256sum)
	got=$(head -c 64M "$T/www/files/gigabyte" | cf -- nc -N 203.0.113.10 9000)
	same digest "$got" "$want"
}
it half_close_is_passed_on

# 500 at once, each compared: no stream gets another's bytes.
five_hundred_requests_at_once() {	# HOST
	{
		echo parallel
		echo parallel-immediate
		echo parallel-max = 300
		for i in {1..500}; do
			printf 'url = "http://%s/files/small"\noutput = "body.%s"\n' "$1" "$i"
		done
	} >curl.conf
	LIMIT=90 cf -- curl -sS -f --no-progress-meter -K curl.conf
	same files "$(find . -name 'body.*' | wc -l)" 500
	for i in {1..500}; do
		cmp "body.$i" "$T/www/files/small"
	done
}
it five_hundred_requests_at_once 203.0.113.10
it five_hundred_requests_at_once example.test

# Not one client with 500 connections but 100 processes, each with its own.
a_hundred_clients_at_once() {
	# shellcheck disable=SC2016
	cf -- sh -c '
		i=0
		while [ $i -lt 100 ]; do
			curl -sS http://example.test/hello &
			i=$((i + 1))
		done
		wait' >out
	same answers "$(grep -c '^hello$' out)" 100
}
it a_hundred_clients_at_once

clones_a_repository() {	# URL
	[ -x "$(command -v git)" ] || cannot "git is not installed"
	[ -d "$T/www/repo.git" ] || make_repository
	GIT_SSL_CAINFO=$T/ca.pem cf -- git clone -q "$1" clone
	git -c safe.directory='*' -C clone log --format=%s >log
	same commits "$(wc -l <log)" 20
	cmp clone/big "$T/www/files/small"
}
make_repository() {
	local i git=(git -c user.name=a -c user.email=a@example.test -c init.defaultBranch=main)
	"${git[@]}" init -q "$T/repo"
	cp "$T/www/files/small" "$T/repo/big"
	for i in {1..20}; do
		echo "$i" >"$T/repo/file.$i"
		"${git[@]}" -C "$T/repo" add -A
		"${git[@]}" -C "$T/repo" commit -q -m "commit $i"
	done
	git clone -q --bare "$T/repo" "$T/www/repo.git"
	git -C "$T/www/repo.git" update-server-info
	chmod -R a+rX "$T/www/repo.git"
}
it clones_a_repository http://example.test/repo.git
it clones_a_repository https://example.test/repo.git

echoes_datagrams() {	# FAMILY ADDRESS
	cf -- /usr/bin/python3 "$T/probe.py" udp_echo "$2" 7 1 512 1400 8000
}
it echoes_datagrams IPv4 203.0.113.10
it echoes_datagrams IPv6 2001:db8::10

measures_with_iperf3() {	# OPTION ...
	cf -- iperf3 -c 203.0.113.10 -t 1 "$@" >out || failed "$(cat out)"
	grep -q 'iperf Done' out
}
it measures_with_iperf3
it measures_with_iperf3 -R
it measures_with_iperf3 -u -b 50M

done_testing
