#!/bin/bash
# evidence.sh - a real build (npm, pip, apt-get): log, summary and report say which process talked to
# whom, how much, and what was stopped; and a capture of the same run says the same.
#
# The registries are files of this world's nginx, each under a name of its own.  The package from
# npm calls home when it is installed, to where nobody allowed it.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
[ -z "$WITH" ] || { skip all "says nothing about $WITH"; done_testing; }

DOCTOR=/srv/cf/bin/cf-doctor
PYTHON=/usr/bin/python3
LOG=$T/home/flow.jsonl
HOST=198.51.100.2 HOST6=2001:db8:1::2
MARK=203.0.113.10:7		# a connection past the run: what came before it is in the dump

# ---- the registries ----

npm_registry() {
	local d=$T/npm/package
	mkdir -p "$d" "$T/www/npm/-"
	cat >"$d/home.sh" <<-END
	curl -sS -m 5 http://203.0.113.20/hello
	curl -sS -m 5 http://second.example.test/hello
	exit 0
	END
	echo '{"name":"hellopkg","version":"1.0.0","scripts":{"postinstall":"sh home.sh"}}' >"$d/package.json"
	head -c 300000 /dev/urandom >"$d/data"
	tar -C "$T/npm" -czf "$T/www/npm/-/hellopkg-1.0.0.tgz" package
	cat >"$T/www/npm/hellopkg" <<-END
	{"name":"hellopkg","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"hellopkg",
	"version":"1.0.0","scripts":{"postinstall":"sh home.sh"},"hasInstallScript":true,"dist":{
	"tarball":"http://www.example.test/npm/-/hellopkg-1.0.0.tgz",
	"shasum":"$(sha1sum <"$T/www/npm/-/hellopkg-1.0.0.tgz" | cut -d ' ' -f 1)"}}}}
	END
}
pip_index() {
	mkdir -p "$T/www/pip/hellopy"
	$PYTHON - "$T/www/pip/hellopy/hellopy-1.0-py3-none-any.whl" <<-'END'
	import os, sys, zipfile
	with zipfile.ZipFile(sys.argv[1], "w") as z:
	    z.writestr("hellopy/data", os.urandom(200000))
	    info = "hellopy-1.0.dist-info/"
	    z.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: hellopy\nVersion: 1.0\n")
	    z.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
	    z.writestr(info + "RECORD", "".join(n + ",,\n" for n in z.namelist() + [info + "RECORD"]))
	END
	echo '<a href="hellopy-1.0-py3-none-any.whl">hellopy-1.0-py3-none-any.whl</a>' >"$T/www/pip/hellopy/index.html"
}
apt_repository() {
	mkdir -p "$T/www/apt"
	for i in {1..400}; do
		printf 'Package: p%s\nVersion: 1\nArchitecture: all\nFilename: ./p%s.deb\nSize: 9\nMD5sum: %032d\n\n' "$i" "$i" "$i"
	done >"$T/www/apt/Packages"
}
npm_registry
pip_index
apt_repository

# The script of a build; a tool that is not here is left out, and said.
TOOLS=
# shellcheck disable=SC2016
build_script() {
	echo 'set -e'
	if command -v npm >/dev/null; then
		TOOLS+=" npm"
		echo 'npm install --registry http://www.example.test/npm/ --cache ./npm-cache --no-audit \
			--no-fund --no-update-notifier --fetch-retries 0 hellopkg'
	fi
	if $PYTHON -m pip --version >/dev/null 2>&1; then
		TOOLS+=" pip"
		echo '/usr/bin/python3 -m pip install -q --no-cache-dir --disable-pip-version-check --no-deps \
			--retries 0 --trusted-host v4.example.test --index-url http://v4.example.test/pip/ --target py hellopy'
	fi
	if command -v apt-get >/dev/null; then
		TOOLS+=" apt"
		echo 'mkdir -p apt/lists/partial apt/cache/archives/partial
		echo "deb [trusted=yes] http://example.test/apt ./" >apt/sources
		apt-get update -q -o Dir::State="$PWD/apt" -o Dir::State::lists="$PWD/apt/lists" -o Dir::Cache="$PWD/apt/cache" \
		    -o Dir::State::status=/dev/null -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none \
		    -o Acquire::Retries=0 -o Dir::Etc::sourcelist="$PWD/apt/sources" -o Dir::Etc::sourceparts=/dev/null'
	fi
}
build_script >"$T/build.sh"
for tool in npm pip apt; do
	[[ $TOOLS == *$tool* ]] || skip "$tool" "it is not installed"
done
has() { [[ $TOOLS == *$1* ]] || cannot "there is no $1 here"; }

# ---- the run, and a dump of it as the network saw it ----

dump_begin() {
	sv timeout 90 tshark -l -n -i veth1 -f 'tcp or udp port 53' -w "$T/dump" -P -T fields -e ip.dst \
	    -e tcp.dstport >"$T/seen" 2>"$T/tshark.out" &
	TSHARK=$!
	until_true 15 grep -q Capturing "$T/tshark.out"
	until_true 10 mark_seen
}
mark_seen() {
	: >"$T/seen"
	(exec 3<>"/dev/tcp/${MARK/://}")
	until_true 1 grep -q "${MARK/:/$'\t'}" "$T/seen"
}
# tshark FIELDS ... of the dump, without the marks.
dumped() {	# FILTER FIELD ...
	local filter=$1 args=() f
	shift
	for f; do args+=(-e "$f"); done
	tshark -n -r "$T/dump" -Y "($filter) && !(tcp.port == ${MARK#*:})" -T fields "${args[@]}" 2>/dev/null
}

the_build_runs() {
	rm -f "$T/dump"
	dump_begin
	LIMIT=60 cf --flow-log "$LOG" --summary --allow www.example.test:80 --allow v4.example.test:80 \
	    --allow example.test:80 -- sh "$T/build.sh" >out 2>err || failed "$(head -c 600 out err)"
	until_true 10 mark_seen
	kill -INT "$TSHARK"
	wait "$TSHARK" || :
	cp "$LOG" err "$T/"
	as_caller "$DOCTOR" report --format json "$LOG" >"$T/report"
	as_caller "$DOCTOR" report "$LOG" >"$T/report.text"
}
it the_build_runs
LOG=$T/flow.jsonl

# ---- what the network saw is what the log says ----

# "198.51.100.2:40000" and "[2001:db8:1::2]:40000" from the first or the second four fields of a line.
ENDS='ip.src ipv6.src tcp.srcport ip.dst ipv6.dst tcp.dstport'
# shellcheck disable=SC2016
JOIN='function end(v4, v6, port) { return v4 != "" ? v4 ":" port : "[" v6 "]:" port }
	BEGIN { FS = "\t" } { from = end($1, $2, $3); to = end($4, $5, $6) }'

every_syn_has_its_event() {
	# shellcheck disable=SC2086
	dumped "(ip.src == $HOST || ipv6.src == $HOST6) && tcp.flags.syn == 1 && tcp.flags.ack == 0" $ENDS |
	    awk "$JOIN"' { print from, to }' | sort -u >syns
	jq -r 'select(.event == "connect_result" and .protocol == "tcp" and .status == "ok") |
	    "\(.host_addr) \(.remote_addr)"' "$LOG" | sort >told
	same SYNs "$(cat syns)" "$(cat told)"
	[ -s syns ] || failed "there are none"
	same refused "$(dumped 'ip.addr == 203.0.113.20' frame.number)" ""
}
it every_syn_has_its_event

# The bytes of each connection, each sequence number once.
dump_bytes() {
	# shellcheck disable=SC2086
	dumped "tcp.len > 0 && !tcp.analysis.retransmission && !tcp.analysis.spurious_retransmission" $ENDS \
	    tcp.len | awk -v h="$HOST" -v h6="$HOST6" "$JOIN"'
		$1 == h || $2 == h6 { up[from] += $7; all[from] }
		$4 == h || $5 == h6 { down[to] += $7; all[to] }
		END { for (a in all) print a, up[a] + 0, down[a] + 0 }' | sort
}
bytes_are_those_of_the_dump() {
	jq -r 'select(.event == "flow_end" and .protocol == "tcp" and .bytes_up + .bytes_down > 0) |
	    "\(.host_addr) \(.bytes_up) \(.bytes_down)"' "$LOG" | sort >told
	dump_bytes >dumped
	same bytes "$(cat told)" "$(cat dumped)"
	same sum "$(jq '.bytes.down' "$T/report")" "$(jq -s 'map(select(.event == "flow_end") | .bytes_down) | add' "$LOG")"
	like summary "$(cat "$T/err")" "bytes: up=$(jq .bytes.up "$T/report"), down=$(jq .bytes.down "$T/report")"
}
it bytes_are_those_of_the_dump

names_that_were_asked_for_are_those_of_the_dump() {
	dumped "dns.flags.response == 0 && (ip.src == $HOST || ipv6.src == $HOST6)" dns.qry.name | sort -u >asked
	jq -r 'select(.event == "dns_answer" and .mode == "relayed") | .qname' "$LOG" | sort -u >told
	same names "$(cat asked)" "$(cat told)"
	unlike refused "$(cat asked)" second
}
it names_that_were_asked_for_are_those_of_the_dump

# ---- which process talked to whom, and what was stopped ----

# talked COMMAND-REGEX PEER LEAST: in the report, with at least so many bytes down, and no more
# than a tenth above it.
talked() {
	local n
	n=$(jq --arg p "$1" --arg w "$2" '[.talks[] | select((.process | test($p)) and .peer == $w) |
	    .bytes_down] | add // 0' "$T/report")
	if [ "$n" -lt "$3" ] || [ "$n" -gt $(($3 + $3 / 10 + 5000)) ]; then
		failed "$1 to $2: $n bytes; $(jq -c .talks "$T/report")"
	fi
}
npm_talked_to_its_registry() {
	has npm
	talked 'npm|node' www.example.test:80/tcp "$(stat -c %s "$T/www/npm/-/hellopkg-1.0.0.tgz")"
	same only "$(jq -r '.talks[] | select((.process | test("npm|node")) and .flows > 0) | .peer' "$T/report" |
	    grep '/tcp$' | sort -u)" www.example.test:80/tcp
}
it npm_talked_to_its_registry

pip_talked_to_its_index() {
	has pip
	talked 'python' v4.example.test:80/tcp "$(stat -c %s "$T/www/pip/hellopy/"*.whl)"
}
it pip_talked_to_its_index

apt_talked_to_its_repository() {
	has apt
	talked '^http' example.test:80/tcp "$(stat -c %s "$T/www/apt/Packages")"
}
it apt_talked_to_its_repository

what_called_home_was_stopped() {
	has npm
	same violations "$(jq -r 'select(.event == "policy_violation" and .protocol == "tcp") |
	    "\(.comm) \(.remote) \(.reason_code)"' "$LOG" | sort -u)" "curl 203.0.113.20:80 default_deny"
	# and it is known whose child it was
	jq -r 'select(.event == "policy_violation" and .protocol == "tcp") | .ppids[]' "$LOG" | sort -u >parents
	jq -r 'select(.event == "flow_end" and (.names | index("www.example.test"))) | .pid' "$LOG" | sort -u >npm
	[ -n "$(comm -12 parents npm)" ] || failed "npm is not among its parents: $(cat parents)"
	like report "$(jq -c '[.denied[].key]' "$T/report")" 'tcp 203.0.113.20:80'
	like name "$(jq -c '[.denied[].key]' "$T/report")" 'dns second.example.test'
	like text "$(cat "$T/report.text")" 'second.example.test'
	like summary "$(cat "$T/err")" 'denied.*203.0.113.20:80'
}
it what_called_home_was_stopped
done_testing
