# shellcheck shell=bash
# lib.sh - the world that the net tests run in, and how a case says what came of it.
#
# A test script reads:
#
#	. "$(dirname "$0")/lib.sh"
#	in_world "$@"			# or in_host_net "$@": the machine's own network
#	it_does_what_the_name_says() { ... }
#	it it_does_what_the_name_says	# prints "ok", "not ok" or "skip"
#	done_testing
#
# in_world runs the script again, once for each caller: root (cf-spawn --run-as-root) and a
# user without privilege.  Each run has process, mount and network namespaces of its own, so
# nothing on the machine changes and all of it ends with the script.  The world:
#
#	"host"   198.51.100.2    veth    198.51.100.1     "server"
#	         2001:db8:1::2  -------  2001:db8:1::1
#	cf-spawn runs here               203.0.113.10 and .20, 2001:db8::10: nginx, iperf3, echo
#	                                 203.0.113.53, 2001:db8::53: dnsmasq
#	203.0.113.66, 2001:db8::66       swallows all           203.0.113.77  host unreachable
#	192.88.99.1                      network unreachable    203.0.113.78  prohibited
#
# /etc is a copy (a user "cftest" is in it), /run is empty, /dev/net/tun is a node that all
# may open, and what "make install" installs lies in /srv/cf.  A suite that is not run by
# root makes the same with a user namespace around it and skips the pass that needs root.
#
# A case is a function that runs in a subshell under set -e; the first command that fails
# fails it, and so does a wrong result given to same() and its like.  It runs the program
# under test as `cf [options] -- command`.  What it waits for it waits for with until_true.
# TEST_ROOT=DIR has programs that were installed there before with PREFIX=/srv/cf DESTDIR=DIR.
# CASE=pattern and ONLY=root|user pick.
# For the tests' own sake: WITH=native runs the commands without cf-spawn, WITH=pasta under
# Debian's pasta, to see that a failure is not the world's.
#
# SPDX-License-Identifier: MIT

set -u
shopt -s nullglob
SCRIPT=$(readlink -f "$0")
NAME=$(basename "$SCRIPT" .sh)
NET_DIR=$(dirname "$SCRIPT")
SOURCE=$(readlink -f "$NET_DIR/../..")
WITH=${WITH:-}
LIMIT=30			# seconds that one run of cf may take
CASE_LIMIT=100			# and a whole case
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# ---- saying what came of it ----

ok()     { echo "ok $PASS: $1"; }
skip()   { echo "skip $PASS: $1: $2"; }
not_ok() {
	echo "not ok $PASS: $1"
	grep -av ': line [0-9]*: *[0-9]* Killed ' "$2" | tail -n 25 | sed 's/^/#   /'
}

# it FUNCTION [ARG ...]: run a case.  Status 77 skips; its last line says why.
it() {
	local name="${*//_/ }" rc
	[[ -z ${CASE:-} || $1 == *$CASE* ]] || return 0
	(
		set -eE
		exec 8>&2	# a case may redirect its stderr
		trap 'echo "line $LINENO: $BASH_COMMAND: status $?" >&8' ERR
		trap end_jobs EXIT
		trap 'exit 1' TERM
		watch_case "$BASHPID" &
		cd "$T/home"
		"$@"
	) >"$T/case.out" 2>&1 </dev/null
	rc=$?
	case $rc in
	0)  ok "$name" ;;
	77) skip "$name" "$(tail -n 1 "$T/case.out")" ;;
	78) ;;
	*)  not_ok "$name" "$T/case.out" ;;
	esac
	end_runs
	rm -rf "$T/home"
	make_for_caller "$T/home"
}

# A run that a failed case left must not fail the next one.
end_runs() {
	local pids
	pids=$(pids cf-spawn childflow)
	[ -n "$pids" ] || return 0
	# shellcheck disable=SC2086
	kill -9 $pids 2>/dev/null
	until_true 5 nothing_runs || :
}

# A case that waits for what never comes is ended.
watch_case() {	# PID
	timeout "$CASE_LIMIT" tail -s 0.2 --pid="$1" -f /dev/null || [ $? -ne 124 ] || {
		echo "no end after $CASE_LIMIT s"
		kill "$1"
	}
}

# What a case left running would only be killed with the world.
end_jobs() {
	local pids
	pids=$(jobs -p)
	# shellcheck disable=SC2086
	[ -z "$pids" ] || kill -9 $pids 2>/dev/null || :
}

cannot() {	# REASON: leave the case as skipped
	echo "$1"
	exit 77
}
only_for() {	# PASS: a case that says nothing about the other caller
	[ "$PASS" = "$1" ] || exit 78
}
failed() {
	echo "$1" >&8
	exit 1
}
quoted() {
	local text=$1
	[ "${#text}" -le 1000 ] || text="${text:0:1000}..."
	printf %q "$text"
}
same() {	# WHAT GOT WANTED
	[ "$2" = "$3" ] || failed "$1: got $(quoted "$2"), wanted $(quoted "$3")"
}
like() {	# WHAT TEXT REGEX
	[[ $2 =~ $3 ]] || failed "$1: got $(quoted "$2"), wanted a match of $3"
}
unlike() {
	[[ ! $2 =~ $3 ]] || failed "$1: got $(quoted "$2"), wanted no match of $3"
}
status() {	# WANTED COMMAND ...: it ends with this status
	local want=$1 got=0
	shift
	"$@" || got=$?
	[ "$got" -eq "$want" ] || failed "status $got, wanted $want, of: $*"
}
until_true() {	# SECONDS COMMAND ...: wait until it succeeds
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@" 2>/dev/null; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		sleep 0.02
	done
}
ms_now() { echo $((${EPOCHREALTIME/./} / 1000)); }

# ---- running the program ----

# as_caller COMMAND ...: as the caller of this pass.
as_caller() {
	case $PASS in
	root)
		env HOME="$T/home" TMPDIR="$T/tmp" "$@" ;;
	user)
		# shellcheck disable=SC2086
		env HOME="$T/home" TMPDIR="$T/tmp" USER=cftest LOGNAME=cftest $BECOME_USER "$@" ;;
	esac
}

# cf [OPTION ...] -- COMMAND ...: cf-spawn as the caller, within LIMIT.
cf() {
	local how=("$CF")
	[ "$PASS" = user ] || how+=(--run-as-root)
	case $WITH in
	native)
		how=() ;;
	pasta)
		how=(pasta --config-net -q -t none -u none -T none -U none)
		[ "$PASS" = user ] || how+=(--runas 0) ;;
	esac
	if [ -n "$WITH" ]; then
		while [ "$1" != -- ]; do shift; done
		[ "$WITH" = pasta ] || shift
	fi
	as_caller timeout -k 5 "$LIMIT" "${how[@]}" "$@"
}
# The command line that cf would run, for tests that need the process itself.
cf_words() {
	CF_WORDS=("$CF")
	[ "$PASS" = user ] || CF_WORDS+=(--run-as-root)
}
# For cases that ask what only cf-spawn promises.
only_cf() {
	[ -z "$WITH" ] || cannot "says nothing about $WITH"
}

# pids NAME ...: processes of these names that live (not zombies), in this world.
pids() {
	local dir comm name stat
	for dir in /proc/[0-9]*; do
		{ read -r comm <"$dir/comm" && read -r stat <"$dir/stat"; } 2>/dev/null || continue
		[[ ${stat##*) } != [ZX]* ]] || continue
		for name in "$@"; do
			[ "$comm" != "$name" ] || echo "${dir#/proc/}"
		done
	done
}
HELPERS="cf-watcher cf-netstack cf-dns cf-proxy cf-capture cf-upstream cf-upstream-tls"
helpers() {
	# shellcheck disable=SC2086
	pids $HELPERS
}
no_helper() { [ -z "$(helpers)" ]; }
nothing_runs() { [ -z "$(helpers)$(pids cf-spawn childflow)" ]; }
gone() { [ ! -e "/proc/$1" ] || grep -q '^State:.[ZX]' "/proc/$1/status"; }

# What a run could leave behind on the host: interfaces, addresses, routes, rules, mounts,
# settings, processes, files.
host_state() {
	ip -o link
	ip -o addr
	ip route show table all
	ip -6 route show table all | sed 's/ expires [^ ]*//'
	ip rule
	ip -6 rule
	# Named network namespaces of others come and go: removing one detaches it here too.
	sed -E '/ - nsfs /d; s/^[0-9]+ [0-9]+ //' /proc/self/mountinfo
	cat /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv4/ip_forward
	cat /etc/resolv.conf /etc/hosts
	ls -A /tmp /var/tmp /dev/shm /run "$T/tmp" "$T/home"
	echo "helpers:" "$(helpers | wc -l)"
}

# sv COMMAND ...: run on the server.
sv() { nsenter -t "$SERVER" -n -- "$@"; }

# ---- outside: install, and run the script once for each caller ----

outer() {
	local where=$1 build pass
	shift
	if [ $# -gt 1 ]; then
		echo "usage: $0 [BUILD]" >&2
		exit 2
	fi
	build=$(readlink -f "${1:-$SOURCE/build}")
	T=$(mktemp -d "${TMPDIR:-/tmp}/cf-$NAME.XXXXXX") || exit 1
	chmod 755 "$T"
	INSIDE_PID=
	trap 'outer_end' EXIT
	trap 'exit 143' TERM
	trap 'exit 130' INT
	trap 'exit 129' HUP
	install_programs "$build"
	for pass in root user; do
		[[ -z ${ONLY:-} || $ONLY == "$pass" ]] || continue
		run_pass "$pass" "$where" "$build"
	done
	echo "done"
	exit 0
}

outer_end() {
	[ -z "$INSIDE_PID" ] || kill -KILL "$INSIDE_PID" 2>/dev/null
	[ -z "$INSIDE_PID" ] || wait "$INSIDE_PID" 2>/dev/null
	rm -rf "$T"
}

# Installed with DESTDIR: inside the world the tree lies where it was compiled to lie.
install_programs() {
	[ -z "$WITH" ] && [ -z "${TEST_ROOT:-}" ] || return 0
	if ! flock "$1" make -s -C "$SOURCE" install "DEBUG=$([[ $1 == */debug ]] && echo 1 || echo 0)" \
	    PREFIX=/srv/cf DESTDIR="$1/test-root" >"$T/install.out" 2>&1; then
		PASS=all not_ok "make install" "$T/install.out"
		echo "done"
		exit 1
	fi
}

run_pass() {
	local namespaces=(-m -p -f --mount-proc --kill-child=KILL) rc
	PASS=$1
	[ "$2" != world ] || namespaces+=(-n)
	mkdir "$T/$PASS"
	chmod 755 "$T/$PASS"
	if [ "$(id -u)" != 0 ]; then
		if [ "$PASS" = root ]; then
			skip "all" "the suite is not run as root"
			return
		fi
		if [ "$2" != world ] || [ ! -w /dev/net/tun ] || ! unshare -Urmpf --mount-proc true; then
			skip "all" "needs root, or user namespaces and a /dev/net/tun that all may open"
			return
		fi
		namespaces+=(-U -r)
	fi
	setpriv --pdeathsig KILL unshare "${namespaces[@]}" env CF_STAGE="$2" PASS="$PASS" \
	    T="$T/$PASS" BUILD="$3" ROOTLESS="$(id -u):$(id -g)" "$SCRIPT" </dev/null &
	INSIDE_PID=$!
	wait "$INSIDE_PID"
	rc=$?
	INSIDE_PID=
	[ -e "$T/$PASS/finished" ] || echo "not ok $PASS: $NAME ended before its end, status $rc"
}

done_testing() {
	: >"$T/finished"
	exit 0
}

# ---- inside: make the world ----

in_world() {
	[ -n "${CF_STAGE:-}" ] || outer world "$@"
	make_host
	make_links
	make_servers
	cd "$T/home" || exit 1
}

in_host_net() {
	[ -n "${CF_STAGE:-}" ] || outer host_net "$@"
	make_host
	cd "$T/home" || exit 1
}

# must COMMAND ...: a world that cannot be made fails the pass, it does not skip it.
must() {
	"$@" >"$T/must.out" 2>&1 </dev/null && return
	[ ! -e "$T/servers.log" ] || cat "$T/servers.log" >>"$T/must.out"
	not_ok "make the world: $*" "$T/must.out"
	exit 1
}

make_for_caller() {	# DIRECTORY ...
	mkdir -p "$@"
	[ "$PASS" = root ] || [ "$ROOTLESS" != 0:0 ] || chown cftest:cftest "$@"
}

make_host() {
	local uid=${ROOTLESS%:*} gid=${ROOTLESS#*:}
	umask 022
	CF=/srv/cf/bin/cf-spawn
	# Without root a few files cannot be read; none that a test needs.
	if ! cp -a /etc "$T/etc" 2>"$T/must.out" && [ "$ROOTLESS" = 0:0 ]; then
		not_ok "copy /etc" "$T/must.out"
		exit 1
	fi
	must mount --bind "$T/etc" /etc
	if [ "$ROOTLESS" = 0:0 ]; then
		BECOME_USER="setpriv --reuid=cftest --regid=cftest --init-groups --inh-caps=-all --"
		sed -i '/^cftest:/d' /etc/passwd /etc/group
		echo 'cftest:x:61717:61717::/nonexistent:/bin/sh' >>/etc/passwd
		echo 'cftest:x:61717:' >>/etc/group
		echo 'cftest:2000000:65536' >/etc/subuid
		echo 'cftest:2000000:65536' >/etc/subgid
		must mount -t tmpfs tmpfs /dev/net
		must mknod -m 666 /dev/net/tun c 10 200
	else
		BECOME_USER="unshare -U --map-user=$uid --map-group=$gid --"
	fi
	umount -lR /run 2>/dev/null
	must mount -t tmpfs -o mode=755 tmpfs /run
	must mount -t tmpfs -o mode=755 tmpfs /srv
	if [ -z "$WITH" ]; then
		must mkdir /srv/cf
		must mount --bind "${TEST_ROOT:-$BUILD/test-root}/srv/cf" /srv/cf
	fi
	must cp "$NET_DIR"/*.py "$T"
	make_for_caller "$T/home" "$T/tmp"
	own_temporary_directories
	must ip link set lo up
}

# Other programs of the machine come and go in /tmp, and must not be seen to.
own_temporary_directories() {
	local dir
	cd /
	must mkdir /srv/t /srv/source
	must mount --bind "$T" /srv/t
	[ ! -e "$SOURCE/Makefile" ] || must mount --bind "$SOURCE" /srv/source
	for dir in /tmp /var/tmp /dev/shm; do
		mount -t tmpfs -o mode=1777 tmpfs "$dir" || exit 1
	done
	mkdir -p "$T" || exit 1
	mount --bind /srv/t "$T" || exit 1
	# A checkout below /tmp is still needed.
	if [ ! -e "$SOURCE/Makefile" ] && [ -e /srv/source/Makefile ]; then
		mkdir -p "$SOURCE" || exit 1
		mount --bind /srv/source "$SOURCE" || exit 1
	fi
}

make_links() {
	unshare -n sleep infinity &
	SERVER=$!
	until_true 10 eval '[ "$(readlink /proc/$SERVER/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
	must ip link add veth0 type veth peer name veth1 netns "$SERVER"
	must ip addr add 198.51.100.2/24 dev veth0
	must ip -6 addr add 2001:db8:1::2/64 dev veth0 nodad
	# Link-local addresses that do not change by themselves (duplicate detection) meanwhile.
	must ip link set veth0 addrgenmode none
	must sv ip link set veth1 addrgenmode none
	must ip -6 addr add fe80::2/64 dev veth0 nodad
	must sv ip -6 addr add fe80::1/64 dev veth1 nodad
	must ip link set veth0 up
	must sv ip link set lo up
	must sv ip addr add 198.51.100.1/24 dev veth1
	must sv ip -6 addr add 2001:db8:1::1/64 dev veth1 nodad
	must sv ip link set veth1 up
	local a
	for a in 203.0.113.{10,20,53}/32 2001:db8::{10,20,53}/128; do
		must sv ip addr add "$a" dev lo
	done
	must sv ip route add blackhole 203.0.113.66
	must sv ip -6 route add blackhole 2001:db8::66
	must sv ip route add unreachable 203.0.113.77
	must sv ip -6 route add unreachable 2001:db8::77
	must sv ip route add prohibit 203.0.113.78
	must sv sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
	    net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
	must ip route add default via 198.51.100.1
	must ip -6 route add default via 2001:db8:1::1
	allow_ping
	rm -f /etc/resolv.conf
	printf 'nameserver 203.0.113.53\n' >/etc/resolv.conf
	printf '127.0.0.1 localhost\n::1 localhost\n' >/etc/hosts
	printf 'hosts: files dns\n' >/etc/nsswitch.conf
}

allow_ping() {
	if [ "$ROOTLESS" = 0:0 ]; then
		must sysctl -qw net.ipv4.ping_group_range="0 2147483647"
	else
		must sysctl -qw net.ipv4.ping_group_range="0 0"
	fi
}

# serve COMMAND ...: on the server, for as long as the world lives.
serve() { sv "$@" >>"$T/servers.log" 2>&1 </dev/null & }
listening() {	# HOST PORT
	(: <"/dev/tcp/$1/$2")
}

make_servers() {
	mkdir -p "$T/www/files" "$T/nginx" "$T/put"
	chmod 777 "$T/put"
	echo hello >"$T/www/hello"
	make_certificate
	nginx_conf >"$T/nginx.conf"
	dnsmasq_conf >"$T/dnsmasq.conf"
	serve nginx -p "$T/nginx" -c "$T/nginx.conf"
	serve dnsmasq -k -C "$T/dnsmasq.conf" --user=root --group=
	serve socat TCP6-LISTEN:7,ipv6-v6only=0,fork,reuseaddr EXEC:cat
	serve socat UDP4-RECVFROM:7,bind=203.0.113.10,fork EXEC:cat
	serve socat 'UDP6-RECVFROM:7,bind=[2001:db8::10],fork' EXEC:cat
	serve iperf3 -s -B 203.0.113.10
	must until_true 20 listening 203.0.113.10 443
	must until_true 20 listening 203.0.113.53 53
	must until_true 20 listening 203.0.113.10 7
	must until_true 20 listening 203.0.113.10 5201
}

make_certificate() {
	local new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2)
	must "${new[@]}" -subj "/CN=cf test CA" -keyout "$T/ca.key" -out "$T/ca.pem"
	must "${new[@]}" -subj /CN=example.test -CA "$T/ca.pem" -CAkey "$T/ca.key" \
	    -addext basicConstraints=critical,CA:FALSE -addext \
	    "subjectAltName=DNS:example.test,DNS:*.example.test,IP:203.0.113.10,IP:2001:db8::10" \
	    -keyout "$T/server.key" -out "$T/server.pem"
}

nginx_conf() {
	cat <<-END
	daemon off;
	user root;
	worker_processes 2;
	pid $T/nginx/pid;
	error_log $T/nginx/error.log;
	events { worker_connections 4096; }
	http {
		access_log $T/nginx/access.log;
		client_body_temp_path $T/nginx/body;
		proxy_temp_path $T/nginx/proxy;
		fastcgi_temp_path $T/nginx/fastcgi;
		uwsgi_temp_path $T/nginx/uwsgi;
		scgi_temp_path $T/nginx/scgi;
		sendfile on;
		client_max_body_size 0;
		keepalive_requests 100000;
		server {
			listen 80 backlog=4096;
			listen [::]:80 backlog=4096;
			listen 443 ssl;
			listen [::]:443 ssl;
			ssl_certificate $T/server.pem;
			ssl_certificate_key $T/server.key;
			root $T/www;
			default_type application/octet-stream;
			location /whoami { return 200 "\$remote_addr \$http_host\n"; }
			location /put/ { alias $T/put/; dav_methods PUT; }
		}
	}
	END
}

dnsmasq_conf() {
	local i
	cat <<-END
	pid-file=
	no-resolv
	no-hosts
	bind-interfaces
	listen-address=203.0.113.53
	listen-address=2001:db8::53
	local=/test/
	log-queries
	log-facility=$T/dns.log
	host-record=example.test,203.0.113.10,2001:db8::10
	host-record=www.example.test,203.0.113.10,2001:db8::10
	host-record=v4.example.test,203.0.113.10
	host-record=v6.example.test,2001:db8::10
	host-record=second.example.test,203.0.113.20
	host-record=hole.example.test,203.0.113.66
	mx-host=example.test,mail.example.test,10
	txt-record=short.example.test,one string
	srv-host=_http._tcp.example.test,example.test,80
	cname=alias.example.test,example.test
	ptr-record=10.113.0.203.in-addr.arpa,example.test
	END
	for i in {10..29}; do printf 'txt-record=big.example.test,%s-%0240d\n' "$i" 0; done
}
