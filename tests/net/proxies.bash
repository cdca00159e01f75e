# shellcheck shell=bash
# proxies.bash - real proxies for a test's world, on the host's loopback; sourced behind in_world.
#
#	8888 tinyproxy		8889 the same, user and pass
#	1080 microsocks		1081 the same, user and pass
#	3128 squid, with Digest: digger, secret		3129 squid, TLS
#	3130 stunnel, in front of	9100 badproxy.py
#	3131 haproxy, TLS, in front of	8888
#
# SPDX-License-Identifier: MIT

tiny() {	# PORT [LINE]
	cat >"$T/tiny$1.conf" <<-END
	Port $1
	Listen 127.0.0.1
	Timeout 60
	MaxClients 200
	LogFile "$T/tiny$1.log"
	LogLevel Info
	DisableViaHeader Yes
	${2:-}
	END
	tinyproxy -d -c "$T/tiny$1.conf" >>"$T/servers.log" 2>&1 </dev/null &
}
proxy() { "$@" >>"$T/servers.log" 2>&1 </dev/null & }

squid_conf() {
	cat <<-END
	http_port 127.0.0.1:3128
	https_port 127.0.0.1:3129 tls-cert=$T/server.pem tls-key=$T/server.key
	auth_param digest program /usr/lib/squid/digest_file_auth -c $T/squid.users
	auth_param digest realm a realm
	auth_param digest children 1
	acl known proxy_auth REQUIRED
	acl asks localport 3128
	http_access deny asks !known
	http_access allow all
	cache deny all
	access_log stdio:$T/squid/access.log
	cache_log $T/squid/cache.log
	pid_filename none
	coredump_dir $T/squid
	shutdown_lifetime 0 seconds
	pinger_enable off
	END
}

printf 'digger:%s:%s\n' "a realm" \
    "$(printf %s "digger:a realm:secret" | md5sum | cut -d' ' -f1)" >"$T/squid.users"
mkdir -p "$T/squid"
chmod 777 "$T/squid"
chmod 644 "$T/squid.users" "$T/server.key"
squid_conf >"$T/squid.conf"
cat >"$T/stunnel.conf" <<END
foreground = yes
pid =
[front]
accept = 127.0.0.1:3130
connect = 127.0.0.1:9100
cert = $T/server.pem
key = $T/server.key
END
cat "$T/server.pem" "$T/server.key" >"$T/haproxy.pem"
cat >"$T/haproxy.cfg" <<END
global
	log stdout format raw local0
defaults
	mode tcp
	timeout connect 5s
	timeout client 60s
	timeout server 60s
listen front
	bind 127.0.0.1:3131 ssl crt $T/haproxy.pem
	server tiny 127.0.0.1:8888
END
echo '127.0.0.1 proxy.example.test other.example' >>/etc/hosts
tiny 8888
tiny 8889 "BasicAuth user pass"
proxy microsocks -i 127.0.0.1 -p 1080
proxy microsocks -i 127.0.0.1 -p 1081 -u user -P pass
proxy squid -N -f "$T/squid.conf"
proxy stunnel "$T/stunnel.conf"
proxy haproxy -f "$T/haproxy.cfg"
proxy python3 "$T/badproxy.py"
for port in 8888 8889 1080 1081 3128 3129 3130 3131 9100; do
	must until_true 20 listening 127.0.0.1 "$port"
done
HTTP=http://127.0.0.1:8888
TLS=https://proxy.example.test:3129
SOCKS=socks5://127.0.0.1:1080
fetch() { cf "${@:2}" -- curl -sS -m 10 "$1"; }
refused() {	# WHAT PATTERN COMMAND ...: it ends with 125 and says this
	status 125 "${@:3}" 2>err
	like "$1" "$(cat err)" "$2"
}
