#!/bin/bash
# profile.sh - profiles, variables and the command line: whose word counts, and what a stranger may say.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
if [ -n "$WITH" ]; then
	skip all "says nothing about $WITH"
	done_testing
fi
PAGE=$SOURCE/man/cf-profile.5
CONFIG=.config/childflow		# of HOME, which is the working directory

plain() { sed 's/[[:space:]]*#.*//; /^$/d'; }	# a dump without its comments
dump() { as_caller "$CF" "$@" --dump-profile; }
checked() {
	if [ "$PASS" = root ]; then
		as_caller "$CF" -n --run-as-root "$@"
	else
		as_caller "$CF" -n "$@"
	fi
}

# says REGEX COMMAND ...: it ends with 125 and that message.
says() {
	local want=$1
	shift
	status 125 "$@" >out 2>err
	like "the message" "$(<err)" "$want"
	same "lines of it" "$(wc -l <err)" 1
}

# ---- files ----

a_child_replaces_what_its_parent_said() {
	mkdir sub
	cat >sub/base.toml <<-END
	block_private = true
	offline = true
	deny_cidrs = ["10.0.0.0/8", "172.16.0.0/12"]
	hosts_file = "./a/../hosts"
	command = ["false"]
	END
	cat >sub/child.toml <<-END
	extends = "base.toml"
	offline = false
	deny_cidrs = ["192.0.2.0/24"]
	END
	same "the dump" "$(dump --profile sub/child.toml)" "hosts_file = \"$PWD/sub/hosts\"	# $PWD/sub/base.toml:4
offline = false	# $PWD/sub/child.toml:2
block_private = true	# $PWD/sub/base.toml:1
default_policy = \"allow\"	# default
deny_cidrs = [	# $PWD/sub/child.toml:3
	\"192.0.2.0/24\",	# $PWD/sub/child.toml:3
]
capture_point = \"child\"	# default
backend = \"rootless-internal\"	# default
command = [	# $PWD/sub/base.toml:5
	\"false\",	# $PWD/sub/base.toml:5
]"
}
it a_child_replaces_what_its_parent_said

of_two_profiles_the_later_counts_more() {
	echo 'dns_cache = 1' >a.toml
	printf 'dns_cache = 2\nsummary = true\n' >b.toml
	same "cache" "$(dump --profile b.toml --profile a.toml | plain | head -n 1)" "dns_cache = 1"
	same "cache" "$(CF_PROFILE="a.toml b.toml" dump | plain | head -n 1)" "dns_cache = 2"
	same "words replace the variable" "$(CF_PROFILE=b.toml dump --profile a.toml | grep -c summary)" 0
	same "none" "$(CF_PROFILE=b.toml dump --no-profile | grep -c summary)" 0
}
it of_two_profiles_the_later_counts_more

a_name_is_looked_for_in_two_places() {
	mkdir -p "$CONFIG" xdg/childflow /etc/childflow
	echo 'dns_cache = 1' >/etc/childflow/one.toml
	same "of the system" "$(dump --profile one | plain | head -n 1)" "dns_cache = 1"
	echo 'dns_cache = 2' >"$CONFIG/one.toml"
	same "of the user" "$(dump --profile one | plain | head -n 1)" "dns_cache = 2"
	echo 'dns_cache = 3' >xdg/childflow/one.toml
	same "of XDG" "$(XDG_CONFIG_HOME=$PWD/xdg dump --profile one | plain | head -n 1)" "dns_cache = 3"
	same "XDG relative" "$(XDG_CONFIG_HOME=xdg dump --profile one | plain | head -n 1)" "dns_cache = 2"
	echo 'extends = "one"' >two.toml
	same "of a parent" "$(dump --profile two.toml | plain | head -n 1)" "dns_cache = 2"
	rm -r /etc/childflow
	says "there is no profile none in $PWD/$CONFIG or /etc/childflow .for a file here write ./none" \
	    dump --profile none
	says "is not the name of a profile" dump --profile 'a b'
}
it a_name_is_looked_for_in_two_places

inheritance_ends() {
	local i
	echo 'extends = "./b.toml"' >a.toml
	echo 'extends = "a.toml"' >b.toml
	says 'b.toml:1:11: extends: profile inheritance cycle detected' dump --profile a.toml
	echo 'extends = "self.toml"' >self.toml
	says 'profile inheritance cycle detected' dump --profile self.toml
	ln -s self.toml other.toml
	echo 'extends = "other.toml"' >self.toml
	says 'profile inheritance cycle detected' dump --profile self.toml
	echo 'summary = true' >p0.toml
	for i in {1..20}; do echo "extends = \"p$((i - 1)).toml\"" >"p$i.toml"; done
	same "16 parents" "$(dump --profile p15.toml | grep -c summary)" 1
	says 'extend each other over more than 16 steps' dump --profile p20.toml
	echo 'extends = "gone.toml"' >a.toml
	says 'a.toml:1:11: extends: cannot read the profile .*/gone.toml: No such file' dump --profile a.toml
}
it inheritance_ends

wrong() {	# TEXT REGEX
	printf '%b' "$1" >bad.toml
	says "^cf-spawn: $PWD/bad.toml:$2" checked --profile bad.toml -- true
}
a_mistake_is_named_with_its_place() {
	wrong 'offline = true\n\n  alow_cidrs = []\n' '3:3: alow_cidrs: unknown key, did you mean allow_cidrs'
	wrong 'ofline = true' '1:1: ofline: unknown key, did you mean offline'
	wrong 'offline = 1' '1:11: offline: expected true or false, found a number'
	wrong 'dns = ["192.0.2.1",\n  53]' '2:3: dns: expected a list of strings, found a number'
	wrong 'dns = ["192.0.2.1", "x"]' '1:21: dns x: not an address'
	wrong 'capture = 5' '1:11: capture: expected a path'
	wrong 'default_policy = "maybe"' '1:18: default_policy maybe: it is neither allow nor deny'
	wrong 'deny_cidrs = [\n"10.0.0.0/99" ]' '2:1: deny_cidrs 10.0.0.0/99: the length'
	wrong 'deny_domains = ["a..b"]' '1:17: deny_domains a..b: '
	wrong 'allow = ["a.test:99999"]' '1:10: allow a.test:99999: '
	wrong '[dns]\nx = 1' '1:1: dns: expected a list of strings, found a table'
	wrong 'backend = "rootful"' '1:11: backend rootful: there is only rootless-internal'
	wrong 'iface = "eth0"' '1:9: iface eth0: there is no rootful backend'
	wrong 'offline = true\noffline = false' '2:'
	wrong 'user = "a' '1:'
	wrong 'user = "\\q"' '1:'
	wrong '\xff\xfe' '1:'
	wrong 'user = "a\\u0000b"' '1:8: a string holds a zero byte'
	printf 'nothing\x1b[31m = 1' >bad.toml
	says "^[[:print:]]+$" checked --profile bad.toml -- true
}
it a_mistake_is_named_with_its_place

the_command_of_a_profile_runs() {
	echo 'command = ["printf", "%s,", "a b", "*", "é"]' >p.toml
	cf_words
	same "its output" "$(as_caller timeout 30 "${CF_WORDS[@]}" --profile p.toml)" "a b,*,é,"
	same "that of the words" "$(cf --profile p.toml -- echo other)" other
	says 'no command' checked --profile /dev/null
}
it the_command_of_a_profile_runs

names_count_in_any_spelling() {
	echo 'deny_domains = ["WWW.Example.TEST."]' >p.toml
	like "the check" "$(checked --profile p.toml -- true)" 'policy: deny-domain=www.example.test'
	status 22 cf --profile p.toml -- sh -c 'curl -s http://www.example.test/hello || exit 22'
	same "another" "$(cf --profile p.toml -- curl -s http://v4.example.test/hello)" hello
	status 22 env CF_DENY_DOMAIN=Www.Example.Test. bash -c "$(declare -f cf as_caller)
	    $(declare -p PASS T LIMIT CF WITH BECOME_USER 2>/dev/null)
	    cf -- sh -c 'curl -s http://www.example.test/hello || exit 22'"
}
it names_count_in_any_spelling

# ---- whose word counts ----

words_beat_variables_and_those_profiles() {
	printf 'dns_cache = 1\nsummary = true\noffline = true\ndeny = ["a.test", "b.test"]\n' >p.toml
	export CF_DNS_CACHE=2 CF_SUMMARY=no CF_BLOCK_PRIVATE=1 CF_VERBOSE=1
	same "the dump" "$(dump --profile p.toml --no-offline --deny c.test --dns-cache 3 | grep -v default)" \
"dns_cache = 3	# command line
offline = false	# command line
block_private = true	# CF_BLOCK_PRIVATE
deny = [	# command line
	\"c.test\",	# command line
]
summary = false	# CF_SUMMARY
verbose = 1	# CF_VERBOSE"
	same "also back again" "$(dump --no-block-private --block-private | grep private)" "block_private = true	# command line"
	same "the last word" "$(dump --block-private --no-block-private | grep private)" "block_private = false	# command line"
}
it words_beat_variables_and_those_profiles

a_variable_that_is_wrong_is_an_error() {
	CF_OFFLINE=maybe says '^cf-spawn: CF_OFFLINE=maybe: write 1 or 0' checked -- true
	CF_DNS="192.0.2.1 x" says '^cf-spawn: CF_DNS=x: not an address' checked -- true
	CF_DENY_CIDR=10.0.0.0/99 says '^cf-spawn: CF_DENY_CIDR=10.0.0.0/99: ' checked -- true
	CF_UNKNOWN=x CF_CHECK=x CF_HELP=1 CF_OFFLINE='' status 0 checked -- true
}
it a_variable_that_is_wrong_is_an_error

what_is_taken_back_is_not_applied() {
	printf 'hosts_file = "gone"\nuser = "nobody-at-all"\n' >p.toml
	says 'gone' checked --profile p.toml --no-user -- true
	status 0 checked --profile p.toml --no-hosts-file --no-user -- true
	says 'unknown' checked --no-check -- true
}
it what_is_taken_back_is_not_applied

# ---- the dump, and the page ----

# Each key of the page with a value of its type.
every_key() {
	awk '/^\.It Ic / { key = $3; next }
	key == "extends" { key = "" }
	key != "" {
		v = "\"x\""
		if ($1 ~ /^switch/) v = "true"
		if ($1 ~ /^number/) v = "2"
		if ($1 ~ /^path/) v = "\"dir/x y\""
		if ($1 ~ /^list/ && $0 ~ /numbers/) v = "[2]"
		else if ($1 ~ /^list/) v = $0 ~ /paths/ ? "[\"x\", \"/y\"]" : "[\"x\", \"\\\"\\\\\\t\\u007f é\"]"
		print key, "=", v
		key = ""
	}' "$PAGE"
}
a_dump_read_back_is_the_same() {
	every_key >all.toml
	[ "$(wc -l <all.toml)" -gt 30 ] || failed "$(<all.toml)"
	dump --dump-secrets --profile all.toml >once
	mkdir elsewhere
	(cd elsewhere && dump --dump-secrets --profile ../once) >twice
	status 1 grep '^proxy_password = ' <(dump --profile all.toml)
	same "keys of it" "$(plain <once | grep -c '^[a-z_]* = ')" "$(wc -l <all.toml)"
	same "read back" "$(plain <twice)" "$(plain <once)"
	like "origins of it" "$(<twice)" "# $PWD/once:"
	for key in $(cut -d' ' -f1 all.toml); do
		grep -q "^$key = " once || failed "$key is not in the dump"
	done
}
it a_dump_read_back_is_the_same

the_examples_of_the_page_are_right() {
	local file n=0
	mandoc -T utf8 "$PAGE" >/dev/null || cannot "there is no mandoc"
	awk '/^# .*\.toml$/ { file = $2 } /^\.Ed/ { file = "" } file != "" { print >file }' "$PAGE"
	touch hosts
	for file in base.toml build.toml fetch.toml .childflow.toml; do
		[ -s "$file" ] || failed "no example $file"
		status 0 checked --profile "./$file" -- true >out
		n=$((n + 1))
	done
	status 0 checked --profile-local -- true >out
	like "the local one" "$(<out)" 'default-policy=deny.*allow-domain=example.com'
	same "without the capture" "$(dump --profile build.toml --no-capture | grep -c '^capture =')" 0
	same "its rules" "$(dump --profile build.toml | grep -c 'example.com:443')" 2
}
it the_examples_of_the_page_are_right

# ---- local profiles ----

a_local_profile_is_not_used_by_itself() {
	echo 'offline = true' >.childflow.toml
	same "alone" "$(dump | grep -c offline)" 0
	same "asked for" "$(dump --profile-local | grep offline)" "offline = true	# $PWD/.childflow.toml:1"
	same "by variable" "$(CF_PROFILE_LOCAL=1 dump | grep -c offline)" 1
	same "and not" "$(CF_PROFILE_LOCAL=1 dump --no-profile-local | grep -c offline)" 0
	mkdir sub
	same "of another directory" "$(cd sub && dump --profile-local | grep -c offline)" 0
}
it a_local_profile_is_not_used_by_itself

a_stranger_only_tightens() {
	printf 'deny_domains = ["b.test"]\nallow = ["a.test"]\n' >.childflow.toml
	same "added and narrowed" "$(dump --profile-local --deny-domain a.test --allow a.test --allow c.test |
	    plain | tr -d '\n\t')" 'default_policy = "deny"deny_domains = ["a.test","b.test",]allow = ["a.test",]capture_point = "child"backend = "rootless-internal"'
	says "childflow.toml:2:9: allow: it would allow what is refused, and this profile is not trusted" \
	    checked --profile-local --default-policy deny -- true
	local line
	for line in 'offline = false' 'default_policy = "allow"' 'dns = ["192.0.2.1"]' 'command = ["sh"]' \
	    'capture = "x"' 'extends = "/etc/passwd"' 'deny_file = "/dev/zero"' 'run_as_root = true' \
	    'allow_encrypted_dns = true' 'summary = true'; do
		echo "$line" >.childflow.toml
		says "not trusted.*--trust" checked --profile-local --offline -- true
		[ ! -e x ]
	done
	rm .childflow.toml
	mkfifo .childflow.toml
	says 'is not a file' checked --profile-local -- true
}
it a_stranger_only_tightens

trust_is_for_these_bytes_in_this_place() {
	printf 'dns_cache = 7\nextends = "./parent.toml"\n' >.childflow.toml
	echo 'summary = true' >parent.toml
	same "the sum" "$(as_caller "$CF" --trust .childflow.toml)" "$(sha256sum "$PWD/.childflow.toml")"
	says 'parent.toml is not trusted' checked --profile-local -- true
	as_caller "$CF" --trust ./parent.toml
	same "its word" "$(dump --profile-local | plain | grep -c 'cache = 7\|summary = true')" 2
	same "below the words" "$(dump --profile-local --dns-cache 8 | plain | head -n 1)" "dns_cache = 8"
	same "the list" "$(cut -d' ' -f3 "$CONFIG/trusted")" "$PWD/.childflow.toml
$PWD/parent.toml"
	same "its mode" "$(stat -c %a "$CONFIG/trusted")" 600
	mkdir sub
	cp .childflow.toml sub
	(cd sub && says 'not trusted' checked --profile-local -- true)
	echo >>.childflow.toml
	says 'not trusted' checked --profile-local -- true
	as_caller "$CF" --trust .childflow.toml
	same "lines for it" "$(grep -c childflow.toml "$CONFIG/trusted")" 1
	status 0 checked --profile-local -- true
	chmod g+w "$CONFIG/trusted"
	status 125 checked --profile-local -- true 2>err
	like "why" "$(<err)" 'trusted is not used: it is not a file of yours that only you can write'
	says 'cannot read the profile' as_caller "$CF" --trust gone.toml
}
it trust_is_for_these_bytes_in_this_place

# ---- hostile files, and what stands in their way ----

hostile() {	# REGEX: bad.toml is refused soon, and with that
	local start
	start=$(ms_now)
	says "$1" as_caller timeout -k 1 30 "$CF" --profile bad.toml --dump-profile
	[ $(($(ms_now) - start)) -lt 12000 ] || failed "took $(($(ms_now) - start)) ms"
}
hostile_profiles_are_refused_soon() {
	/usr/bin/python3 - <<-'END'
	import os
	def put(name, data):
	    open(name, "wb").write(data)
	put("large.toml", b"#" * (1 << 20) + b"\n")
	put("most.toml", b"#" * ((1 << 20) - 16) + b"\nsummary = true\n")
	put("deep.toml", b"a = " + b"[" * 500000 + b"]" * 500000)
	put("tables.toml", b"".join(b"[a%d]\n" % i for i in range(90000)))
	put("dotted.toml", b"a" + b".a" * 500000 + b" = 1\n")
	put("items.toml", b"deny = [" + b"1," * 65537 + b"]\n")
	put("zeros.toml", bytes(1000))
	put("random.toml", os.urandom(1 << 19))
	put("parser.toml", b"a = 1\n[" + bytes(3))	# toml++ gives up where it says that it cannot be
	END
	for f in large deep tables dotted items zeros random parser; do
		cp $f.toml bad.toml
		hostile 'bad.toml'
	done
	cp large.toml bad.toml
	hostile 'larger than 1 MiB'
	same "the largest" "$(dump --profile most.toml | grep -c summary)" 1
	status 125 as_caller timeout -k 1 30 "$CF" --profile /dev/zero --dump-profile 2>err
	like "without an end" "$(<err)" 'larger than 1 MiB'
	status 125 as_caller "$CF" --profile ./ --dump-profile 2>err
	like "a directory" "$(<err)" 'Is a directory'
	[ "$PASS" = user ] || same "a pipe" "$(dump --profile <(echo 'dns_cache = 4') | plain | head -n 1)" "dns_cache = 4"
}
it hostile_profiles_are_refused_soon

a_long_list_is_taken() {
	/usr/bin/python3 -c 'print("deny_cidrs = [", *("\"10.%d.%d.%d\"," % (i >> 16, i >> 8 & 255, i & 255)
	    for i in range(50000)), "]")' >p.toml
	same "entries" "$(dump --profile p.toml | grep -c '"10\.')" 50000
}
it a_long_list_is_taken

the_converter_is_sealed() {
	local pid allowed
	mkfifo in
	"${CF%/bin/*}/libexec/childflow/cf-toml" <in >out &
	pid=$!
	exec 7>in
	until_true 5 grep -q '^Seccomp:.*2' "/proc/$pid/status"
	grep -q '^NoNewPrivs:.*1' "/proc/$pid/status"
	echo 'offline = true' >&7
	exec 7>&-
	wait "$pid"
	same "what it says" "$(<out)" '{"keys":[["offline",1,1,["boolean",1,11,true]]]}'
	allowed=$("${CF%/bin/*}/libexec/childflow/cf-toml" -n | cut -d' ' -f1)
	unlike "calls" "$allowed" 'open|socket|exec|clone|fork|connect|kill|ptrace|prctl'
}
it the_converter_is_sealed

# What stands in its place would be noticed.
without_a_profile_nothing_is_started() {
	only_for root
	local where=${CF%/bin/*}/libexec/childflow/cf-toml
	echo 'summary = true' >p.toml
	cp p.toml .childflow.toml
	mount --bind /bin/true "$where"
	same "a run" "$(cf -- echo fine)" fine
	says 'cf-toml does not say what it should' checked --profile p.toml -- true
	umount "$where"
	mount --bind /bin/false "$where"
	says 'cf-toml could not read it to its end' checked --profile p.toml -- true
	umount "$where"
}
it without_a_profile_nothing_is_started

closed_descriptors_do_no_harm() {
	echo 'dns_cache = 4' >p.toml
	status 0 checked --profile p.toml -- true <&- >out
	status 0 checked --profile p.toml -- true <&- 2>&- >out
	status 0 checked --profile p.toml -- true <&- >&- 2>err
	same "without one" "$(dump --profile p.toml <&- | plain | head -n 1)" "dns_cache = 4"
}
it closed_descriptors_do_no_harm

done_testing
