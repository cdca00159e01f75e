#!/bin/bash
# manytunnels.sh - 5,000 tunnels at once through squid.
# alone: squid and the two ends want all of the machine.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
only_cf

N=5000
ulimit -n 20000 2>/dev/null || N=$((($(ulimit -n) - 100) / 4))
mkdir -p "$T/squid"
chmod 777 "$T/squid"
cat >"$T/squid.conf" <<END
http_port 127.0.0.1:3128
http_access allow all
cache deny all
access_log none
cache_log $T/squid/cache.log
pid_filename none
coredump_dir $T/squid
shutdown_lifetime 0 seconds
pinger_enable off
max_filedescriptors 16384
END
# Each tunnel is a connection to squid's port and one from it.
must sysctl -qw net.ipv4.ip_local_port_range="10000 65000"
squid -N -f "$T/squid.conf" >>"$T/servers.log" 2>&1 </dev/null &
serve python3 "$T/manytunnels.py" serve 203.0.113.20 7007
must until_true 20 listening 127.0.0.1 3128
must until_true 20 listening 203.0.113.20 7007

all_are_open_at_once() {
	LIMIT=90
	same "opened, answered" "$(cf -p http://127.0.0.1:3128 --proxy-timeout 60 -- \
	    python3 "$T/manytunnels.py" open 203.0.113.20 7007 $N)" "$N $N"
}
it all_are_open_at_once
done_testing
